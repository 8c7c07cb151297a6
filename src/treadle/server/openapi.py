"""`/openapi.json`: what can be asked here, for programs; made from the routes and their types.

A handler behind MLflow's door decodes one kind of request and returns one kind of answer: both are
read off its code, so the description cannot forget a field. What streams, and our own API, stands
in `described.py`.
"""

from __future__ import annotations

import inspect
import re
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from treadle import __version__
from treadle.server import api
from treadle.server import mlflow as door
from treadle.server.answers import ErrorBody
from treadle.server.described import FILE, NOTHING, OURS, STREAMED, Shape
from treadle.server.mlflow.errors import ErrorBody as WireErrorBody
from treadle.server.mlflow.wire import Ask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from starlette.requests import Request

PATH = "/openapi.json"
PREFIX = door.PREFIXES[0]
JSON = "application/json"
REF = "#/components/schemas/"
ABOUT = f"""\
Two doors to the same home. `{api.PREFIX}` is Treadle's own: an argument it does not know is
refused, lists take `limit` (1 to 1,000) and `offset`, instants are microseconds UTC, a number that
is not finite is null.

`{PREFIX}/mlflow` and `{PREFIX}/mlflow-artifacts` speak MLflow's REST API. Each of these routes
answers in the same way under {", ".join(f"`{prefix}`" for prefix in door.PREFIXES[1:])}; they are
listed once. What is not known in a request is left out there, null counts as not given, numbers may
be texts, and names may be written in camelCase.

Only programs of this machine are answered: Host must name it, and a page of another site is
refused.
"""


class Failed(msgspec.Struct):
    """An error of Treadle's own API."""

    error: ErrorBody


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """A route with what it takes and answers."""

    method: str
    path: str
    handler: Any
    shape: Shape
    error: str

    @property
    def names(self) -> list[tuple[str, str]]:
        """The names in the path, each with `:path` if it may hold slashes."""
        return re.findall(r"\{(\w+)(:path)?\}", self.path)

    @property
    def key(self) -> str:
        """The path as OpenAPI writes it."""
        return re.sub(r":path\}", "}", self.path)

    @property
    def kinds(self) -> Iterator[Any]:
        """Every type in it."""
        yield from self.shape.query.values()
        for kind in (self.shape.body, self.shape.answer):
            if kind not in {None, FILE, NOTHING, str}:
                yield kind


def openapi(_request: Request) -> Response:
    """Describe every route of both APIs, as OpenAPI 3.1."""
    return Response(_text(), media_type=JSON)


ROUTE = Route(PATH, openapi, methods=["GET"])


def description() -> dict[str, Any]:
    """Return the description of every route."""
    told = operations()
    schemas = Schemas(told)
    paths: dict[str, Any] = {}
    for each in told:
        paths.setdefault(each.key, {})[each.method.lower()] = _operation(each, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Treadle", "version": __version__, "description": ABOUT},
        "servers": [
            {"url": "/", "description": "This home."},
            {
                "url": "/t/{tenant}",
                "description": "A tenant's home behind the same address.",
                "variables": {"tenant": {"default": "main"}},
            },
        ],
        "paths": paths,
        "components": {
            "schemas": schemas.components,
            "responses": {
                "Failed": _json_answer("What is wrong.", schemas.of(Failed)),
                "WireFailed": _json_answer("What is wrong.", schemas.of(WireErrorBody)),
            },
        },
    }


def operations() -> list[Operation]:
    """Return every route once: ours, MLflow's under one prefix, and this one."""
    ours = [
        Operation(method=method, path=r.path, handler=r.endpoint, shape=shape, error="Failed")
        for r, shape in ((r, OURS[r.endpoint]) for r in api.routes() if isinstance(r, Route))
        for method in sorted((r.methods or set()) - {"HEAD"})
    ]
    theirs = [
        Operation(
            method=method,
            path=path,
            handler=inspect.unwrap(handler),
            shape=shape_of(method, handler),
            error="WireFailed",
        )
        for method, path, handler in (
            *((method, PREFIX + path, handler) for method, path, handler in door.ROUTES),
            *door.ROOT_ROUTES,
        )
    ]
    own = Operation(
        method="GET", path=PATH, handler=openapi, shape=Shape(answer=dict), error="Failed"
    )
    return [own, *ours, *theirs]


def shape_of(method: str, handler: Callable[..., Any]) -> Shape:
    """Return what a handler behind MLflow's door takes and answers."""
    handler = inspect.unwrap(handler)
    if handler in STREAMED:
        return STREAMED[handler]
    answer = eval(handler.__annotations__["return"], handler.__globals__)  # noqa: S307 - our own code's annotation, of names its module has
    answer = str if answer is PlainTextResponse else answer
    kinds = asked_by(handler)
    if not kinds:
        return Shape(answer=answer)
    (kind,) = kinds
    if method != "GET":
        return Shape(body=kind, answer=answer)
    query = {field.name: field.type for field in msgspec.structs.fields(kind)}
    return Shape(query=query, needs=needs(kind), answer=answer)


def asked_by(handler: Callable[..., Any]) -> list[type[Ask]]:
    """Return the kinds of request that a handler's code names, which is how it decodes one."""
    code = inspect.unwrap(handler).__code__
    named = (inspect.unwrap(handler).__globals__.get(name) for name in code.co_names)
    return [kind for kind in named if isinstance(kind, type) and issubclass(kind, Ask)]


def needs(kind: type[Ask]) -> tuple[str, ...]:
    """Return the fields a request must have: those an empty one is told are missing."""
    found: list[str] = []
    asked = kind()
    while missing := asked.missing():
        name = re.findall(r"'(\w+)'", missing.message)[0]
        setattr(asked, name, "given")
        found.append(name)
    return tuple(found)


class Schemas:
    """JSON Schemas of all types, as they are on the wire."""

    def __init__(self, told: Iterable[Operation]) -> None:
        kinds = [Failed, WireErrorBody, *(kind for each in told for kind in each.kinds)]
        structs = dict.fromkeys(
            struct for kind in dict.fromkeys(kinds) for struct in _structs(kind)
        )
        every = list(dict.fromkeys([*kinds, *structs]))
        found, self.components = msgspec.json.schema_components(every, ref_template=REF + "{name}")
        self._known: dict[Any, dict[str, Any]] = dict(zip(every, found, strict=True))
        for struct in structs:
            self._as_sent(struct)
        for kind in [each.shape.answer for each in told if each.handler in OURS]:
            for struct in () if kind == FILE else _structs(kind):
                _nullable(self.components[self.name(struct)])

    def of(self, kind: Any) -> dict[str, Any]:
        """Return the schema of a type, or where it stands."""
        return self._known[kind]

    def name(self, struct: Any) -> str:
        """Return under which name a struct stands."""
        return str(self._known[struct]["$ref"]).removeprefix(REF)

    def _as_sent(self, struct: Any) -> None:
        """Say which fields must be there, and that more than those known do no harm."""
        schema = self.components[self.name(struct)]
        if isinstance(struct, type) and issubclass(struct, Ask):
            schema["required"] = list(needs(struct))
            schema.pop("additionalProperties", None)
            return
        left_out = {
            field.encode_name
            for field in msgspec.structs.fields(struct)
            if "UnsetType" in str(field.type)
        }
        schema["required"] = [name for name in schema.get("required", ()) if name not in left_out]


def _structs(kind: Any) -> list[Any]:
    """Return every struct within a type."""
    found: list[Any] = []
    waiting = [msgspec.inspect.type_info(kind)]
    while waiting:
        info = waiting.pop()
        if isinstance(info, msgspec.inspect.StructType):
            # What is generic is known by its parameters: Page[Run].
            if info.cls in found:
                continue
            found.append(info.cls)
            waiting.extend(field.type for field in info.fields)
            continue
        for name in ("types", "item_types"):
            waiting.extend(getattr(info, name, ()))
        inner = (getattr(info, name, None) for name in ("item_type", "key_type", "value_type"))
        waiting.extend(each for each in inner if isinstance(each, msgspec.inspect.Type))
    return found


def _nullable(schema: Any) -> None:
    """Say that a float may be null, as which we send what is not finite."""
    if isinstance(schema, dict):
        if schema.get("type") == "number":
            schema["type"] = ["number", "null"]
        schema = list(schema.values())
    for each in schema if isinstance(schema, list) else ():
        _nullable(each)


def _operation(each: Operation, schemas: Schemas) -> dict[str, Any]:
    shape = each.shape
    status = str(shape.status)
    found: dict[str, Any] = {
        "operationId": re.sub(r"\W+", "_", f"{each.method} {each.key}").strip("_").lower(),
        "tags": [each.handler.__module__.removeprefix("treadle.server.")],
        "summary": (inspect.getdoc(each.handler) or "").partition("\n\n")[0].replace("\n", " "),
        "parameters": [*_in_path(each), *_in_query(shape, schemas)],
        "responses": {
            status: _answer(shape.answer, schemas, is_head=each.method == "HEAD"),
            "default": {"$ref": f"#/components/responses/{each.error}"},
        },
    }
    if shape.answer == FILE:
        found["responses"]["206"] = {"description": "The range that was asked for.", **_bytes()}
        found["responses"]["304"] = {"description": "The caller has it already."}
    if shape.body is not None:
        content = _bytes() if shape.body == FILE else _json(schemas.of(shape.body))
        found["requestBody"] = {"required": True, **content}
    return found


def _in_path(each: Operation) -> Iterator[dict[str, Any]]:
    for name, tail in each.names:
        said = {"description": "May hold slashes."} if tail else {}
        schema = {"type": "string", "minLength": 1}
        yield {"name": name, "in": "path", "required": True, "schema": schema, **said}


def _in_query(shape: Shape, schemas: Schemas) -> Iterator[dict[str, Any]]:
    for name, kind in shape.query.items():
        schema = schemas.of(kind)
        # A query has no null: what is not given is left out.
        kept = [option for option in schema.get("anyOf", [schema]) if option != {"type": "null"}]
        yield {
            "name": name,
            "in": "query",
            "required": name in shape.needs,
            "schema": kept[0] if len(kept) == 1 else {"anyOf": kept},
        }


def _answer(kind: Any, schemas: Schemas, *, is_head: bool) -> dict[str, Any]:
    if kind == NOTHING or is_head:
        return {"description": "Done."}
    if kind == FILE:
        return {"description": "The file, of the type its name tells.", **_bytes()}
    if kind is str:
        return {"description": "A word.", "content": {"text/plain": {"schema": {"type": "string"}}}}
    return _json_answer("What was asked for.", schemas.of(kind))


def _json_answer(said: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": said, **_json(schema)}


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"content": {JSON: {"schema": schema}}}


def _bytes() -> dict[str, Any]:
    return {"content": {"*/*": {}}}


@cache
def _text() -> bytes:
    return msgspec.json.encode(description())
