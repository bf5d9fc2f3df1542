"""From a challenge to the seat: what was decided, why, and who serves from then on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from recdistill.errors import UserError
from recdistill.serving._challenge import challenge
from recdistill.serving._registry import now
from recdistill.serving._rules import CHALLENGER, CHAMPION
from recdistill.serving._story import write_story
from recdistill.serving._unseen import require_unseen

if TYPE_CHECKING:
    from recdistill.runs import RunReference
    from recdistill.serving._new_items import Package
    from recdistill.serving._registry import Registry, Version
    from recdistill.serving._rules import ChallengeRules
    from recdistill.serving._verdict import Verdict

_TAGGED = ("test/recall_at_10", "test/ndcg_at_10", "test/n_users", "val/ndcg_at_10")
Outcome = Literal["first", "passed", "not passed", "forced"]


@dataclass(frozen=True)
class Decision:
    """Whether a student may serve.

    Attributes
    ----------
    outcome : "first", "passed", "not passed" or "forced"
    words : str
        Why, in a sentence or two.
    verdict : Verdict or None
        None where nothing could be compared.
    """

    outcome: Outcome
    words: str
    verdict: Verdict | None = None

    @property
    def wins(self) -> bool:
        """Whether it may serve."""
        return self.outcome != "not passed"


def decide(
    registry: Registry,
    package: Package,
    made: Version | None,
    rules: ChallengeRules,
    *,
    reason: str = "",
) -> Decision:
    """Let a student challenge the champion, where there is one.

    Parameters
    ----------
    registry : Registry
    package : Package
    made : Version, optional
        The version that holds this very student already.
    rules : ChallengeRules
    reason : str
        Why it must serve whatever the comparison says; empty where the comparison decides.

    Raises
    ------
    UserError
        When nothing can be compared, or the student was rolled back, and no reason is given.
    """
    champion = registry.holder(CHAMPION)
    forced = f"Promoted by force: {reason}." if reason else ""
    if champion is None:
        return Decision("first", "Nobody served before, so there was nothing to challenge.")
    try:
        if made and made.rolled_back:
            raise UserError(
                f"version {made.number} is this very model and was rolled back, {made.rolled_back}"
            )
        unknown = require_unseen(champion, package.data)
        verdict = challenge(package.student, champion.student(), package.data, rules)
    except UserError as error:
        if not forced:
            raise
        return Decision("forced", f"Not compared with version {champion.number}: {error} {forced}")
    words = f"Against version {champion.number}: {verdict.words()}. {unknown}".strip()
    if verdict.passed:
        return Decision("passed", words, verdict)
    if forced:
        return Decision("forced", f"{words} {forced}", verdict)
    return Decision("not passed", words, verdict)


def settle(registry: Registry, version: Version, decision: Decision, alias: str) -> str:
    """Write the story on the version, then move the alias; return the version's card.

    Parameters
    ----------
    alias : str
        "champion" seats whoever wins; else it is only registered as challenger.
    """
    seated = decision.wins and alias == CHAMPION
    address = f"models:/{registry.name}@{CHAMPION if seated else CHALLENGER}"
    table = f"\n\n{decision.verdict.table()}" if decision.verdict else ""
    student = version.tags.get("model_run", "")
    card = f"**{address}** since {now()}: student `{student}`.\n\n{decision.words}{table}"
    tags = {"challenge": decision.outcome, "challenge.words": decision.words}
    registry.tell(version, tags, card)
    if seated:
        registry.seat(version)
    else:
        registry.set_challenger(version)
    write_story(registry)
    return card


def version_tags(student: RunReference, package: Package) -> dict[str, str]:
    """Return what must be readable on the registered version itself."""
    data = package.data
    tags = {
        "model_run_id": student.id,
        "model_run": student.name,
        "stage": student.stage,
        "dataset": data.dataset,
        "split": student.tags.get("split", ""),
        "protocol": student.tags.get("protocol", ""),
        "catalog.digest": data.catalog.digest,
        "split.digest": data.split_digest,
    }
    if package.n_new:
        tags |= {"catalog.parent": package.parent_digest, "n_new_items": str(package.n_new)}
    return tags | {key: f"{student.metrics[key]:.6g}" for key in _TAGGED if key in student.metrics}
