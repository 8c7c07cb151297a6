"""The page of a model version."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from treadle.kernel.errors import Corrupt, NotFound, Unavailable
from treadle.server.ui.contexts import (
    CheckRow,
    DatasetUse,
    FieldRow,
    GateRow,
    ModelVersionContext,
    Seal,
    VersionFile,
)
from treadle.server.ui.formats import number
from treadle.server.ui.places import run_place
from treadle.server.ui.run_columns import HIDDEN_TAGS
from treadle.server.ui.run_page import dataset_uses
from treadle.server.ui.snippets import mlflow_snippet, snippets
from treadle.server.ui.story import story
from treadle.server.ui.widgets import Link, Page, Pair, Stat

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from starlette.requests import Request

    from treadle.app import App
    from treadle.governance.entities import GateReport, GateResult
    from treadle.registry.entities import ModelVersion
    from treadle.storage.events import Event
    from treadle.tracking.entities import Run

STATS = 4
FILES_SHOWN = 200
TAG_LENGTH = 200
# Reading more than this for a page would keep its reader waiting.
CHECKED_BYTES = 32 << 20
HISTORY = 12
EVENTS = 300
TOLD = ("model.version_registered", "model.alias_set", "model.alias_removed", "release.moved")


def gate_state(passed: bool | None) -> str:  # noqa: FBT001 - a verdict that may be missing
    """Say a gate verdict in one word."""
    return "unchecked" if passed is None else "passed" if passed else "refused"


def model_version_context(app: App, ref: str, *, request: Request) -> ModelVersionContext:
    """Return a model version: may it serve, why, what it takes, what it was made from."""
    version = app.registry.version(ref)
    run = _run(app, version)
    report = next(iter(app.governance.gate_reports(run.id)), None) if run else None
    datasets = dataset_uses(app, run.inputs) if run else ()
    size_bytes = sum(file.size_bytes for file in version.files)
    aliases = [a for a, n in app.registry.aliases(version.model).items() if n == version.number]
    return ModelVersionContext(
        page=_page(app, version, request=request),
        model=version.model,
        version=str(version.number),
        gate=gate_state(report.passed if report else None),
        stage="" if version.stage == "none" else version.stage,
        status="" if version.status == "ready" else version.status,
        status_message=version.status_message,
        description=version.description,
        tags=tag_pairs(version.tags),
        source="" if version.files else version.source,
        aliases=tuple(aliases),
        flavor=version.flavor,
        size_bytes=size_bytes,
        created_us=version.created_at,
        actor=version.actor,
        run=Link(run.name or run.id[:12], run_place(run.id)) if run else None,
        stats=_stats(run),
        gates=_gates(report, datasets),
        seal=_seal(app, version, size_bytes=size_bytes),
        inputs=tuple(FieldRow(f.name, f.type, "[n]") for f in version.signature.inputs),
        outputs=_outputs(version),
        datasets=datasets,
        files=tuple(
            VersionFile(file.path, file.size_bytes, file.digest)
            for file in version.files[:FILES_SHOWN]
        ),
        history=story(_history(app, version), replays=app.replays),
    )


def tag_pairs(tags: Mapping[str, str]) -> tuple[Pair, ...]:
    """Return tags that people set, by key."""
    own = ((key, text) for key, text in sorted(tags.items()) if not key.startswith(HIDDEN_TAGS))
    return tuple(Pair(key, text[:TAG_LENGTH]) for key, text in own)


def _outputs(version: ModelVersion) -> tuple[FieldRow, ...]:
    # Files that came from elsewhere do not always say what they answer.
    if version.signature.output == "unknown":
        return ()
    return (FieldRow(version.model, version.signature.output, "[n]"),)


def _page(app: App, version: ModelVersion, *, request: Request) -> Page:
    return Page(
        title=version.ref,
        nav="models",
        crumbs=(Link("Models", "/models"), Link(version.model, f"/models/{version.model}")),
        snippets=(
            *snippets(
                app.home,
                command=f"models show {version.ref} --json",
                python=f"model = client.registry.load({version.ref!r})\nmodel.predict(table)",
            ),
            mlflow_snippet(
                request,
                f"model = mlflow.pyfunc.load_model('models:/{version.model}/{version.number}')",
            ),
        ),
        live="model. gate. release.",
    )


def _run(app: App, version: ModelVersion) -> Run | None:
    if version.run_id is None:
        return None
    try:
        return app.tracking.run(version.run_id)
    except NotFound:  # registered with the id of a run that is not in this home
        return None


def _stats(run: Run | None) -> tuple[Stat, ...]:
    if run is None:
        return ()
    own = [key for key in run.metrics if "." not in key]
    return tuple(
        Stat(
            key,
            run.metrics[key],
            note=f"baseline {number(base)}"
            if (base := run.metrics.get(f"baseline.{key}")) is not None
            else "",
        )
        for key in own[:STATS]
    )


def _gates(report: GateReport | None, datasets: tuple[DatasetUse, ...]) -> tuple[GateRow, ...]:
    if report is None:
        return ()
    data = ", ".join(f"{use.name}@{use.version}" for use in datasets) or "no dataset was logged"
    return tuple(
        GateRow(
            name=result.gate,
            verdict=gate_state(result.passed),
            reason=result.message,
            judged_us=report.at,
            data=data,
            checks=tuple(_checks(result)),
        )
        for result in report.results
    )


def _checks(result: GateResult) -> Iterable[CheckRow]:
    evidence = result.evidence
    if result.gate == "leak":
        return [_probe(probe) for probe in evidence.get("probes", ())]
    if "metric" not in evidence:
        return []
    return [_bound(result, evidence)]


def _probe(probe: dict[str, Any]) -> CheckRow:
    return CheckRow(
        name=probe["name"],
        rule="AUC alone is plausible",
        champion=None,
        candidate=_float(probe["auc"]),
        difference=None,
        low=None,
        high=None,
        verdict={"leak": "refused", "suspect": "refused"}.get(probe["status"], "passed"),
        note=probe["reason"],
    )


def _bound(result: GateResult, evidence: dict[str, Any]) -> CheckRow:
    ours = _float(evidence.get("candidate", evidence.get("value")))
    other = _float(evidence.get("baseline"))
    limits = [f"{side} {evidence[side]:g}" for side in ("minimum", "maximum") if side in evidence]
    return CheckRow(
        name=str(evidence["metric"]),
        rule=", ".join(limits) or "better than the baseline",
        champion=other,
        candidate=ours,
        difference=ours - other if ours is not None and other is not None else None,
        low=None,
        high=None,
        verdict=gate_state(result.passed),
        note="against the baseline" if other is not None else "",
    )


def _float(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _seal(app: App, version: ModelVersion, *, size_bytes: int) -> Seal:
    state, note, checked = "verified", "the stored bytes are those that were signed", _now()
    if not version.files:
        state, note, checked = "unchecked", "a link: its files are not here", None
    elif size_bytes > CHECKED_BYTES:
        state, note, checked = "unchecked", "large: its bytes are checked when it is loaded", None
    else:
        try:
            app.registry.verify(version.ref)
        except (Corrupt, NotFound, Unavailable) as error:
            state, note = "broken", error.message
    return Seal(
        state=state, digest=version.digest, key=version.key_id, checked_us=checked, note=note
    )


def _now() -> int | None:
    return time.time_ns() // 1000


def _history(app: App, version: ModelVersion) -> list[Event]:
    subjects = [f"model/{version.model}", *(f"endpoint/{e.name}" for e in app.serving.endpoints())]
    found = app.log.newest(kinds=TOLD, subject=subjects, limit=EVENTS).items
    return [event for event in found if _concerns(event, version)][:HISTORY]


def _concerns(event: Event, version: ModelVersion) -> bool:
    facts = event.facts()
    if event.kind == "release.moved":
        return bool(facts["release"]["candidate"] == version.ref)
    numbers = (facts.get("number"), facts.get("previous"))
    return facts.get("name") == version.model and version.number in numbers
