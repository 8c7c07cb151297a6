"""One call of MLflow's API as a handler sees it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qsl

import msgspec

from treadle.server.mlflow.errors import INVALID, WireError
from treadle.server.mlflow.wire import Ask, complaint, decoder_of, from_names

if TYPE_CHECKING:
    from collections.abc import Mapping

    from treadle.app import App

Kind = TypeVar("Kind", bound=Ask)

JSON = b"application/json"


class Call:
    """What was asked: services, names from the path, query and body."""

    __slots__ = ("agent", "app", "media", "method", "path", "query_string", "raw")

    def __init__(
        self,
        app: App,
        *,
        method: str,
        path: Mapping[str, str],
        query_string: bytes = b"",
        media: bytes | None = None,
        raw: bytes = b"",
        agent: bytes | None = None,
    ) -> None:
        self.app = app
        self.method = method
        self.path = path
        self.query_string = query_string
        self.media = media
        self.raw = raw
        self.agent = agent

    def read(self, kind: type[Kind]) -> Kind:
        """Decode what was asked. Raises WireError worded as the genuine server does.

        A GET with a query is read from it, anything else from its body, as protobuf does.
        """
        if self.method == "GET" and self.query_string:
            return self._lenient(kind, from_names(kind, self.query()))
        self.check_media()
        try:
            found: Kind = decoder_of(kind).decode(self.raw)
        except (msgspec.MsgspecError, RecursionError):
            # Rare and costly forms of JSON that protobuf reads, or a fault to be named.
            return self._lenient(kind, self.values())
        if refusal := found.missing() or found.excess():
            raise refusal
        return found

    def query(self) -> dict[str, list[str]]:
        """Return the query: each name with its values."""
        found: dict[str, list[str]] = {}
        for name, value in parse_qsl(self.query_string.decode("latin-1"), keep_blank_values=True):
            found.setdefault(name, []).append(value)
        return found

    def values(self) -> dict[str, Any]:
        """Return the body as plain values; what is no JSON counts as empty, as it does there."""
        try:
            found = json.loads(self.raw)
            if isinstance(found, str):  # old clients encode twice
                found = json.loads(found)
            json.dumps(found, ensure_ascii=False).encode()  # half a surrogate pair is no text
        except UnicodeEncodeError as error:
            raise WireError(INVALID, "The body holds half a surrogate pair.") from error
        except (ValueError, RecursionError):
            found = None
        if found is None:
            return {}
        if not isinstance(found, dict):
            raise WireError(INVALID, "The body of a request is a JSON object.")
        return found

    def check_media(self) -> None:
        """Raise WireError unless the body is declared to be JSON, which a form cannot do."""
        if self.method not in {"POST", "PUT"} or self.media == JSON:
            return
        if self.media is None:
            raise WireError(INVALID, "Bad Request. Content-Type header is missing.")
        if self.media.partition(b";")[0] != JSON:
            raise WireError(
                INVALID, "Bad Request. Content-Type must be one of ['application/json']."
            )

    @staticmethod
    def _lenient(kind: type[Kind], values: dict[str, Any]) -> Kind:
        if refusal := complaint(kind, values):
            raise refusal
        known = {name: values[name] for name in kind.__struct_fields__ if name in values}
        try:
            found = msgspec.convert(known, kind, strict=False)
        except (msgspec.ValidationError, RecursionError, UnicodeEncodeError) as error:
            raise WireError(INVALID, f"The request cannot be read: {error}.") from error
        if refusal := found.missing() or found.excess():
            raise refusal
        return found
