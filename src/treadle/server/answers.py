"""Values as JSON answers, and the one shape of an error in the JSON API."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.responses import Response

_ENCODE = msgspec.json.Encoder().encode


class ErrorBody(msgspec.Struct, frozen=True, kw_only=True):
    """What a program is told about an error; `code` is stable, the texts are for people."""

    code: str
    message: str
    hint: str = ""


def json_answer(value: Any, *, status: int = 200) -> Response:
    """Encode a value as JSON; what JSON has no word for (NaN) becomes null."""
    return Response(
        _ENCODE(value),
        status_code=status,
        media_type="application/json",
        headers={"Cache-Control": "no-store"},
    )
