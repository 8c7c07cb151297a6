"""Figures of any library as the bytes of a file, without importing the library."""

from __future__ import annotations

import io
from pathlib import PurePosixPath
from typing import Any

from treadle.kernel.errors import InvalidInput

PILLOW_FORMATS = {"jpg": "jpeg", "tif": "tiff"}


def as_image(figure: Any, path: str) -> bytes:
    """Return a figure as a file of the kind its path ends in.

    Bytes are taken as they are. Known by what they can do: Matplotlib's figures and axes, Plotly's
    figures (`.html` and `.json` need nothing more, images need kaleido), Pillow's images, and what
    notebooks show as PNG or SVG.
    """
    kind = PurePosixPath(path).suffix.removeprefix(".").lower()
    if isinstance(figure, bytes):
        return figure
    if not kind:
        raise InvalidInput(f"{path!r} does not say what kind of image to write.", hint="Try .png")
    if hasattr(figure, "to_html") and hasattr(figure, "to_image"):
        return _plotly(figure, kind)
    drawn = figure if hasattr(figure, "savefig") else getattr(figure, "figure", figure)
    if hasattr(drawn, "savefig"):
        return _saved(lambda sink: drawn.savefig(sink, format=kind, bbox_inches="tight"))
    if hasattr(figure, "save") and hasattr(figure, "getbands"):
        form = PILLOW_FORMATS.get(kind, kind)
        return _saved(lambda sink: figure.save(sink, format=form))
    return _shown(figure, kind)


def _plotly(figure: Any, kind: str) -> bytes:
    if kind == "html":
        return str(figure.to_html()).encode()
    if kind == "json":
        return str(figure.to_json()).encode()
    return bytes(figure.to_image(format=kind))


def _saved(save: Any) -> bytes:
    sink = io.BytesIO()
    save(sink)
    return sink.getvalue()


def _shown(figure: Any, kind: str) -> bytes:
    show = getattr(figure, f"_repr_{kind}_", None)
    found = show() if show is not None else None
    if isinstance(found, str):
        return found.encode()
    if isinstance(found, bytes):
        return found
    raise InvalidInput(
        f"A {type(figure).__name__} cannot be written as {kind}.",
        hint="Give a figure of Matplotlib or Plotly, an image of Pillow, or the file's bytes.",
    )
