"""A model as files, and files as a model: what is stored of a version and what is checked of it."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pyarrow as pa

from treadle.data.entities import FileEntry
from treadle.kernel.errors import Corrupt, InvalidInput, NotFound, Refused, TreadleError
from treadle.registry.entities import Signature
from treadle.registry.loaded import LoadedModel
from treadle.registry.mlflow_format.foreign import load_folder
from treadle.registry.mlflow_format.writing import mlflow_files
from treadle.registry.signatures import conform, infer_inputs
from treadle.storage.objects import put_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from treadle.registry.entities import ModelVersion
    from treadle.registry.ports import ModelFlavor
    from treadle.storage.ports import ObjectStore

MODEL_FOLDER = "model"
INPUTS = "example/inputs.arrow"
ANSWERS = "example/answers.npy"
EXAMPLE_ROWS = 10
# Far below what a lost field does to an answer, above the noise of summing in threads; what
# computes in single precision (a flavor remembers that) has some hundred steps of its own noise.
RELATIVE, ABSOLUTE = 1e-6, 1e-9
SINGLE_RELATIVE, SINGLE_ABSOLUTE = 1e-4, 1e-6


def pack(
    model: object, *, flavor: ModelFlavor, example: pa.Table, objects: ObjectStore
) -> tuple[Signature, tuple[FileEntry, ...], dict[str, Any]]:
    """Store a model with an example and its answers; return its signature, files and metadata.

    The model is loaded back and asked again: what does not answer the same is not stored as a
    version. Raises InvalidInput saying what failed.
    """
    signature = Signature(inputs=infer_inputs(example), output=flavor.output(model))
    asked = conform(example.slice(0, EXAMPLE_ROWS), signature, whose="The model")
    answers = _first_answers(model, asked, flavor=flavor)
    with tempfile.TemporaryDirectory(prefix="treadle-model-") as name:
        folder = Path(name)
        remembered = flavor.save(model, folder=folder)
        again = flavor.predict(flavor.load(folder), asked)
        _check_twin(answers, again, remembered=remembered)
        files = [
            _put(
                objects, f"{MODEL_FOLDER}/{path.relative_to(folder).as_posix()}", path.read_bytes()
            )
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        ]
    beside = {INPUTS: _table_bytes(asked), ANSWERS: _array_bytes(answers)}
    beside |= mlflow_files(
        flavor.name, signature=signature, remembered=remembered, files=files, example=asked
    )
    files += [_put(objects, path, data) for path, data in beside.items()]
    return signature, tuple(files), remembered


def unpack(version: ModelVersion, *, flavor: ModelFlavor, objects: ObjectStore) -> object:
    """Load the model of a version whose manifest was checked, and see that it answers as it did."""
    with tempfile.TemporaryDirectory(prefix="treadle-model-") as name:
        folder = Path(name)
        for file in version.files:
            if file.path.startswith(f"{MODEL_FOLDER}/"):
                target = folder / PurePosixPath(file.path).relative_to(MODEL_FOLDER)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(read_file(version, file, objects=objects))
        model = flavor.load(folder)
    by_path = {file.path: file for file in version.files}
    inputs = read_file(version, by_path[INPUTS], objects=objects)
    answers = read_file(version, by_path[ANSWERS], objects=objects)
    _check_answers(
        version,
        was=np.load(io.BytesIO(answers), allow_pickle=False),
        now=flavor.predict(model, pa.ipc.open_file(inputs).read_all()),
    )
    return model


def unpack_foreign(version: ModelVersion, *, objects: ObjectStore, trust: bool) -> LoadedModel:
    """Load a version that MLflow's client saved; see `mlflow_format.foreign` for what is refused.

    What is loaded knows more of its signature than its files said; its version says so.
    """
    if not version.files:
        raise Refused(
            f"{version.ref} is only a link to {version.source!r}, which is not followed here.",
            hint="Log the model to this server, or register it by Treadle's client.",
        )
    with tempfile.TemporaryDirectory(prefix="treadle-model-") as name:
        folder = Path(name)
        for file in version.files:
            target = folder.joinpath(*PurePosixPath(file.path).parts)
            if not target.resolve().is_relative_to(folder.resolve()):
                raise Corrupt(f"{version.ref} has a file {file.path!r} outside of its folder.")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(read_file(version, file, objects=objects))
        found = load_folder(folder, ref=version.ref, trust=trust)
    described = msgspec.structs.replace(version, signature=found.signature)
    return LoadedModel(described, model=found.model, flavor=found.flavor)


def read_file(version: ModelVersion, file: FileEntry, *, objects: ObjectStore) -> bytes:
    """Return a file of a version. Raises Corrupt when it is gone or not what was signed."""
    try:
        with objects.open(file.digest) as stream:
            data = stream.read()
    except NotFound as error:
        raise Corrupt(
            f"{file.path} of {version.ref} is gone from the object store.",
            hint="Restore the object from a copy.",
            digest=file.digest,
        ) from error
    if len(data) != file.size_bytes:
        raise Corrupt(
            f"{file.path} of {version.ref} has {len(data)} bytes instead of {file.size_bytes}.",
            digest=file.digest,
        )
    return data


def _first_answers(
    model: object, asked: pa.Table, *, flavor: ModelFlavor
) -> npt.NDArray[np.float64]:
    try:
        return flavor.predict(model, asked)
    except TreadleError:
        raise
    except Exception as error:
        raise InvalidInput(
            f"The model fails on its example: {type(error).__name__}: {error}",
            hint="Give as example what the model was fitted on, or a function that prepares it.",
        ) from error


def _check_twin(
    answers: npt.NDArray[np.float64],
    again: npt.NDArray[np.float64],
    *,
    remembered: Mapping[str, Any],
) -> None:
    if not _same(again, answers, remembered=remembered):
        raise InvalidInput(
            "The model answers its example differently after it was saved and loaded.",
            hint="Fix its seed, or keep in it all that its answer depends on.",
            before=answers.tolist(),
            after=again.tolist(),
        )


def _check_answers(
    version: ModelVersion, *, was: npt.NDArray[np.float64], now: npt.NDArray[np.float64]
) -> None:
    if not _same(was, now, remembered=version.metadata):
        saved_with = version.metadata.get("libraries", {})
        listed = ", ".join(f"{name} {number}" for name, number in saved_with.items())
        raise Corrupt(
            f"{version.ref} no longer gives the answers it was saved with "
            f"({was[:3].tolist()}, now {now[:3].tolist()}).",
            hint=f"It was saved with {listed}." if listed else "",
        )


def _same(
    one: npt.NDArray[np.float64],
    other: npt.NDArray[np.float64],
    *,
    remembered: Mapping[str, Any],
) -> bool:
    single = remembered.get("precision") == "float32"
    relative, absolute = (SINGLE_RELATIVE, SINGLE_ABSOLUTE) if single else (RELATIVE, ABSOLUTE)
    return one.shape == other.shape and np.allclose(
        one, other, rtol=relative, atol=absolute, equal_nan=True
    )


def _put(objects: ObjectStore, path: str, data: bytes) -> FileEntry:
    info = put_bytes(objects, data)
    return FileEntry(path=path, digest=info.digest, size_bytes=info.size_bytes)


def _table_bytes(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def _array_bytes(array: npt.NDArray[np.float64]) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()
