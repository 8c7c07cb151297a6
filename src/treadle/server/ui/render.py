"""Turn a page's context into HTML.

``render("runs.html", RunsContext(...))`` gives the whole page. Everything that comes from outside
is escaped; a name that the context lacks is an error, not an empty place. Templates are compiled
once per process, their bytecode kept for the next one.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING

import jinja2
from markupsafe import Markup, escape

from treadle.server.ui import formats, states
from treadle.server.ui.contexts import PAGES, PARTS

if TYPE_CHECKING:
    from _typeshed import DataclassInstance
    from jinja2.bccache import Bucket

    from treadle.server.ui.widgets import Chart

HERE = Path(__file__).parent
STATIC = HERE / "static"
STATIC_URL = "/ui/static"

# Nothing inline and nothing from elsewhere: a stored name or note that slipped through escaping
# could still not run. uPlot sets styles through the object model, which this allows.
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)

_ADDRESS = re.compile(r'\b(href|src|action|formaction|hx-get|data-src)="/(?!/)')


def render(name: str, context: DataclassInstance, *, root: str = "") -> str:
    """Render one page, or a part of one, from its context.

    `root` is put before every address that begins with a slash: the prefix of a tenant. Raises
    TypeError when the context is not the one that PAGES or PARTS names for this template.
    """
    expected = PAGES.get(name) or PARTS[name]
    if type(context) is not expected:
        raise TypeError(f"{name} takes {expected.__name__}, not {type(context).__name__}")
    values = {field.name: getattr(context, field.name) for field in dataclasses.fields(expected)}
    html = environment().get_template(name).render(values)
    return rooted(html, root=root) if root else html


def rooted(html: str, *, root: str) -> str:
    """Put a prefix before every address of a page, in one place, so that none can be forgotten.

    Text cannot look like an attribute: its quotes are escaped.
    """
    said = html.replace('data-root=""', f'data-root="{escape(root)}"', 1)
    return _ADDRESS.sub(lambda found: f'{found[1]}="{escape(root)}/', said)


@functools.cache
def environment() -> jinja2.Environment:
    """Make the template environment, once per process."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        bytecode_cache=_bytecode_cache(),
    )
    for name in (
        "number",
        "signed",
        "percent",
        "size",
        "duration",
        "instant",
        "iso",
        "day",
        "short",
    ):
        made.filters[name] = getattr(formats, name)
    made.filters["chart_json"] = chart_json
    made.filters["json"] = plain_json
    made.globals["look"] = states.look
    made.globals["estimate"] = formats.estimate
    made.globals["static"] = static_url
    return made


@functools.cache
def static_url(path: str) -> str:
    """Give the address of a static file; it changes with the content: cache it for ever."""
    digest = hashlib.sha256((STATIC / path).read_bytes()).hexdigest()[:10]
    return f"{STATIC_URL}/{path}?v={digest}"


def chart_json(chart: Chart) -> Markup:
    """Write a chart as JSON that may stand inside a script element."""
    return plain_json(chart)


def plain_json(value: DataclassInstance) -> Markup:
    """Write a dataclass as JSON that may stand inside a script element."""
    return _escaped(json.dumps(_finite(dataclasses.asdict(value)), separators=(",", ":")))


def _escaped(text: str) -> Markup:
    # A value holding "</script>" or "<!--" must not end or hide the element.
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))  # noqa: S704 - every character that means something in HTML was just escaped


def _finite(value: object) -> object:
    """JSON has no NaN or infinity; a curve shows them as gaps."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return value


class _OptionalBytecodeCache(jinja2.FileSystemBytecodeCache):
    """Keeps compiled templates on disk if the disk lets it: a full one must not stop the pages."""

    def dump_bytecode(self, bucket: Bucket) -> None:
        try:
            super().dump_bytecode(bucket)
        except OSError:
            # Only the next start gets slower; whoever writes state reports the disk.
            return


def _bytecode_cache() -> jinja2.BytecodeCache | None:
    try:
        return _OptionalBytecodeCache()
    except (OSError, RuntimeError):
        # No temporary folder that is ours alone: compile at every start instead.
        return None
