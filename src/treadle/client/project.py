"""A project folder: its policy, its pipeline, and one run from raw files to a released version."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from treadle.data.entities import DatasetVersion, Validation
from treadle.execution.targets import resolve
from treadle.kernel.errors import ContractBroken, InvalidInput, Refused
from treadle.pipelines import Pipeline
from treadle.pipelines.entities import PipelineRun
from treadle.release.entities import Release
from treadle.release.loop import Made
from treadle.release.policy import Policy, read_policy
from treadle.release.trained import Trained

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from treadle.client import Client
    from treadle.pipelines.entities import StepRun
    from treadle.registry.entities import ModelVersion
    from treadle.release.entities import Decision

POLICY_FILE = "policy.toml"
REASONS_SHOWN = 5
LOOKED_BACK = 100
"""Versions among which one of the same data, code and params is looked for."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What one run of a project came to.

    `is_new` is False when data, code and params were those of a version that is there already:
    nothing was registered then, `made` is that version and `release` its last one. `release` may be
    another's that is under way, for which `made` has to wait.
    """

    data: tuple[DatasetVersion, ...]
    contract: Validation | None
    pipeline: PipelineRun
    made: Made
    release: Release | None
    is_new: bool = True


class Project:
    """A folder with `policy.toml` and the pipeline that it names."""

    def __init__(self, folder: Path, *, client: Client) -> None:
        self.folder = folder.resolve()
        self.policy: Policy = read_policy(self.folder / POLICY_FILE)
        self._client = client

    def commit(self) -> tuple[DatasetVersion, ...]:
        """Commit the files that the policy names; unchanged files make no new version."""
        return tuple(
            self._client.data.commit(name, self.folder / path)
            for name, path in self.policy.data.items()
        )

    def check(self, ref: str | None = None) -> Validation | None:
        """Check the contract; the first time it is inferred from the data and stored.

        `ref` is the version to check, by default the newest. One that fails goes into quarantine,
        so that mended data takes its place. Raises ContractBroken naming what failed.
        """
        rules = self.policy.contract
        if not rules.dataset:
            return None
        data = self._client.data
        if data.contract(rules.dataset) is None:
            data.infer_contract(rules.dataset, roles=rules.roles)
        verdict = data.validate(ref or rules.dataset)
        if verdict.verdict == "fail":
            reasons = [c.message for c in verdict.broken()]
            reason = f"breaks its contract: {'; '.join(reasons[:REASONS_SHOWN])}"
            data.quarantine(verdict.dataset_ref, reason=reason, evidence={"failed": reasons})
            raise ContractBroken(
                f"{verdict.dataset_ref} {reason}.",
                hint=_decide(verdict.dataset_ref),
                checks=len(reasons),
            )
        return verdict

    def train(
        self,
        params: Mapping[str, object] | None = None,
        *,
        on_step: Callable[[StepRun], None] | None = None,
    ) -> tuple[PipelineRun, Trained]:
        """Run the training pipeline; finished steps come from the cache."""
        pipeline = self._pipeline()
        run = self._client.pipelines.run(pipeline, params=dict(params or {}), on_step=on_step)
        trained = self._client.pipelines.value(run)
        if not isinstance(trained, Trained):
            raise InvalidInput(
                f"The pipeline {run.name!r} returned {type(trained).__name__}.",
                hint="Its last step must return treadle.Trained(model=…, example=…, metrics=…).",
            )
        return run, trained

    def run(
        self,
        params: Mapping[str, object] | None = None,
        *,
        why: str = "treadle run",
        on_step: Callable[[StepRun], None] | None = None,
    ) -> Outcome:
        """Commit, check, train, judge, register and release, as the policy says."""
        self._client.loop.start(self.policy)
        data = self.commit()
        for version in data:
            self._require_read(version)
        refs = {version.dataset: version.ref for version in data}
        contract = self.check(refs.get(self.policy.contract.dataset))
        run, trained = self.train(params, on_step=on_step)
        known = self._made_before(run)
        made = known or self._client.loop.candidate(self.policy, trained, name=why, origin=run)
        return Outcome(
            data=data,
            contract=contract,
            pipeline=run,
            made=made,
            release=self._released(made.version, why=why) if made.version else None,
            is_new=known is None,
        )

    def retrain(self, policy: Policy, decision: Decision) -> Made:
        """Train a challenger because the policy decided so."""
        run, trained = self.train()
        return self._client.loop.candidate(policy, trained, name=decision.reason, origin=run)

    def _require_read(self, version: DatasetVersion) -> None:
        """Raise Refused when the pipeline would pass over the file's version, as one held back.

        A version with the content of one that is held back is held back, too.
        """
        for held in self._client.data.decided_on(version.ref):
            if held.state != "released":
                same = (
                    "" if held.ref == version.ref else f"{version.ref} is the same as {held.ref}. "
                )
                raise Refused(
                    f"{same}{held.ref} is {held.state}: {held.reason}.", hint=_decide(held.ref)
                )

    def _made_before(self, run: PipelineRun) -> Made | None:
        """Return the version that the same data, code and params have made, if there is one."""
        models = {model.name for model in self._client.registry.models()}
        if self.policy.model not in models or not all(step.cached for step in run.steps):
            return None
        keys = _keys(run)
        for version in self._client.registry.versions(self.policy.model)[:LOOKED_BACK]:
            origin = self._origin(version)
            if version.run_id and origin is not None and _keys(origin) == keys:
                report = self._client.governance.gate_reports(version.run_id)[0]
                return Made(run_id=version.run_id, report=report, version=version.ref)
        return None

    def _origin(self, version: ModelVersion) -> PipelineRun | None:
        parent = self._client.tracking.run(version.run_id).parent_id if version.run_id else None
        return self._client.pipelines.of_run(parent) if parent else None

    def _released(self, version: str, *, why: str) -> Release | None:
        """Propose a version that was never proposed, unless another one is under way."""
        releases, endpoint = self._client.releases, self.policy.endpoint
        if releases.champion(endpoint) == version:
            return None
        past = releases.releases(endpoint, limit=LOOKED_BACK)
        own = next((r for r in past if r.candidate == version), None)
        return (
            own
            or releases.current(endpoint)
            or self._client.loop.propose(self.policy, version, why=why)
        )

    def _pipeline(self) -> Pipeline[...]:
        where, _, name = self.policy.retrain.pipeline.rpartition(":")
        if not where:
            raise InvalidInput(
                f"{POLICY_FILE} names no pipeline.",
                hint='Write it like: [retrain] pipeline = "pipeline.py:train"',
            )
        path = self.folder / where if where.endswith(".py") else where
        found = resolve(f"{path}:{name}")
        if not isinstance(found, Pipeline):
            raise InvalidInput(
                f"{name} in {where} is no pipeline but {type(found).__name__}.",
                hint="Write @pipeline above the function that wires the steps.",
            )
        return found


def _keys(run: PipelineRun) -> dict[str, str]:
    return {step.step: step.key for step in run.steps}


def _decide(ref: str) -> str:
    return (
        f"Mend the data and run again; or accept it: treadle data infer {ref}, and then "
        f"treadle data quarantines release {ref}"
    )


def find_project(start: Path) -> Path:
    """Return the nearest folder upwards that has a policy file. Raises InvalidInput."""
    for folder in (start.resolve(), *start.resolve().parents):
        if (folder / POLICY_FILE).is_file():
            return folder
    raise InvalidInput(
        f"No {POLICY_FILE} in {start.resolve()} or above.",
        hint="Make a project: treadle init my-project --from data.csv --target y",
    )
