"""The versions of a registered model: which one serves, which one did before, and why.

Aliases say how things stand, tags how they came to it. An alias moves in one step, and every step
before it can be taken twice: whoever is killed in between leaves the old champion serving, and the
same command again comes to the same end.
"""

from __future__ import annotations

from contextlib import redirect_stderr
from dataclasses import dataclass
from datetime import UTC, datetime
from io import StringIO
from typing import TYPE_CHECKING

import mlflow
from mlflow.exceptions import MlflowException

from recdistill.errors import UserError
from recdistill.runs import fetch_artifact
from recdistill.serving._rules import CHALLENGER, CHAMPION, PREVIOUS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mlflow import MlflowClient

_REPLACED, _ROLLED_BACK = "replaced_version", "rolled_back"
_SAME = ("model_run_id", "catalog.digest")


@dataclass(frozen=True)
class Version:
    """One version of a registered model.

    Attributes
    ----------
    name : of the registered model
    number : int
    tags : dict
    description : str
    """

    name: str
    number: int
    tags: dict[str, str]
    description: str

    @property
    def address(self) -> str:
        """What MLflow loads it by."""
        return f"models:/{self.name}/{self.number}"

    @property
    def rolled_back(self) -> str:
        """When and why it was taken back from serving; empty when it was not."""
        return self.tags.get(_ROLLED_BACK, "")

    def student(self) -> Path:
        """Return the folder of the packaged student: what ``gather_student`` gathered.

        Raises
        ------
        UserError
            When the registry has the version and the store no longer its files.
        """
        try:
            folder = fetch_artifact(self.address) / "artifacts" / "student"
        except (MlflowException, OSError) as error:
            raise UserError(
                f"The files of {self.address} cannot be had ({str(error).splitlines()[0][:200]}); "
                "replace it unseen with force=true and a reason."
            ) from None
        if not folder.is_dir():
            raise UserError(
                f"{self.address} is no student packaged by promote; replace it unseen with "
                "force=true and a reason."
            )
        return folder


class Registry:
    """The versions of one registered model.

    Parameters
    ----------
    client : MlflowClient
    name : of the registered model; it need not exist yet
    """

    def __init__(self, client: MlflowClient, name: str) -> None:
        self.client, self.name = client, name

    def holder(self, alias: str) -> Version | None:
        """Return who holds an alias; None when nobody does."""
        try:
            return self._version(self.client.get_model_version_by_alias(self.name, alias))
        except MlflowException as error:
            if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                return None
            raise

    def champion(self) -> Version:
        """Return who serves.

        Raises
        ------
        UserError
            When nobody does.
        """
        found = self.holder(CHAMPION)
        if found is None:
            raise UserError(f"There is no {self.name}@{CHAMPION} yet; run promote first.")
        return found

    def version(self, number: int) -> Version:
        """Return a version by its number."""
        return self._version(self.client.get_model_version(self.name, str(number)))

    def versions(self) -> list[Version]:
        """Return all versions, the newest first."""
        found = self.client.search_model_versions(f"name='{self.name}'")
        return sorted(map(self._version, found), key=lambda one: -one.number)

    def same(self, tags: Mapping[str, str]) -> Version | None:
        """Return the newest version of this model run on this catalog, where there is one."""
        alike = (v for v in self.versions() if all(v.tags.get(k) == tags.get(k) for k in _SAME))
        return next(alike, None)

    def judged_on(self, split_digest: str) -> Version | None:
        """Return the newest judged version whose student is of this data; None without one."""
        judged = (
            one
            for one in self.versions()
            if one.tags.get("split.digest") == split_digest and "challenge" in one.tags
        )
        return next(judged, None)

    def has_settled(self, split_digest: str) -> bool:
        """Whether a student of this data was judged, and serves or served if it won."""
        judged = self.judged_on(split_digest)
        if judged is None:
            return False
        lost = judged.tags["challenge"] == "not passed" or bool(judged.rolled_back)
        return lost or self.champion().number >= judged.number

    def register(self, model_uri: str, tags: Mapping[str, str]) -> Version:
        """Make a logged model the next version; nobody serves it yet."""
        with redirect_stderr(StringIO()):  # two lines that say less than the stage's own
            made = mlflow.register_model(model_uri, self.name, tags=dict(tags))
        return self.version(int(made.version))

    def tell(self, version: Version, tags: Mapping[str, str], card: str) -> None:
        """Write down what there is to know of a version."""
        for key, value in tags.items():
            self._tag(version, key, value)
        self.client.update_model_version(self.name, str(version.number), card)

    def describe(self, story: str) -> None:
        """Put a text on the registered model's own page."""
        self.client.update_registered_model(self.name, story)

    def set_challenger(self, version: Version) -> None:
        """Let a version hold the alias of who was judged last and does not serve."""
        self.client.set_registered_model_alias(self.name, CHALLENGER, str(version.number))

    def seat(self, version: Version) -> None:
        """Make a version the champion and the present one the previous."""
        before = self.holder(CHAMPION)
        if before is not None and before.number != version.number:
            self._tag(version, _REPLACED, str(before.number))
            self.client.set_registered_model_alias(self.name, PREVIOUS, str(before.number))
        if version.rolled_back:
            self.client.delete_model_version_tag(self.name, str(version.number), _ROLLED_BACK)
        self.client.set_registered_model_alias(self.name, CHAMPION, str(version.number))
        challenger = self.holder(CHALLENGER)
        if challenger is not None and challenger.number == version.number:
            self.client.delete_registered_model_alias(self.name, CHALLENGER)

    def roll_back(self, reason: str = "") -> tuple[Version, Version]:
        """Make the version that the champion replaced the champion again.

        Returns
        -------
        restored, removed : Version

        Raises
        ------
        UserError
            When nobody serves, or nobody did before.
        """
        removed = self.champion()
        if _REPLACED not in removed.tags:
            raise UserError(
                f"{self.name}@{CHAMPION} is version {removed.number}, which replaced nobody: there "
                "is no version to go back to."
            )
        restored = self.version(int(removed.tags[_REPLACED]))
        said = f"{now()}, to version {restored.number}{f': {reason}' if reason else ''}"
        self._tag(removed, _ROLLED_BACK, said)
        card = removed.description.split("\n\n**Rolled back")[0]
        self.client.update_model_version(
            self.name, str(removed.number), f"{card}\n\n**Rolled back** {said}."
        )
        # The champion last: until then the same command again finds the same two versions.
        if older := restored.tags.get(_REPLACED):
            self.client.set_registered_model_alias(self.name, PREVIOUS, older)
        elif self.holder(PREVIOUS):
            self.client.delete_registered_model_alias(self.name, PREVIOUS)
        self.client.set_registered_model_alias(self.name, CHAMPION, str(restored.number))
        return restored, removed

    def _tag(self, version: Version, key: str, value: str) -> None:
        self.client.set_model_version_tag(self.name, str(version.number), key, value[:5000])

    def _version(self, found: mlflow.entities.model_registry.ModelVersion) -> Version:
        return Version(
            self.name, int(found.version), dict(found.tags or {}), found.description or ""
        )


def now() -> str:
    """Return the time of day, to the second, in UTC."""
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
