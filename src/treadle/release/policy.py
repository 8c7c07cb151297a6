"""The policy of an endpoint: gates, release, monitor and retrain rules as one TOML file."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Literal

import msgspec

from treadle.data.contracts import Role
from treadle.governance.entities import GateRules
from treadle.kernel.digests import digest_json
from treadle.kernel.errors import InvalidInput, near_misses
from treadle.monitoring.entities import MonitorRules

if TYPE_CHECKING:
    from pathlib import Path


MINIMUM_CLUSTERS = 5
"""Days are the clusters of a paired test; fewer have no honest error."""


class ContractRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The dataset that must keep its contract, and what its columns are.

    Roles: `id`, `time`, `target`, `sensitive`, `known_after` (known only after the prediction).
    """

    dataset: str = ""
    roles: dict[str, Role] = {}

    def column(self, role: str) -> str:
        """Return the column that has a role, or an empty text."""
        return next((name for name, found in self.roles.items() if found == role), "")


class LabelRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the truth comes from: a dataset whose versions are deliveries, and its columns.

    Each delivery is checked by the dataset's contract; while it has none, by one that is learned
    from the held-out labels of the version that serves.
    """

    dataset: str = ""
    key: str = "key"
    label: str = "label"


class ReleaseRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a candidate must prove itself.

    Shadow: after each of `looks` (whole days with labels, at least 5) and no sooner than
    `shadow_labels` labelled requests, one paired test on the days so far, clustered by day.
    `superiority` asks for a smaller loss by more than `margin`, `non_inferiority` for a loss at
    most `margin` larger. The looks share the error 1 - `level` evenly (Bonferroni): with two looks
    at 0.95 each is tested at 0.975. Proven at a look, the candidate moves on; proven worse, it is
    stopped; not proven at the last look, it is refused. Between the looks it is stopped as soon as
    an always-valid test at `level` proves it worse. Canary: at least `canary_requests` answers at
    `canary_share` (0 leaves the canary out), error rate at most `maximum_error_rate`, p95 latency
    at most `maximum_latency_ratio` times the champion's, if above `tolerated_latency_ms` at all.
    """

    test: Literal["superiority", "non_inferiority"] = "superiority"
    margin: float = 0.0
    level: float = 0.95
    looks: tuple[int, ...] = (14,)
    shadow_labels: int = 1000
    canary_share: float = 0.1
    canary_requests: int = 100
    maximum_error_rate: float = 0.01
    tolerated_latency_ms: float = 10.0
    maximum_latency_ratio: float = 3.0

    def __post_init__(self) -> None:
        if not 0 <= self.canary_share < 1:
            raise InvalidInput(
                f"canary_share must be at least 0 and below 1, not {self.canary_share}."
            )
        if not 0.5 < self.level < 1:  # noqa: PLR2004 - below a half is no confidence
            raise InvalidInput(f"level must lie between 0.5 and 1, not {self.level}.")
        if self.margin < 0:
            raise InvalidInput(f"margin must not be negative: {self.margin}.")
        if not self.looks or list(self.looks) != sorted(set(self.looks)):
            raise InvalidInput(f"looks must ascend, such as [14, 28], not {list(self.looks)}.")
        if self.looks[0] < MINIMUM_CLUSTERS:
            raise InvalidInput(
                f"The first of looks comes after {self.looks[0]} days.",
                hint=f"Fewer than {MINIMUM_CLUSTERS} days cannot be judged.",
            )

    @property
    def look_level(self) -> float:
        """The confidence asked for at each look, so that all together keep `level`."""
        return 1.0 - (1.0 - self.level) / len(self.looks)


class RetrainRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When to train a challenger: on an alert, and at least every so often; never sooner than the
    cool-down after the last one, and only with enough new accepted labels.
    """

    pipeline: str = ""
    on_alert: bool = True
    every_days: int = 28
    cooldown_days: int = 14
    minimum_labels: int = 1000


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All rules of one endpoint.

    `data` names the files that are committed before a run, by dataset, relative to the policy.
    """

    endpoint: str
    model: str
    data: dict[str, str] = {}
    contract: ContractRules = ContractRules()
    gates: GateRules = GateRules()
    labels: LabelRules = LabelRules()
    release: ReleaseRules = ReleaseRules()
    monitor: MonitorRules = MonitorRules()
    retrain: RetrainRules = RetrainRules()

    @property
    def digest(self) -> str:
        """Name this text of the policy: equal rules, equal digest."""
        return digest_json(self)


def read_policy(path: Path) -> Policy:
    """Read a policy file. Raises InvalidInput naming the file, the place and the near miss."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        names = [p.name for p in path.parent.glob("*.toml")] if path.parent.is_dir() else []
        close = near_misses(path.name, names)
        hint = f"Did you mean {close[0]}?" if close else "treadle init writes one."
        raise InvalidInput(f"No policy file {path}.", hint=hint) from error
    return parse_policy(text, name=str(path))


def parse_policy(text: str, *, name: str = "policy") -> Policy:
    """Read a policy from TOML text."""
    try:
        return msgspec.convert(tomllib.loads(text), Policy)
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput(f"{name} is not valid TOML: {error}.") from error
    except msgspec.ValidationError as error:
        raise InvalidInput(f"{name}: {_explained(str(error))}") from error
    except InvalidInput as error:  # a rule's own check
        raise InvalidInput(f"{name}: {error.message}", hint=error.hint) from error


def _explained(message: str) -> str:
    unknown = message.split("`")[1] if "unknown field" in message else ""
    close = near_misses(unknown, _all_fields()) if unknown else ()
    return f"{message}.{f' Did you mean {close[0]!r}?' if close else ''}"


def _all_fields() -> list[str]:
    kinds = (Policy, ContractRules, GateRules, LabelRules, ReleaseRules, MonitorRules, RetrainRules)
    return [name for kind in kinds for name in kind.__struct_fields__]
