"""Our errors in MLflow's words: one mapping to `{"error_code": …, "message": …}` and a status."""

from __future__ import annotations

import msgspec

from treadle.kernel.errors import (
    Conflict,
    Corrupt,
    InvalidInput,
    NotFound,
    Refused,
    TreadleError,
    Unavailable,
)

INVALID = "INVALID_PARAMETER_VALUE"
ABSENT = "RESOURCE_DOES_NOT_EXIST"
TAKEN = "RESOURCE_ALREADY_EXISTS"
NOWHERE = "ENDPOINT_NOT_FOUND"
BUG = "INTERNAL_ERROR"
STATUS = {
    INVALID: 400,
    TAKEN: 400,
    "BAD_REQUEST": 400,
    "INVALID_STATE": 500,
    "PERMISSION_DENIED": 403,
    ABSENT: 404,
    NOWHERE: 404,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "RESOURCE_CONFLICT": 409,
    "RESOURCE_EXHAUSTED": 429,
    BUG: 500,
    "NOT_IMPLEMENTED": 501,
    "TEMPORARILY_UNAVAILABLE": 503,
}
_CODES: tuple[tuple[type[TreadleError], str], ...] = (
    (InvalidInput, INVALID),
    (NotFound, ABSENT),
    (Conflict, TAKEN),
    (Refused, "PERMISSION_DENIED"),
    (Unavailable, "TEMPORARILY_UNAVAILABLE"),
    (Corrupt, "DATA_LOSS"),
)


class ErrorBody(msgspec.Struct, frozen=True):
    """What MLflow's client reads of an error."""

    error_code: str
    message: str


class WireError(Exception):
    """A limit or a form of MLflow's wire is broken; `code` is one of theirs."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def worded(error: TreadleError) -> ErrorBody:
    """Return an error as the genuine server would say it, where it has words for it."""
    said = _wording(error)
    if said is not None:
        return said
    code = next((code for kind, code in _CODES if isinstance(error, kind)), BUG)
    return ErrorBody(error_code=code, message=str(error))


def status_of(code: str) -> int:
    """Return the HTTP status that goes with an error code."""
    return STATUS.get(code, 500)


def _wording(error: TreadleError) -> ErrorBody | None:
    data = error.data
    if isinstance(error, NotFound):
        wording = _ABSENT.get(str(data["kind"]))
        return ErrorBody(ABSENT, wording.format(data["name"])) if wording else None
    if not isinstance(error, Conflict):
        return None
    if "changed" in data:
        return ErrorBody(
            INVALID,
            "Changing param values is not allowed. Params were already "
            f"logged='{data['changed']}' for run ID='{data['run']}'.",
        )
    if "name" in data and "experiment" in data:
        more = " and is deleted" if data.get("lifecycle_stage") == "deleted" else ""
        taken = f"Experiment(name={data['name']}) already exists{more}. {error.hint}"
        return ErrorBody(TAKEN, taken.strip())
    what = next((kind for kind in ("run", "experiment") if kind in data), None)
    if what and data.get("lifecycle_stage") == "deleted":
        return ErrorBody(
            INVALID,
            f"The {what} {data[what]} must be in the 'active' state. Current state is deleted.",
        )
    return None


_ABSENT = {
    "run": "Run with id={} not found",
    "experiment": "No Experiment with id={} exists",
    "logged_model": "Logged model with ID '{}' not found.",
    "trace": "Trace with ID '{}' not found.",
}
