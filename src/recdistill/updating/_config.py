"""The settings of an update; read before anything heavy is imported."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from recdistill.errors import UserError

if TYPE_CHECKING:
    from recdistill.training import StudentRecipe


@dataclass(frozen=True)
class Replay:
    """How much of the past goes with what is new.

    Attributes
    ----------
    context : int
        Items of a user's past that are read, and trained once more, before that user's new ones.
    share : float
        Least share of old targets among all; where the contexts are fewer, users without anything
        new are drawn whole, up to ``context`` items each. 1 is all of the past.
    """

    context: int = 1000
    share: float = 1.0

    def __post_init__(self) -> None:
        if self.context < 1:
            raise UserError(f"replay.context is {self.context}; it must be at least 1.")
        if not 0 <= self.share <= 1:
            raise UserError(f"replay.share is {self.share}; it is a share, from 0 to 1.")


@dataclass(frozen=True)
class UpdateConfig:
    """How a student goes on.

    Attributes
    ----------
    epochs : int
        Passes over what is new and what is replayed.
    new_times : int
        How often each pass reads what is new, with the few items before it: among all of the past
        a week is soon forgotten.
    lr_share : float
        Highest learning rate, as a share of the recipe's.
    dropout : float
        The recipe's is for the many epochs of a whole training.
    replay : Replay
    """

    epochs: int = 1
    new_times: int = 3
    lr_share: float = 1.0
    dropout: float = 0.0
    replay: Replay = field(default_factory=Replay)

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise UserError(f"epochs is {self.epochs}; it must be at least 1.")
        if self.new_times < 1:
            raise UserError(f"new_times is {self.new_times}; it must be at least 1.")
        if self.lr_share <= 0:
            raise UserError(f"lr_share is {self.lr_share}; it must be positive.")
        if not 0 <= self.dropout < 1:
            raise UserError(f"dropout is {self.dropout}; it is a share, from 0 to below 1.")

    def applied_to(self, recipe: StudentRecipe) -> StudentRecipe:
        """Return the recipe with the loop and the dropout of an update."""
        rate = replace(recipe.loop.optimizer, lr=recipe.loop.optimizer.lr * self.lr_share)
        loop = replace(
            recipe.loop, max_epochs=self.epochs, validate_every=1, patience=0, optimizer=rate
        )
        architecture = replace(recipe.architecture, dropout=self.dropout)
        return replace(recipe, architecture=architecture, loop=loop)
