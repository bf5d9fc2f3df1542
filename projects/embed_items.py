"""Make a vector of every item's text: from TF-IDF, a sentence encoder or any language model.

mlflow run . --env-manager local -e embed_items -P encoder=tfidf
mlflow run . --env-manager local -e embed_items -P encoder=all-minilm-l6-v2
mlflow run . --env-manager local -e embed_items -P encoder=smollm2-135m -P pooling=last
mlflow run . --env-manager local -e embed_items -P weights=random -P seed=1
mlflow run . --env-manager local -e embed_items -P teacher_run=latest
mlflow run . --env-manager local -e train_baseline -P student.item=id+text -P text_run=latest
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Literal

from recdistill import encoders, teachers, texts
from recdistill.config import main_fields
from recdistill.data import OnData, prepare_for
from recdistill.errors import UserError
from recdistill.progress import progress_of
from recdistill.runs import stage
from recdistill.texts import EmbeddingConfig

if TYPE_CHECKING:
    from recdistill.data import PreparedData
    from recdistill.runs import Run, RunReference
    from recdistill.texts import TextEncoder


@main_fields("encoder", "teacher_run", "weights", "permuted", "pooling", "dim", "reduction")
@dataclass(frozen=True)
class Config(EmbeddingConfig, OnData):
    """Which encoder, and what becomes of its vectors; conf/embed_items.yaml says the costs."""

    encoder: str = "all-minilm-l6-v2"
    teacher_run: str = ""
    weights: Literal["pretrained", "random"] = "pretrained"
    device: str = "cpu"

    def __post_init__(self) -> None:
        EmbeddingConfig.__post_init__(self)
        OnData.__post_init__(self)
        if self.teacher_run and self.weights == "random":
            raise UserError(
                "weights=random and teacher_run exclude each other: the control of a teacher is a "
                "teacher trained with weights=random."
            )
        if self.encoder == encoders.TFIDF and self.weights == "random":
            raise UserError(
                "weights=random is the control of a network, and encoder=tfidf has no weights: "
                "name the network it is to be compared with."
            )

    def embedding(self) -> EmbeddingConfig:
        """Pick what does not depend on encoder and data."""
        return EmbeddingConfig(**{f.name: getattr(self, f.name) for f in fields(EmbeddingConfig)})


def run(config: Config, run: Run) -> None:
    """Encode every item's text once, reduce, keep the vectors with their catalog's digest."""
    data = prepare_for(config)
    run.log_data(data)
    teacher = find_teacher(config, run, data)
    run.rename(what_differs(config, teacher), f"d{config.dim}-texts")
    inputs = data.inputs()
    if teacher:
        run.set_tags({"teacher_run_id": teacher.id})
        inputs |= {"teacher": teacher.id}
    else:
        inputs |= encoders.encoder_input(config.encoder, config.weights)
    if run.already_done(inputs, use_cache=config.use_cache):
        return

    with run.phase("encode"), progress_of("encode texts", "texts") as line:
        vectors = texts.embed_items(
            data.catalog,
            encoder_of(config, teacher, data),
            config.embedding(),
            run.folder / "vectors",
            cache=teachers.cache_root(),
            about=about(config, teacher),
            seed=config.seed,
            report=line.reach,
        )
    run.log_artifact(run.folder / "vectors", "vectors")
    n_texts = int((vectors.values != 0).any(axis=1).sum())
    run.log_metrics({"texts/n_items": data.catalog.n_items, "texts/n_texts": n_texts})
    words = f"{run.name()}: {n_texts:,} of {data.catalog.n_items:,} items, {vectors.dim} dimensions"
    run.note(words)
    print(words)


def find_teacher(config: Config, run: Run, data: PreparedData) -> RunReference | None:
    """Find the teacher whose language model is asked, where one is."""
    if not config.teacher_run:
        return None
    return run.find(config.teacher_run, "train_teacher", data=data)


def encoder_of(config: Config, teacher: RunReference | None, data: PreparedData) -> TextEncoder:
    """Read the teacher, fit TF-IDF on the texts, or read a model, fetched where need be."""
    if teacher:
        adapted = teachers.load_model(teacher.artifact("model"), data.catalog)
        return teachers.adapted_encoder(adapted, config.embedding())
    return encoders.build_encoder(
        config.encoder,
        config.embedding(),
        data.catalog,
        weights=config.weights,
        seed=config.seed,
        device=config.device,
    )


def about(config: Config, teacher: RunReference | None) -> dict[str, object]:
    """Say where the vectors come from."""
    if teacher:
        return {"teacher_run": teacher.id, **asdict(config.embedding())}
    drawn = config.weights == "random" or config.permuted
    facts = {"encoder": config.encoder, "weights": config.weights, **asdict(config.embedding())}
    return facts | ({"seed": config.seed} if drawn else {})


def what_differs(config: Config, teacher: RunReference | None) -> str:
    """Say what distinguishes these vectors from others."""
    encoder = teacher.name if teacher else config.encoder.rstrip("/").rsplit("/", 1)[-1]
    drawn = f"-random{config.seed}" if config.weights == "random" else ""
    permuted = f"-permuted{config.seed}" if config.permuted else ""
    return f"{encoder}{drawn}{permuted}"


if __name__ == "__main__":
    stage(run, Config, "embed_items")
