"""PyTorch modules: weights as safetensors, structure as a pickle that may name only torch's layers.

A module made of `torch.nn` alone is read back by a reader that knows those layers and nothing else,
so that its files cannot run code. A module of the user's own needs its code, which only a pickle
brings: it is marked `cloudpickle`. A program of `torch.export` is saved as the file it makes.
"""

from __future__ import annotations

import importlib
import io
import pickle
import sys
from typing import TYPE_CHECKING, Any

import cloudpickle
import numpy as np

from treadle.kernel.errors import InvalidInput, MissingExtra, Refused
from treadle.registry.flavors import pickles
from treadle.registry.flavors.answers import one_column
from treadle.registry.flavors.matrices import matrix

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy.typing as npt
    import pyarrow as pa

    from treadle.registry.entities import Output

PROGRAM = "model.pt2"
WEIGHTS = "weights.safetensors"
STRUCTURE = "structure.pickle"
CODE = "structure.cloudpickle"
LAYERS = "torch.nn.modules."
OUTPUTS = frozenset({"probability", "class", "number"})
# What layers hold beside layers; none of them does anything but hold or compute.
PARTS = frozenset(
    {
        "collections.OrderedDict",
        "torch._C._nn.gelu",
        "torch.float32",
        "torch.float64",
        "torch.nn.functional.gelu",
        "torch.nn.functional.relu",
    }
)
# Asked at once; a table of a million rows should not be a million rows wide in every layer.
ROWS = 8192


class TorchFlavor:
    """Modules and exported programs that take one matrix of floats.

    What they answer is their attribute `output`, else a `probability` where a `Sequential` ends
    with a sigmoid, else a `number`. They are asked as in evaluation, whatever their mode.
    """

    name = "torch"

    def recognises(self, model: object) -> bool:
        """Say whether the model is a module or an exported program."""
        torch = sys.modules.get("torch")
        if torch is None:
            return False
        export = sys.modules.get("torch.export")
        program = getattr(export, "ExportedProgram", torch.nn.Module)
        return isinstance(model, (torch.nn.Module, program))

    def output(self, model: Any) -> Output:
        """Say what the module says of itself, or what its last layer tells."""
        said = getattr(model, "output", None)
        if said in OUTPUTS:
            answer: Output = said
            return answer
        torch = sys.modules["torch"]
        if isinstance(model, torch.nn.Sequential) and len(model):
            return "probability" if isinstance(model[-1], torch.nn.Sigmoid) else "number"
        return "number"

    def save(self, model: Any, *, folder: Path) -> dict[str, Any]:
        """Write a module as weights and structure, a program as its own file."""
        libraries = pickles.libraries("torch", "safetensors")
        if not isinstance(model, sys.modules["torch"].nn.Module):
            return {"format": _save_program(model, folder), "libraries": libraries} | _PRECISION
        strange = _save_module(model, folder)
        if not strange:
            return {"format": "safetensors", "libraries": libraries} | _PRECISION
        return {
            "format": "safetensors and cloudpickle",
            "libraries": {**libraries, **pickles.libraries("cloudpickle")},
            "unknown_to_reader": strange,
        } | _PRECISION

    def load(self, folder: Path) -> object:
        """Read the model back, ready to be asked. Raises Refused for a structure not trusted."""
        torch = _torch()
        if (folder / PROGRAM).exists():
            return _module(torch.export.load(io.BytesIO((folder / PROGRAM).read_bytes())))
        weights = _weights(folder)
        if (folder / CODE).exists():
            return _Unpickler((folder / CODE).read_bytes(), weights).load().eval()
        return _LayersOnly((folder / STRUCTURE).read_bytes(), weights).load().eval()

    def predict(self, model: Any, table: pa.Table) -> npt.NDArray[np.float64]:
        """Ask the module."""
        torch, rows = _torch(), table.num_rows
        ask, kind = _asked(model)
        numbers = torch.from_numpy(matrix(table)).to(kind)
        with torch.inference_mode():
            parts = [ask(numbers[at : at + ROWS]) for at in range(0, rows, ROWS)]
        given = np.concatenate([np.asarray(part.detach().cpu().double()) for part in parts])
        return one_column(given, rows=rows, output=self.output(model))


_PRECISION = {"precision": "float32"}


def _asked(model: Any) -> tuple[Callable[[Any], Any], Any]:
    torch = _torch()
    if not isinstance(model, torch.nn.Module):
        model = _module(model)
    elif model.training:
        # Somebody may go on training it: only a twin of it is put into evaluation.
        model = _twin(model)
    kinds = (p.dtype for p in model.parameters() if p.dtype.is_floating_point)
    return model, next(kinds, torch.float32)


def _module(program: Any) -> Any:
    module = program.module()
    # It is as it was exported and refuses `eval()`, but says of itself that it is in training.
    module.training = False
    return module


def _twin(model: Any) -> Any:
    weights: dict[str, Any] = {}
    data = _dumped(model, weights, pickler=cloudpickle.Pickler)
    return _Unpickler(data, weights).load().eval()


def _save_program(program: Any, folder: Path) -> str:
    torch = _torch()
    torch.export.save(program, folder / PROGRAM)
    return "torch.export"


def _save_module(model: Any, folder: Path) -> list[str]:
    """Write a module; return what in it the reader of layers does not know."""
    from safetensors.torch import save_file  # noqa: PLC0415 - an optional extra

    weights: dict[str, Any] = {}
    data, strange = _dumped_layers(model, weights)
    if strange:
        weights.clear()
        data = _dumped_code(model, weights)
    (folder / (CODE if strange else STRUCTURE)).write_bytes(data)
    save_file(weights, folder / WEIGHTS)
    return strange


def _dumped_layers(model: Any, weights: dict[str, Any]) -> tuple[bytes, list[str]]:
    try:
        data = _dumped(model, weights, pickler=pickle.Pickler)
        _LayersOnly(data, weights).load()
    except _NoLayer as refused:
        return b"", [refused.named]
    except Exception:  # noqa: BLE001 - what a pickle cannot name, cloudpickle may hold
        return b"", [type(model).__name__]
    return data, []


def _dumped_code(model: Any, weights: dict[str, Any]) -> bytes:
    try:
        with pickles.written_by_value():
            return _dumped(model, weights, pickler=cloudpickle.Pickler)
    except Exception as error:
        raise InvalidInput(
            f"The {type(model).__name__} cannot be saved: {type(error).__name__}: {error}.",
            hint="Keep open files, locks and hooks out of it; or give what torch.export makes.",
        ) from error


def _dumped(model: Any, weights: dict[str, Any], *, pickler: type[pickle.Pickler]) -> bytes:
    """Pickle a module without its tensors, which are put into `weights` by a name each."""
    torch = _torch()
    names: dict[int, tuple[str, str, bool]] = {}
    seen: list[Any] = []  # kept, so that no other tensor gets the id of one that is gone

    class Without(pickler):  # type: ignore[misc, valid-type] # one of two, both picklers
        def persistent_id(self, thing: Any) -> tuple[str, str, bool] | None:
            if not isinstance(thing, torch.Tensor):
                return None
            if id(thing) not in names:
                name = f"t{len(names)}"
                kind = "parameter" if isinstance(thing, torch.nn.Parameter) else "tensor"
                names[id(thing)] = (kind, name, thing.requires_grad)
                seen.append(thing)
                weights[name] = thing.detach().cpu().contiguous().clone()
            return names[id(thing)]

    file = io.BytesIO()
    Without(file, protocol=5).dump(model)
    return file.getvalue()


class _Unpickler(pickle.Unpickler):
    """Reads a structure and puts its tensors back."""

    def __init__(self, data: bytes, weights: dict[str, Any]) -> None:
        super().__init__(io.BytesIO(data))
        self._weights = weights
        self._made: dict[str, Any] = {}

    def persistent_load(self, pid: Any) -> Any:
        kind, name, learns = pid
        if name not in self._made:
            tensor = self._weights[name]
            if kind == "parameter":
                tensor = _torch().nn.Parameter(tensor, requires_grad=learns)
            self._made[name] = tensor
        return self._made[name]


class _NoLayer(Refused):
    """A structure names what is no layer of torch."""

    def __init__(self, named: str) -> None:
        super().__init__(
            f"The structure names {named}, which is no layer of torch.",
            hint="Only load what a home of this project saved.",
            types=[named],
        )
        self.named = named


class _LayersOnly(_Unpickler):
    """Reads structures that name torch's own layers and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        found = _known(module, name)
        if found is None:
            raise _NoLayer(f"{module}.{name}")
        return found


def _known(module: str, name: str) -> Any:
    if f"{module}.{name}" in PARTS:
        return getattr(importlib.import_module(module), name)
    if not module.startswith(LAYERS) or "." in name:
        return None
    # Everything below torch.nn.modules was imported with torch; nothing is imported by name.
    found = getattr(sys.modules.get(module), name, None)
    layer = _torch().nn.Module
    return found if isinstance(found, type) and issubclass(found, layer) else None


def _weights(folder: Path) -> dict[str, Any]:
    try:
        from safetensors.torch import load  # noqa: PLC0415 - an optional extra
    except ImportError as error:
        raise MissingExtra("safetensors", extra="torch") from error
    weights: dict[str, Any] = load((folder / WEIGHTS).read_bytes())
    return weights


def _torch() -> Any:
    try:
        import torch  # noqa: PLC0415 - an optional extra
        import torch.export  # noqa: PLC0415
    except ImportError as error:
        raise MissingExtra("PyTorch", extra="torch") from error
    return torch
