"""What serving speaks of: endpoints and variants, predictions and labels."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import msgspec

from treadle.kernel.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

Role = Literal["live", "canary", "shadow"]
LabelState = Literal["accepted", "quarantined"]
Status = Literal["ok", "error"]
ContractMode = Literal["off", "warn", "refuse"]

# Shares come from forms and divisions: thirds must be allowed to add up to one.
SHARE_TOLERANCE = 1e-9


class Variant(msgspec.Struct, frozen=True, kw_only=True):
    """A model version behind an endpoint, with its share of the answers.

    `share` is between 0 and 1. A shadow sees every request whatever its share, and is never shown.
    """

    name: str
    version: str
    share: float = 1.0
    role: Role = "live"

    @property
    def answers(self) -> bool:
        """Whether callers may be shown this variant's answer."""
        return self.role != "shadow"

    @property
    def number(self) -> str:
        """The version's number within its model (`3` of `late@3`)."""
        return self.version.rpartition("@")[2]


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A stable name, answered by variants of a model. `revision` grows with each change.

    `contract` says what becomes of a row that breaks the contract of the model's training data: it
    is noted with its answer (`warn`), or the request is refused. `off` looks at none.
    """

    name: str
    model: str
    variants: tuple[Variant, ...]
    revision: int
    created_at: int
    updated_at: int
    contract: ContractMode = "warn"

    @property
    def answering(self) -> tuple[Variant, ...]:
        """The variants callers may be shown."""
        return tuple(v for v in self.variants if v.answers)

    @property
    def shadows(self) -> tuple[Variant, ...]:
        """The variants that answer without being shown."""
        return tuple(v for v in self.variants if not v.answers)


class TrafficChange(msgspec.Struct, frozen=True, kw_only=True):
    """One change of an endpoint's traffic: what it became, when, by whom and why."""

    revision: int
    variants: tuple[Variant, ...]
    reason: str
    release_id: str | None
    at: int
    actor: str
    seq: int


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """Who answers one request, and who answers it without being shown."""

    answers: Variant
    shadows: tuple[Variant, ...] = ()


@dataclass(frozen=True, eq=False, kw_only=True)
class Answer:
    """What a caller is told: per row an id, a value and who answered."""

    ids: tuple[str, ...]
    values: NDArray[np.float64]
    variants: tuple[str, ...]
    versions: tuple[str, ...]

    @property
    def variant(self) -> str:
        """The variant that answered the first row; all rows of one key have the same."""
        return self.variants[0] if self.variants else ""

    @property
    def version(self) -> str:
        """The model version that answered the first row."""
        return self.versions[0] if self.versions else ""


class Prediction(msgspec.Struct, frozen=True, kw_only=True):
    """One logged answer.

    `at` is when the thing predicted about happened (project clock), `logged_at` when the answer
    was written (machine clock). `answer_id` is the id of the answer that was shown for this row:
    its own, or for a shadow the one it stood behind. `value` is None when the model failed.
    `latency_us` is what the model took for the request, in a batch for one row on average.
    """

    id: str
    answer_id: str
    endpoint: str
    at: int
    logged_at: int
    key: str
    variant: str
    version: str
    role: Role
    value: float | None
    latency_us: int
    status: Status
    inputs: dict[str, float | int | bool | str | None]
    broken: str | None = None
    """What its row breaks of the contract (`range temp`), if that was looked at."""


class PredictionPart(msgspec.Struct, frozen=True, kw_only=True):
    """Some predictions in one Parquet object, sorted by id."""

    id: str
    endpoint: str
    source: str
    piece: int
    first_id: str
    last_id: str
    first_at: int
    last_at: int
    rows: int
    shadows_dropped: int
    digest: str
    size_bytes: int
    created_at: int


class BatchResult(msgspec.Struct, frozen=True, kw_only=True):
    """What scoring a table left behind. `rows` counts predictions, shadows included."""

    endpoint: str
    source: str
    rows: int
    parts: tuple[str, ...]


class LabelBatch(msgspec.Struct, frozen=True, kw_only=True):
    """Labels that arrived together, `at` an instant. Only accepted ones are joined to predictions.

    `joined` of its `rows` had a prediction when they arrived; those were about what happened from
    `first_at` to `last_at` (both are `at` when none had one).
    """

    id: str
    endpoint: str
    source_ref: str
    state: LabelState
    rows: int
    joined: int
    at: int
    first_at: int
    last_at: int
    digest: str


def check_traffic(variants: Sequence[Variant], *, model: str) -> None:
    """Raise InvalidInput unless these variants can share an endpoint's traffic.

    Names differ; every version is of the endpoint's model; shares lie in [0, 1] and those of the
    variants that answer sum to 1; at least one of them is live.
    """
    twice = [name for name, times in Counter(v.name for v in variants).items() if times > 1]
    if twice:
        raise InvalidInput(
            f"Two variants are called {twice[0]!r}.", hint="Give each its own name.", names=twice
        )
    for variant in variants:
        _check_variant(variant, model=model)
    shares = {v.name: v.share for v in variants if v.answers}
    total = math.fsum(shares.values())
    if abs(total - 1) > SHARE_TOLERANCE:
        told = " + ".join(f"{name} {share:g}" for name, share in shares.items()) or "no variant"
        raise InvalidInput(
            f"Shares of the variants that answer must sum to 1, not {total:g} ({told}).",
            hint="Shadows do not count.",
            total=total,
            shares=shares,
        )
    if not any(v.role == "live" for v in variants):
        raise InvalidInput(
            "No variant is live.", hint="A canary needs a live variant beside it to return to."
        )


def _check_variant(variant: Variant, *, model: str) -> None:
    if not 0 <= variant.share <= 1:
        raise InvalidInput(
            f"The share of variant {variant.name!r} is {variant.share:g}.",
            hint="A share lies between 0 and 1.",
            share=variant.share,
        )
    if variant.version.partition("@")[0] != model:
        raise InvalidInput(
            f"Variant {variant.name!r} serves {variant.version!r}, the endpoint serves {model!r}.",
            hint=f"Name a version of it, like {model}@1.",
            version=variant.version,
            model=model,
        )
