"""The page of an error."""

from __future__ import annotations

from dataclasses import dataclass

from treadle.server.ui.contexts import ErrorContext
from treadle.server.ui.render import render
from treadle.server.ui.widgets import Link, Page

_TITLES = {
    400: "That cannot be asked",
    403: "Refused",
    404: "Not here",
    405: "Not this way",
    409: "That clashes",
    422: "The data breaks its contract",
    503: "Not reachable now",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What went wrong, what to do next, and the prefix addresses have there."""

    status: int
    message: str
    hint: str = ""
    near: tuple[str, ...] = ()
    traceback: str = ""
    root: str = ""


def failure_page(failure: Failure) -> str:
    """Return the HTML page of an error."""
    title = _TITLES.get(failure.status, "This page broke")
    # Near misses are links of their own; the hint would say them a second time.
    next_step = "" if failure.near else failure.hint
    return render(
        "error.html",
        ErrorContext(
            page=Page(title=title, nav=""),
            status=failure.status,
            title=title,
            message=failure.message,
            next_step=next_step or "Ctrl K finds every page, run, dataset, model and endpoint.",
            near=tuple(Link(path, path) for path in failure.near),
            traceback=failure.traceback,
        ),
        root=failure.root,
    )
