"""ONNX graphs, saved as the bytes they are and asked by ONNX Runtime."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from treadle.kernel.errors import InvalidInput, MissingExtra
from treadle.registry.flavors import pickles
from treadle.registry.flavors.answers import BINARY, one_column
from treadle.registry.flavors.matrices import by_names, column, matrix

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt
    import pyarrow as pa

    from treadle.registry.entities import Output

MODEL = "model.onnx"
SAYS = "output"
FLOATS = {"tensor(float)": np.float32, "tensor(double)": np.float64}
INTEGERS = {"tensor(int64)": np.int64, "tensor(int32)": np.int32, "tensor(bool)": np.bool_}
TYPES = {**FLOATS, **INTEGERS}


class OnnxModel:
    """A graph that is ready to be asked, with the bytes it was read from."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.session = _session(data)
        """The `onnxruntime.InferenceSession`."""
        self.takes = self.session.get_inputs()
        self.output, self.answer = _answer(self.session)


class OnnxFlavor:
    """Graphs of one matrix, or of one column for each input.

    Answers: floats beside a label (two columns: the second is the `probability`), a label alone
    (`class`), a single column (`number`). The graph's metadata property `output` says it otherwise.
    """

    name = "onnx"

    def recognises(self, model: object) -> bool:
        """Say whether the model is a `ModelProto`, or one that was loaded here."""
        onnx = sys.modules.get("onnx")
        return isinstance(model, OnnxModel) or (
            onnx is not None and isinstance(model, onnx.ModelProto)
        )

    def output(self, model: Any) -> Output:
        """Say what the graph's outputs tell."""
        return _opened(model).output

    def save(self, model: Any, *, folder: Path) -> dict[str, Any]:
        """Write the graph. Raises InvalidInput when it is not sound or keeps numbers elsewhere."""
        data = _bytes(model)
        opened = _opened(model)
        (folder / MODEL).write_bytes(data)
        remembered: dict[str, Any] = {
            "format": "onnx",
            "libraries": pickles.libraries("onnx", "onnxruntime"),
            "outputs": len(opened.session.get_outputs()),
        }
        if any(put.type == "tensor(float)" for put in opened.takes):
            remembered["precision"] = "float32"
        return remembered

    def load(self, folder: Path) -> object:
        """Read the graph back."""
        return OnnxModel((folder / MODEL).read_bytes())

    def predict(self, model: Any, table: pa.Table) -> npt.NDArray[np.float64]:
        """Ask the graph."""
        opened = _opened(model)
        (given,) = opened.session.run([opened.answer], _feeds(opened, table))
        return one_column(given, rows=table.num_rows, output=opened.output)


def _opened(model: Any) -> OnnxModel:
    return model if isinstance(model, OnnxModel) else OnnxModel(_bytes(model))


def _bytes(model: Any) -> bytes:
    if isinstance(model, OnnxModel):
        return model.data
    onnx = sys.modules["onnx"]
    elsewhere = [t.name for t in model.graph.initializer if t.data_location == t.EXTERNAL]
    if elsewhere:
        raise InvalidInput(
            f"The graph keeps {elsewhere[0]!r} in a file beside it.",
            hint="Read it with onnx.load(path), which takes those files in.",
        )
    try:
        onnx.checker.check_model(model)
        return bytes(model.SerializeToString())
    except Exception as error:  # the checker's own, or protobuf's for more than 2 GB
        raise InvalidInput(f"The graph is not sound: {error}") from error


def _session(data: bytes) -> Any:
    try:
        import onnxruntime  # noqa: PLC0415 - an optional extra
    except ImportError as error:
        raise MissingExtra("onnxruntime", extra="onnx") from error
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    # It makes a team of threads of its own; who limits the others means this one, too.
    options.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS", "0"))
    try:
        return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors have no common class
        raise InvalidInput(f"ONNX Runtime does not take the graph: {error}") from error


def _answer(session: Any) -> tuple[Output, str]:
    puts = session.get_outputs()
    said = session.get_modelmeta().custom_metadata_map.get(SAYS)
    floats = [put for put in puts if put.type in FLOATS]
    if said in {"probability", "class", "number"} and (floats or puts):
        return said, (floats or puts)[0].name
    if floats and len(puts) == 1 and _width(floats[0]) == 1:
        return "number", floats[0].name
    if floats and len(puts) == BINARY:
        return ("probability" if _width(floats[0]) == BINARY else "class"), floats[0].name
    if len(puts) == 1 and puts[0].type in INTEGERS:
        return "class", puts[0].name
    told = ", ".join(f"{put.name}: {put.type}{put.shape}" for put in puts)
    raise InvalidInput(
        f"The graph's outputs ({told}) do not tell what it answers.",
        hint="Set its metadata property 'output' to probability, class or number; convert "
        "classifiers of scikit-learn with options={'zipmap': False}.",
    )


def _width(put: Any) -> int:
    return 1 if len(put.shape) == 1 else put.shape[1] if isinstance(put.shape[1], int) else 0


def _feeds(opened: OnnxModel, table: pa.Table) -> dict[str, Any]:
    takes = opened.takes
    if len(takes) == 1:
        return {takes[0].name: _as(takes[0], matrix(table))}
    table = by_names(table, [put.name for put in takes])
    # What is asked for is one number a row, in a column of its own or none.
    shapes = {put.name: (-1, 1) if len(put.shape) > 1 else (-1,) for put in takes}
    return {put.name: _as(put, column(table, put.name).reshape(shapes[put.name])) for put in takes}


def _as(put: Any, values: npt.NDArray[np.float64]) -> npt.NDArray[Any]:
    if put.type not in TYPES:
        raise InvalidInput(
            f"Input {put.name!r} of the graph is {put.type}; only numbers are fed.",
            hint=f"There is: {', '.join(TYPES)}.",
        )
    return values.astype(TYPES[put.type])
