"""Walking a graph: begin each step when its inputs are known, skip it when its result is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

from treadle.data.entities import DatasetVersion
from treadle.kernel.digests import digest_json
from treadle.pipelines.entities import (
    Binding,
    FromDataset,
    FromStep,
    Named,
    OutputRef,
    Several,
    StepInput,
    StepRun,
    Stored,
)
from treadle.pipelines.graph import Graph, Node, sources, sources_of
from treadle.pipelines.work import Performed, Task

if TYPE_CHECKING:
    from collections.abc import Mapping

    from treadle.pipelines.hands import Ended, Hands

# Part of every key: another number makes every step run anew, as a new way to store values must.
FORMAT = 1


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A graph with all that is fixed before it is walked."""

    graph: Graph
    versions: dict[str, DatasetVersion]
    codes: dict[str, str]

    def stored(self, source: FromDataset) -> Stored:
        """Return the table of the dataset version that a reference means in this run."""
        version = self.versions[source.ref]
        return Stored("table" if version.tree else "parquet", version.table)


class Ledger(Protocol):
    """Keeps what happens; each call is one transaction."""

    def known(self, key: str) -> Performed | None:
        """Return what a step with this key returned before, if all of it is still there."""
        ...

    def begun(self, step: StepRun) -> None:
        """Note that a step is being executed."""
        ...

    def over(self, step: StepRun) -> None:
        """Note what became of a step."""
        ...


class Walk:
    """One walk through a plan. It ends at the first step that fails."""

    def __init__(
        self, plan: Plan, *, run_id: str, ledger: Ledger, hands: Hands, force: bool
    ) -> None:
        self._plan = plan
        self._run_id = run_id
        self._ledger = ledger
        self._hands = hands
        self._force = force
        self._waiting = {node.name: node for node in plan.graph.nodes}
        self._begun: dict[str, tuple[Node, StepRun]] = {}
        self._outputs: dict[str, tuple[OutputRef, ...]] = {}
        self.failed: Ended | None = None

    def go(self) -> None:
        """Walk to the end, or to the first failure."""
        try:
            while self._waiting or self._begun:
                self._begin_ready()
                for end in self._hands.ended():
                    self._end(end)
                if self.failed is not None:
                    return
        finally:
            self._hands.let_go()

    def _begin_ready(self) -> None:
        for node in list(self._waiting.values()):
            if len(self._begun) >= self._hands.capacity:
                return
            if all(s.step in self._outputs for s in sources(node) if isinstance(s, FromStep)):
                del self._waiting[node.name]
                self._begin(node)

    def _begin(self, node: Node) -> None:
        arguments = {name: self._known(bound) for name, bound in node.arguments.items()}
        key = self._key(node, arguments)
        step = StepRun(step=node.name, key=key, inputs=self._inputs(node))
        reusable = node.step.cache and not self._force
        known = self._ledger.known(key) if reusable else None
        if known is not None:
            self._outputs[node.name] = known.outputs
            self._ledger.over(_done(step, known, cached=True))
            return
        task = Task(
            name=node.name,
            code=self._plan.codes[node.name],
            outputs=node.step.outputs,
            arguments=arguments,
            run_id=self._run_id,
        )
        job_id = self._hands.begin(task, node.step, key=key if reusable else None)
        step = msgspec.structs.replace(step, state="running", job_id=job_id)
        self._begun[node.name] = node, step
        self._ledger.begun(step)

    def _end(self, end: Ended) -> None:
        _, step = self._begun.pop(end.name)
        step = msgspec.structs.replace(step, job_id=end.job_id)
        if end.performed is None:
            self.failed = end
            self._ledger.over(msgspec.structs.replace(step, state="failed", error=end.error))
            return
        self._outputs[end.name] = end.performed.outputs
        self._ledger.over(_done(step, end.performed, cached=False))

    def _key(self, node: Node, arguments: Mapping[str, Binding]) -> str:
        return digest_json(
            {
                "format": FORMAT,
                "code": self._plan.codes[node.name],
                "version": node.step.version,
                "outputs": node.step.outputs,
                "arguments": arguments,
            }
        )

    def _known(self, bound: Binding) -> Binding:
        match bound:
            case FromDataset():
                return self._plan.stored(bound)
            case FromStep():
                return stored_output(self._outputs[bound.step], bound)
            case Several(items=items):
                return Several(tuple(self._known(item) for item in items))
            case Named(items=named):
                return Named({key: self._known(item) for key, item in named.items()})
        return bound

    def _inputs(self, node: Node) -> tuple[StepInput, ...]:
        return inputs_of(node, self._plan, outputs=self._outputs)


def inputs_of(
    node: Node, plan: Plan, *, outputs: Mapping[str, tuple[OutputRef, ...]]
) -> tuple[StepInput, ...]:
    """Say what a node takes; the digests of steps that are not done yet stay empty."""
    found: list[StepInput] = []
    for name, bound in node.arguments.items():
        for source in sources_of(bound):
            if isinstance(source, FromDataset):
                version = plan.versions[source.ref]
                found.append(
                    StepInput(name=name, kind="dataset", ref=version.ref, digest=version.table)
                )
            else:
                made = outputs.get(source.step)
                digest = stored_output(made, source).digest if made else ""
                found.append(StepInput(name=name, kind="step", ref=source.ref, digest=digest))
    return tuple(found)


def stored_output(outputs: tuple[OutputRef, ...], source: FromStep) -> Stored:
    """Return where the output of a step that a reference means is stored."""
    found = next(output for output in outputs if output.name == source.output)
    return Stored(found.kind, found.digest)


def _done(step: StepRun, performed: Performed, *, cached: bool) -> StepRun:
    return msgspec.structs.replace(
        step,
        state="done",
        cached=cached,
        outputs=performed.outputs,
        seconds=performed.seconds,
    )
