"""What may be in an evaluation dataset: names, tags, records, and how much of them.

Where a genuine MLflow server sets a limit it is that one; the others keep a request bounded.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, get_args

import msgspec

from treadle.evaluation.entities import RecordDraft, RecordSource, SourceType
from treadle.kernel.errors import InvalidInput
from treadle.tracking.rules import check_text, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

NAME_LENGTH = 255
TAG_KEY_LENGTH = 255
TAG_LENGTH = 5000
TAGS_MOST = 1000
EXPERIMENTS_MOST = 1000
EXPERIMENT_ID_LENGTH = 36
BATCH_MOST = 100_000
RECORD_MOST_BYTES = 4 << 20
FIELDS_MOST = 10_000
SCHEMA_MOST_BYTES = 512 << 10
PAGE_MOST = 50_000
SOURCE_TYPES: tuple[SourceType, ...] = get_args(SourceType)

_ID = re.compile(r"d-[0-9a-f]{32}")


def is_dataset_id(text: str) -> bool:
    """Say whether a text has the form of an evaluation dataset's id; a name cannot stand for it."""
    return _ID.fullmatch(text) is not None


def check_name(name: str) -> str:
    """Return the name of an evaluation dataset, or raise InvalidInput."""
    if not 1 <= len(name) <= NAME_LENGTH:
        raise InvalidInput(
            f"{shown(name)} cannot name an evaluation dataset.",
            hint=f"Use 1 to {NAME_LENGTH} characters.",
        )
    return check_text(name, what="The name of an evaluation dataset")


def check_tags(tags: Mapping[str, object]) -> dict[str, str]:
    """Return tags as text; one without a value is left out."""
    if len(tags) > TAGS_MOST:
        raise InvalidInput(f"{len(tags)} tags at once are more than {TAGS_MOST}.")
    return {_key(k): _tag(k, v) for k, v in tags.items() if v is not None}


def check_experiment_ids(experiment_ids: Iterable[str]) -> tuple[str, ...]:
    """Return ids of experiments, each once."""
    found = tuple(dict.fromkeys(experiment_ids))
    if len(found) > EXPERIMENTS_MOST:
        raise InvalidInput(f"{len(found)} experiments at once are more than {EXPERIMENTS_MOST}.")
    for each in found:
        if not 1 <= len(each) <= EXPERIMENT_ID_LENGTH:
            raise InvalidInput(f"{shown(each)} is no id of an experiment.")
        check_text(each, what="The id of an experiment")
    return found


def check_batch(given: Iterable[object], *, what: str) -> list[Any]:
    """Return what comes at once as a list that is not too long."""
    found = list(given)
    if len(found) > BATCH_MOST:
        raise InvalidInput(
            f"{len(found):,} {what} at once are more than {BATCH_MOST:,}.",
            hint="Send them in pieces.",
        )
    return found


def draft_of(given: object, *, at: int) -> RecordDraft:
    """Return a record that was handed in as plain values. Raises InvalidInput naming its place."""
    if not isinstance(given, dict):
        raise _wrong(at, "is no object", "Write {'inputs': {…}, 'expectations': {…}}.")
    source = given.get("source")
    return RecordDraft(
        inputs=_object(given.get("inputs", {}), "inputs", at=at),
        outputs=given.get("outputs", msgspec.UNSET),
        expectations=None
        if given.get("expectations") is None
        else _object(given["expectations"], "expectations", at=at),
        tags=_object(given.get("tags") or {}, "tags", at=at),
        source=source_of(source, at=at) if source else None,
    )


def source_of(given: object, *, at: int) -> RecordSource:
    """Return where a record comes from. Raises InvalidInput."""
    if isinstance(given, RecordSource):
        return given
    found = _object(given, "source", at=at)
    if not {"source_type"} <= found.keys() <= {"source_type", "source_data"}:
        raise _wrong(at, "has a source that is none", "It has source_type and source_data.")
    kind = str(found["source_type"]).lower()
    if kind not in SOURCE_TYPES:
        valid = [each.upper() for each in SOURCE_TYPES]
        raise InvalidInput(
            f"Invalid dataset record source type: {shown(kind.upper())[1:-1]}. "
            f"Valid source types: {valid}"
        )
    data = _object(found.get("source_data") or {}, "source_data", at=at)
    source = RecordSource(type=kind, data=data)
    if source.id is not None:
        check_text(source.id, what=f"The source of record {at}")
    return source


def json_text(value: Any, *, sort_keys: bool = False) -> str:
    """Return a value as JSON in its own order, in ASCII, so that every store can hold it.

    Raises InvalidInput for what is no JSON. NaN is, as Python and MLflow's clients have it.
    """
    try:
        return json.dumps(value, sort_keys=sort_keys)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInput(
            f"A record cannot be written as JSON: {error}.",
            hint="Use texts, numbers, true, false, null, lists and dictionaries with text keys.",
        ) from error


def kind_of(value: object) -> str:
    """Return what kind a field is of, in the words of MLflow."""
    for kinds, word in _KINDS:
        if isinstance(value, kinds):
            return word
    return "unknown"


_KINDS: tuple[tuple[type, str], ...] = (
    (type(None), "null"),
    (bool, "boolean"),
    (int, "integer"),
    (float, "float"),
    (str, "string"),
    (list, "array"),
    (dict, "object"),
)


def _object(value: object, what: str, *, at: int) -> dict[str, Any]:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise _wrong(at, f"has {what} that are no object", "Write {'question': 'why?'}.")
    return value


def _wrong(at: int, what: str, hint: str) -> InvalidInput:
    return InvalidInput(f"Record {at} {what}.", hint=hint, record=at)


def _key(key: object) -> str:
    text = check_text(str(key), what="The key of a tag")
    if len(text) > TAG_KEY_LENGTH:
        raise InvalidInput(
            f"{shown(text)} cannot be a tag.", hint=f"Use up to {TAG_KEY_LENGTH} characters."
        )
    return text


def _tag(key: str, value: object) -> str:
    text = check_text(str(value), what=f"The value of tag {shown(str(key))}")
    if len(text) > TAG_LENGTH:
        raise InvalidInput(
            f"The value of tag {shown(str(key))} has {len(text)} characters; "
            f"the limit is {TAG_LENGTH}."
        )
    return text
