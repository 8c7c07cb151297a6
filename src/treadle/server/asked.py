"""What a request asks for, checked: names it may use, numbers in their bounds, a JSON body."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec

from treadle.kernel.clock import parse_instant
from treadle.kernel.errors import InvalidInput, near_misses

if TYPE_CHECKING:
    from starlette.requests import Request

    from treadle.app import App

T = TypeVar("T")

LIMIT = 100
LIMIT_MOST = 1000
OFFSET_MOST = 10_000_000
BODY_MOST_BYTES = 32 << 20


def app_of(request: Request) -> App:
    """Return the services of the home this request is for."""
    # Who answers before the router, or for another home, has named it in the scope.
    app: App = request.scope.get("treadle") or request.app.state.treadle
    return app


class Asked:
    """The query of a request. Names it does not know raise InvalidInput with the near miss."""

    def __init__(self, request: Request, *names: str) -> None:
        self._given = request.query_params
        for name in self._given:
            if name not in names:
                close = near_misses(name, names)
                known = f"It knows: {', '.join(names)}." if names else "It takes none."
                raise InvalidInput(
                    f"{request.url.path} knows no argument {name[:100]!r}.",
                    hint=f"Did you mean {close[0]!r}?" if close else known,
                )

    def text(self, name: str) -> str | None:
        """Return a text, or None when it was not given or is empty."""
        return self._given.get(name) or None

    def instant(self, name: str) -> int | None:
        """Return an instant in µs, or None."""
        text = self.text(name)
        return None if text is None else parse_instant(text)

    def number(self, name: str, default: int, *, least: int, most: int) -> int:
        """Return a whole number within bounds, or the default."""
        text = self.text(name)
        if text is None:
            return default
        digits = text.removeprefix("-")
        value = int(text) if digits.isascii() and digits.isdigit() and len(digits) < 16 else None  # noqa: PLR2004 - more digits are no bound of ours
        if value is None or not least <= value <= most:
            raise InvalidInput(
                f"{name} is {text[:100]!r}.", hint=f"It is a whole number of {least} to {most}."
            )
        return value

    @property
    def limit(self) -> int:
        """How many rows at most."""
        return self.number("limit", LIMIT, least=1, most=LIMIT_MOST)

    @property
    def offset(self) -> int:
        """How many rows to leave out at the beginning."""
        return self.number("offset", 0, least=0, most=OFFSET_MOST)


def body_of(request: Request, raw: bytes, kind: type[T]) -> T:
    """Decode a JSON body. Raises InvalidInput naming the place that is wrong."""
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    # A form of another site can send text/plain without asking; it cannot send this.
    if media != "application/json":
        raise InvalidInput(
            f"The body is {media or 'of no type'}.", hint="Send content-type: application/json."
        )
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.DecodeError, RecursionError) as error:  # the latter: nested thousandfold
        raise InvalidInput(f"The body cannot be read: {error}.") from error


async def read_body(request: Request) -> bytes:
    """Read a body of bounded size."""
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > BODY_MOST_BYTES:
            raise InvalidInput(
                f"The body is larger than {BODY_MOST_BYTES >> 20} MB.", hint="Send it in pieces."
            )
        parts.append(part)
    return b"".join(parts)
