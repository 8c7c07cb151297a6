"""Versions of a model side by side: what each takes, how good it was, what it was made from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treadle.kernel.errors import NotFound, TreadleError
from treadle.server.ui.compare_page import origin_place, origins
from treadle.server.ui.contexts import ComparedGroup, ComparedRun, ModelCompareContext
from treadle.server.ui.formats import short, size
from treadle.server.ui.model_page import gate_state
from treadle.server.ui.places import (
    asking,
    model_place,
    version_compare_place,
    version_place,
)
from treadle.server.ui.run_columns import HIDDEN_TAGS, SYSTEM, param_cell
from treadle.server.ui.side_by_side import filled, group
from treadle.server.ui.snippets import snippets
from treadle.server.ui.widgets import Link, Notice, Page

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treadle.app import App
    from treadle.registry.entities import ModelVersion
    from treadle.server.ui.run_columns import Cell
    from treadle.tracking.entities import Run

MOST = 20
FILES = 200


def model_compare_context(app: App, name: str, *, asked: str) -> ModelCompareContext:
    """Return versions of a model side by side; `asked` is numbers or aliases, by commas."""
    wanted = list(dict.fromkeys(part.strip() for part in asked.split(",") if part.strip()))
    versions, missing = _found(app, name, wanted[:MOST])
    numbers = [version.number for version in versions]
    return ModelCompareContext(
        page=Page(
            title=f"{name}, side by side",
            nav="models",
            crumbs=(Link("Models", "/models"), Link(name, model_place(name))),
            snippets=snippets(
                app.home,
                command=f"models show {name}@{numbers[0] if numbers else 'latest'} --json",
                python=f"versions = [client.registry.numbered({name!r}, n) for n in {numbers}]",
            ),
        ),
        name=name,
        versions=tuple(
            _column(app, version, at, versions=versions) for at, version in enumerate(versions, 1)
        ),
        groups=_groups(app, versions) if len(versions) > 1 else (),
        back=model_place(name),
        notice=_notice(wanted, versions, missing=missing),
    )


def _found(
    app: App, name: str, wanted: Sequence[str]
) -> tuple[tuple[ModelVersion, ...], list[str]]:
    app.registry.model(name)
    found: dict[int, ModelVersion] = {}
    missing: list[str] = []
    for each in wanted:
        try:
            version = app.registry.version(f"{name}@{each}")
        except TreadleError as error:
            missing.append(error.message)
        else:
            found[version.number] = version
    return tuple(found.values()), missing


def _column(
    app: App, version: ModelVersion, at: int, *, versions: Sequence[ModelVersion]
) -> ComparedRun:
    others = [str(other.number) for other in versions if other.number != version.number]
    run = _run_of(app, version)
    return ComparedRun(
        number=at,
        id=version.id,
        name=version.ref,
        href=version_place(version.ref),
        experiment=run.experiment if run else "",
        status=version.status if version.status != "ready" else _verdict(app, version),
        started_us=version.created_at,
        duration_us=None,
        without=asking(version_compare_place(version.model), {"versions": ",".join(others)}),
    )


def _groups(app: App, versions: Sequence[ModelVersion]) -> tuple[ComparedGroup, ...]:
    runs = [_run_of(app, version) for version in versions]
    return filled(
        (
            group("About", [_about(app, version) for version in versions]),
            group("Signature", [_signature(version) for version in versions]),
            group("Metrics", [_metrics(run) for run in runs]),
            group("Params", [_params(run) for run in runs]),
            group("Gates", [_gates(app, version) for version in versions]),
            group(
                "Made from",
                [origins(run) if run else {} for run in runs],
                place=origin_place,
            ),
            group("Tags", [_tags(version) for version in versions]),
            group("Files", [_files(version) for version in versions]),
        )
    )


def _about(app: App, version: ModelVersion) -> dict[str, Cell]:
    aliases = app.registry.aliases(version.model)
    pointing = sorted(alias for alias, number in aliases.items() if number == version.number)
    said = {
        "flavor": version.flavor,
        "size": size(sum(file.size_bytes for file in version.files)) if version.files else "a link",
        "stage": "" if version.stage == "none" else version.stage,
        "aliases": ", ".join(pointing),
        "description": version.description[:200],
        "by": version.actor,
    }
    return {key: text for key, text in said.items() if text}


def _signature(version: ModelVersion) -> dict[str, Cell]:
    inputs: dict[str, Cell] = {field.name: field.type for field in version.signature.inputs}
    return {**inputs, "→ answer": version.signature.output}


def _metrics(run: Run | None) -> dict[str, Cell]:
    found = run.metrics if run else {}
    return {key: value for key, value in found.items() if not key.startswith(SYSTEM)}


def _params(run: Run | None) -> dict[str, Cell]:
    return {key: param_cell(text) for key, text in run.params.items()} if run else {}


def _gates(app: App, version: ModelVersion) -> dict[str, Cell]:
    if version.run_id is None:
        return {}
    report = next(iter(app.governance.gate_reports(version.run_id)), None)
    if report is None:
        return {}
    return {each.gate: f"{gate_state(each.passed)}: {each.message}" for each in report.results}


def _verdict(app: App, version: ModelVersion) -> str:
    verdicts = app.governance.gate_verdicts([version.run_id]) if version.run_id else {}
    return gate_state(verdicts.get(version.run_id or ""))


def _tags(version: ModelVersion) -> dict[str, Cell]:
    return {k: text[:200] for k, text in version.tags.items() if not k.startswith(HIDDEN_TAGS)}


def _files(version: ModelVersion) -> dict[str, Cell]:
    return {file.path: short(file.digest) for file in version.files[:FILES]}


def _run_of(app: App, version: ModelVersion) -> Run | None:
    if version.run_id is None:
        return None
    try:
        return app.tracking.run(version.run_id)
    except NotFound:  # registered with the id of a run that is not in this home
        return None


def _notice(
    wanted: Sequence[str], versions: Sequence[ModelVersion], *, missing: Sequence[str]
) -> Notice | None:
    if len(wanted) > MOST:
        return Notice("too_many", f"The first {MOST} of {len(wanted)} versions are compared")
    if missing:
        return Notice("error", "Not every version can be compared", " ".join(missing[:3]))
    if len(versions) < 2:  # noqa: PLR2004 - one is nothing to compare with
        return Notice(
            "empty",
            "Select two versions or more",
            "Tick them on the page of the model; or ask for ?versions=3,4 or ?versions=3,champion.",
        )
    return None
