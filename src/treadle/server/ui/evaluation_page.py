"""The page of an evaluation dataset."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

from treadle.kernel.ids import is_id
from treadle.server.ui.contexts import EvaluationContext, FreezeRow, RecordRow, SchemaRow
from treadle.server.ui.places import asking, dataset_version_place, evaluation_place
from treadle.server.ui.snippets import mlflow_snippet, snippets
from treadle.server.ui.widgets import Link, Notice, Page, Pair, Stat
from treadle.tracking.service.experiments import DEFAULT_ID

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from starlette.requests import Request

    from treadle.app import App
    from treadle.evaluation.entities import EvaluationDataset, EvaluationRecord
    from treadle.server.ui.widgets import Pager

# How much of a record's parts is shown: a hundred of them fit a page's budget.
INPUTS_LENGTH = 240
PART_LENGTH = 120
FIELDS = 100
FREEZES = 20
TAGS = 12
EXPERIMENTS = 12
NAMES_MOST = 200


def evaluation_context(
    app: App,
    request: Request,
    found: EvaluationDataset,
    *,
    records: tuple[EvaluationRecord, ...],
    pager: Pager,
) -> EvaluationContext:
    """Return an evaluation dataset with a page of its records."""
    frozen = app.evaluation.freezes(found.id)
    fields = _fields(found.schema or {})
    return EvaluationContext(
        page=_page(app, request, found),
        name=found.name,
        id=found.id,
        digest=found.digest,
        stats=(
            Stat("Records", found.records or 0),
            Stat("Fields", len(fields)),
            Stat("Frozen", len(frozen), note="states"),
            Stat("Made by", found.created_by),
            Stat("Last by", found.updated_by),
        ),
        tags=tags_of(found, most=TAGS),
        experiments=experiments_of(found, experiment_names(app, [found])),
        records=tuple(_record(record) for record in records),
        pager=pager,
        schema=tuple(fields[:FIELDS]),
        schema_note=f"{len(fields) - FIELDS:,} more" if len(fields) > FIELDS else "",
        freezes=tuple(
            FreezeRow(Link(f.version, dataset_version_place(f.version)), f.digest, f.records, f.at)
            for f in frozen[:FREEZES]
        ),
        freeze_command=f"treadle evaluation freeze {found.id} --dataset NAME",
        notice=None if records or found.records else _nothing(),
    )


def tags_of(found: EvaluationDataset, *, most: int) -> tuple[Pair, ...]:
    """Return tags as they are shown: the first of them, shortened."""
    shown = sorted(found.tags.items())[:most]
    return tuple(Pair(_cut(key, 40), _cut(value, 60)) for key, value in shown)


def experiment_names(app: App, found: Iterable[EvaluationDataset]) -> dict[str, str]:
    """Return the names of the experiments that evaluation datasets are in, as far as they are."""
    ids = dict.fromkeys(each for one in found for each in one.experiment_ids[:EXPERIMENTS])
    asked = [each for each in ids if each == DEFAULT_ID or is_id(each)][:NAMES_MOST]
    if not asked:
        return {}
    where = f"id IN ({', '.join(repr(each) for each in asked)})"
    page = app.tracking.search_experiments(where=where, view="all", limit=NAMES_MOST)
    return {each.id: each.name for each in page.items}


def experiments_of(
    found: EvaluationDataset, names: Mapping[str, str], *, most: int = EXPERIMENTS
) -> tuple[Link, ...]:
    """Return links to the experiments it is in; one that is not there is called by its id."""
    return tuple(
        Link(_cut(names[each], 60), asking("/runs", {"experiment": names[each]}))
        if each in names
        else Link(each, "/experiments")
        for each in found.experiment_ids[:most]
    )


def _page(app: App, request: Request, found: EvaluationDataset) -> Page:
    own = snippets(
        app.home,
        command=f"evaluation show {shlex.quote(found.id)} --json",
        python=f"records = client.evaluation.records({found.id!r}).records",
    )
    theirs = mlflow_snippet(
        request,
        f"dataset = mlflow.genai.datasets.get_dataset(dataset_id={found.id!r})\n"
        "records = dataset.to_df()",
    )
    return Page(
        title=_cut(found.name, 80),
        nav="data",
        crumbs=(Link("Data", "/data"), Link("Evaluation", evaluation_place())),
        snippets=(*own, theirs),
        live="evaluation.",
    )


def _fields(schema: dict[str, Any]) -> list[SchemaRow]:
    rows = []
    for part in ("inputs", "expectations", "outputs"):
        fields = schema.get(part, {})
        if isinstance(fields, str):  # one value, no fields
            fields = {"": fields}
        rows += [SchemaRow(part, _cut(name, 80), kind) for name, kind in fields.items()]
    return rows


def _record(record: EvaluationRecord) -> RecordRow:
    source = record.source
    return RecordRow(
        id=record.id,
        inputs=_json(record.inputs, INPUTS_LENGTH),
        expectations=_json(record.expectations or None, PART_LENGTH),
        outputs=_json(None if record.outputs == {} else record.outputs, PART_LENGTH),
        source=_cut(" ".join(filter(None, (source.type, source.id))), 60) if source else "",
        updated_us=record.updated_at,
    )


def _json(value: object, length: int) -> str:
    return "" if value is None else _cut(json.dumps(value, ensure_ascii=False), length)


def _cut(text: str, length: int) -> str:
    # What JSON may hold and UTF-8 may not (half a surrogate pair) is shown as a question mark.
    whole = text[: length + 1].encode("utf-8", "replace").decode()
    return whole if len(whole) <= length else whole[: length - 1] + "…"


def _nothing() -> Notice:
    return Notice(
        "empty",
        "No records yet",
        "A record is what is asked and what is expected; the same inputs again add to it.",
        'dataset.merge_records([{"inputs": {"q": "why?"}, "expectations": {"a": "so"}}])',
    )
