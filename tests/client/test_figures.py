from __future__ import annotations

import pytest

from treadle.client.figures import as_image
from treadle.errors import InvalidInput


class MatplotlibLike:
    """Saves itself to a stream, as Matplotlib's figures do."""

    def savefig(self, sink, *, format, bbox_inches):  # noqa: A002 - Matplotlib's own name
        sink.write(f"{format} {bbox_inches}".encode())


class AxesLike:
    figure = MatplotlibLike()


class PillowLike:
    def getbands(self):
        return ("R",)

    def save(self, sink, *, format):  # noqa: A002 - Pillow's own name
        sink.write(format.encode())


class PlotlyLike:
    def to_html(self):
        return "<html>"

    def to_json(self):
        return "{}"

    def to_image(self, *, format):  # noqa: A002 - Plotly's own name
        return format.encode()


class NotebookLike:
    def _repr_svg_(self):
        return "<svg>"


@pytest.mark.parametrize(
    ("figure", "path", "data"),
    [
        (b"bytes", "a.png", b"bytes"),
        (MatplotlibLike(), "a.svg", b"svg tight"),
        (AxesLike(), "a.png", b"png tight"),
        (PillowLike(), "a.jpg", b"jpeg"),
        (PlotlyLike(), "a.html", b"<html>"),
        (PlotlyLike(), "a.json", b"{}"),
        (PlotlyLike(), "a.png", b"png"),
        (NotebookLike(), "a.svg", b"<svg>"),
    ],
)
def test_a_figure_is_written_as_its_path_ends(figure, path, data):
    assert as_image(figure, path) == data


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(InvalidInput, match="cannot be written as png"):
        as_image(object(), "a.png")


def test_a_path_without_an_ending_is_refused():
    with pytest.raises(InvalidInput, match="what kind of image"):
        as_image(MatplotlibLike(), "a")
