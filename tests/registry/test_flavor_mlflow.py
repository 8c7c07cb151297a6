"""Models between MLflow's client and us: ours loaded by it, its loaded by us."""

from __future__ import annotations

import importlib
import json
import os
import pickle
import sys
from pathlib import Path

import lightgbm
import numpy as np
import onnx
import pyarrow as pa
import pytest
import skops.io
import torch
import xgboost
import yaml
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from skops.io.exceptions import UntrustedTypesFoundException

from tests.registry.shelves import OneRun, put_folder
from tests.registry.with_mlflow import run_with_mlflow
from treadle.errors import Corrupt, InvalidInput, Refused
from treadle.registry.entities import Field, Signature
from treadle.registry.mlflow_format import _load_pyfunc, skops_loader
from treadle.registry.mlflow_format.foreign import load_folder
from treadle.registry.mlflow_format.reading import read_mlmodel
from treadle.registry.mlflow_format.writing import mlflow_files
from treadle.registry.service import Registry
from treadle.storage.keys import Signer

LIGHT = {"verbose": -1, "min_child_samples": 2, "n_estimators": 5}


def write_version(registry, objects, ref, folder):
    version = registry.version(ref)
    for file in version.files:
        path = folder / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        with objects.open(file.digest) as stream:
            path.write_bytes(stream.read())
    return folder


@pytest.fixture
def logged(solo_store, objects, tmp_path):
    """Registers a folder as MLflow's client does: its files are a run's, a version is made."""

    def register(folder, name="late"):
        registry = Registry(
            store=solo_store,
            objects=objects,
            signer=Signer(tmp_path, store=solo_store),
            shelf=OneRun(put_folder(objects, folder)),
        )
        registry.create_model(name)
        source = "mlflow-artifacts:/0/run1/artifacts/model"
        registry.create_version(name, source=source, run_id="run1")
        return registry

    return register


@pytest.fixture
def ours(flights, numbers, late):
    """One model of each way in which MLflow's client asks ours."""
    matrix = np.column_stack([column.to_numpy() for column in numbers.columns])
    frame, three = numbers.to_pandas(), matrix[:, 0] % 3
    coded = pa.table({"hour": flights["hour"], "carrier": flights["carrier"].dictionary_encode()})
    forest = RandomForestClassifier(n_estimators=3, random_state=0)
    xgb = xgboost.XGBClassifier(n_estimators=5)
    return {
        "probability": (LogisticRegression().fit(matrix, late), numbers),
        "named": (HistGradientBoostingClassifier(max_iter=5).fit(frame, late), numbers),
        "labels": (forest.fit(matrix, three), numbers),
        "number": (LinearRegression().fit(matrix, late), numbers),
        "xgboost": (xgboost.XGBClassifier(n_estimators=5).fit(frame, late), numbers),
        "nameless": (xgboost.XGBClassifier(n_estimators=5).fit(matrix, late), numbers),
        "lightgbm": (lightgbm.LGBMClassifier(**LIGHT).fit(matrix, late), numbers),
        "light3": (lightgbm.LGBMClassifier(**LIGHT).fit(matrix, three), numbers),
        "torch": (torch.nn.Sequential(torch.nn.Linear(2, 1), torch.nn.Sigmoid()), numbers),
        "function": (lambda table: table["hour"].to_numpy() * 2.0, numbers),
        "categories": (
            xgb.set_params(enable_categorical=True).fit(coded.to_pandas(), late),
            coded,
        ),
    }


def numbers_of(given, output):
    """What a pyfunc gives, as the one number a row that we answer."""
    answers = np.asarray(given)
    if answers.ndim == 2 and answers.shape[1] == 2 and output == "probability":
        return answers[:, 1]
    return answers.argmax(axis=1) if answers.ndim == 2 and output == "class" else answers.ravel()


def test_mlflows_client_answers_what_we_answer(solo, objects, ours, tmp_path):
    folder, expected, outputs = tmp_path / "ours", {}, {}
    for name, (model, table) in ours.items():
        solo.register(name, model, example=table)
        write_version(solo, objects, name, folder / name)
        loaded = solo.load(name)
        outputs[name] = loaded.version.signature.output
        expected[name] = loaded.predict(table)
    columns = {**ours["categories"][1].to_pydict(), **ours["number"][1].to_pydict()}
    rows = [list(row) for row in zip(*columns.values(), strict=True)]
    (folder / "frame.json").write_text(json.dumps({"columns": list(columns), "data": rows}))

    told = json.loads(run_with_mlflow("ask", folder, both=True, cwd=tmp_path))

    assert set(told) == set(ours)
    for name, answer in told.items():
        given = numbers_of(answer["answers"], outputs[name])
        np.testing.assert_allclose(given, expected[name], rtol=1e-5, err_msg=name)
    assert {name: answer["loader"].partition(".")[0] for name, answer in told.items()} == {
        "probability": "treadle_skops", "named": "treadle_skops", "labels": "treadle_skops",
        "number": "treadle_skops", "xgboost": "mlflow", "nameless": "treadle",
        "lightgbm": "mlflow", "light3": "mlflow",
        "torch": "treadle", "function": "treadle", "categories": "treadle",
    }  # fmt: skip
    assert [column["type"] for column in told["categories"]["inputs"]] == ["long", "string"]
    assert told["number"]["example"] == ["hour", "temp"]


def planted_function(table):
    """Stands for code of a stranger."""
    return table


@pytest.fixture
def skops_alone(tmp_path):
    """A folder with skops and what it needs, for an environment that has only scikit-learn."""
    folder = tmp_path / "packages"
    folder.mkdir()
    for name in ("skops", "prettytable", "wcwidth"):
        (folder / name).symlink_to(Path(importlib.import_module(name).__file__).parent)
    return folder


@pytest.mark.parametrize("version", ["newest", "3.6"])
def test_mlflows_client_loads_estimators_of_ours_where_treadle_is_not(
    solo, objects, ours, tmp_path, skops_alone, version
):
    folder, (model, table) = tmp_path / "ours", ours["probability"]
    solo.register("late", model, example=table)
    write_version(solo, objects, "late", folder / "late")
    rows = [list(row) for row in zip(*table.to_pydict().values(), strict=True)]
    (folder / "frame.json").write_text(json.dumps({"columns": table.column_names, "data": rows}))

    told = json.loads(
        run_with_mlflow(
            "ask", folder, both=False, cwd=tmp_path, version=version, beside=skops_alone
        )
    )

    answers = np.asarray(told["late"]["answers"])[:, 1]
    np.testing.assert_allclose(answers, solo.load("late").predict(table), rtol=1e-9)


def test_the_loader_that_comes_along_trusts_no_type_that_is_not_named(
    solo, objects, ours, tmp_path
):
    solo.register("late", ours["probability"][0], example=ours["probability"][1])
    folder = write_version(solo, objects, "late", tmp_path / "late")
    planted = Pipeline(
        [("own", FunctionTransformer(planted_function)), ("fit", LinearRegression())]
    )
    skops.io.dump(planted, folder / "model" / "model.skops")

    with pytest.raises(UntrustedTypesFoundException, match="planted_function"):
        skops_loader._load_pyfunc(str(folder))


def test_a_model_kept_by_skops_says_what_is_missing(solo, objects, ours, tmp_path, monkeypatch):
    solo.register("late", ours["probability"][0], example=ours["probability"][1])
    folder = write_version(solo, objects, "late", tmp_path / "late")
    monkeypatch.setitem(sys.modules, "skops.io", None)

    with pytest.raises(ImportError, match="pip install skops"):
        skops_loader._load_pyfunc(str(folder))


@pytest.fixture(scope="session")
def saved_by_mlflow(tmp_path_factory):
    folder = tmp_path_factory.mktemp("theirs")
    run_with_mlflow("save", folder, both=True, cwd=folder)
    expected = json.loads((folder / "expected.json").read_text())
    return folder, pa.table(expected["rows"]), expected["answers"]


@pytest.mark.parametrize(
    ("kind", "flavor"),
    [
        ("sklearn", "mlflow.sklearn"),
        ("sklearn_number", "mlflow.sklearn"),
        ("xgboost", "mlflow.xgboost"),
        ("xgboost_early", "mlflow.xgboost"),
        ("xgboost_json", "mlflow.xgboost"),
        ("lightgbm", "mlflow.lightgbm"),
        ("lightgbm_estimator", "mlflow.lightgbm"),
        ("onnx", "mlflow.onnx"),
    ],
)
def test_what_mlflow_saved_as_data_is_loaded_by_us(kind, flavor, saved_by_mlflow, logged):
    folder, rows, answers = saved_by_mlflow
    registry = logged(folder / kind)

    loaded = registry.load("late@1")

    assert registry.version("late").flavor == flavor
    assert [field.name for field in loaded.version.signature.inputs] == ["hour", "temp"]
    np.testing.assert_allclose(loaded.predict(rows), answers[kind], rtol=1e-5)
    with pytest.raises(InvalidInput, match=r"late@1 needs column 'hour'.*'hours'; is that it"):
        loaded.predict(rows.rename_columns(["hours", "temp"]))


def test_what_mlflow_pickled_is_refused_until_the_caller_trusts_it(saved_by_mlflow, logged):
    folder, rows, answers = saved_by_mlflow
    registry = logged(folder / "sklearn_pickle")

    with pytest.raises(Refused, match=r"late@1 came by MLflow.*pickle.*load\('late@1', trust=True"):
        registry.load("late@1")

    trusted = registry.load("late@1", trust=True)
    np.testing.assert_allclose(trusted.predict(rows), answers["sklearn_pickle"], rtol=1e-9)


def test_what_is_trusted_once_can_be_registered_anew_and_loaded_by_anybody(saved_by_mlflow, logged):
    folder, rows, answers = saved_by_mlflow
    registry = logged(folder / "sklearn_pickle")

    trusted = registry.load("late@1", trust=True)
    registry.register("late", trusted.model, example=rows)

    loaded = registry.load("late@2")
    assert loaded.version.flavor == "sklearn"
    np.testing.assert_allclose(loaded.predict(rows), answers["sklearn_pickle"], rtol=1e-9)


def test_a_model_that_only_mlflow_can_load_is_refused_until_it_is_trusted(saved_by_mlflow, logged):
    folder, _, _ = saved_by_mlflow
    registry = logged(folder / "pyfunc")

    with pytest.raises(Refused, match="only MLflow can load it"):
        registry.load("late@1")


def test_a_model_that_only_mlflow_can_load_answers_who_trusts_it(saved_by_mlflow, tmp_path):
    folder, _, answers = saved_by_mlflow

    told = json.loads(run_with_mlflow("trust", folder, both=True, cwd=tmp_path))

    assert told == {"answers": answers["pyfunc"], "held": 1, "left": [False]}


class Planted:
    """What somebody puts into a pickle: a folder is made when it is read."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def described(flavors, **more):
    return yaml.safe_dump({"flavors": flavors, **more})


@pytest.mark.parametrize(
    ("file", "flavors"),
    [
        ("model.pkl", {"sklearn": {"pickled_model": "model.pkl"}}),
        (
            "model.pkl",
            {"sklearn": {"pickled_model": "model.pkl", "serialization_format": "cloudpickle"}},
        ),
        (
            "model.skops",
            {"sklearn": {"pickled_model": "model.skops", "serialization_format": "skops"}},
        ),
        (
            "model.pkl",
            {
                "lightgbm": {
                    "data": "model.pkl",
                    "model_class": "lightgbm.sklearn.LGBMClassifier",
                    "serialization_format": "pickle",
                }
            },
        ),
        ("model.xgb", {"xgboost": {"data": "model.xgb", "model_class": "os.system"}}),
        ("model.lgb", {"lightgbm": {"data": "model.lgb"}}),
        ("model.onnx", {"onnx": {"data": "model.onnx"}}),
        ("data/model.pth", {"pytorch": {"model_data": "data"}}),
        ("data/model.keras", {"keras": {"data": "data/model.keras"}}),
        ("model/model.pkl", {"treadle": {"flavor": "callable"}}),
        ("model/model.pkl", {"treadle": {"flavor": "sklearn"}}),
        ("model/structure.pickle", {"treadle": {"flavor": "torch"}}),
        ("model/structure.cloudpickle", {"treadle": {"flavor": "torch"}}),
        ("model/model.pt2", {"treadle": {"flavor": "torch"}}),
        ("python_model.pkl", {"python_function": {"loader_module": "mlflow.pyfunc.model"}}),
        ("python_model.pkl", {"python_function": {"loader_module": "os"}}),
        ("model.pkl", {"statsmodels": {"data": "model.pkl"}}),
    ],
)
def test_a_planted_pickle_is_refused_and_not_run(file, flavors, logged, tmp_path):
    planted, folder = tmp_path / "planted", tmp_path / "folder"
    (folder / file).parent.mkdir(parents=True)
    (folder / file).write_bytes(pickle.dumps(Planted(planted)))
    (folder / "MLmodel").write_text(described(flavors))
    registry = logged(folder)

    with pytest.raises((Refused, Corrupt)):
        registry.load("late@1")

    assert not planted.exists()


def test_types_a_model_trusts_by_itself_are_not_trusted(saved_by_mlflow, logged, tmp_path):
    import skops.io  # noqa: PLC0415 - only here

    folder = tmp_path / "folder"
    folder.mkdir()
    skops.io.dump(LogisticRegression(C=np.float64(1)), folder / "model.skops")
    model = LogisticRegression()
    model.extra = pytest.importorskip
    skops.io.dump(model, folder / "model.skops")
    said = {
        "pickled_model": "model.skops",
        "serialization_format": "skops",
        "skops_trusted_types": skops.io.get_untrusted_types(file=folder / "model.skops"),
    }
    (folder / "MLmodel").write_text(described({"sklearn": said}))

    with pytest.raises(Refused, match=r"types this Treadle does not trust: .*importorskip"):
        logged(folder).load("late@1")


@pytest.mark.parametrize("place", ["../secret", "/etc/passwd", "a/../../secret"])
def test_a_place_outside_of_the_folder_is_refused(place, logged, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "MLmodel").write_text(described({"xgboost": {"data": place}}))

    with pytest.raises(Refused, match="outside of its folder"):
        logged(folder).load("late@1")


def test_a_graph_with_numbers_outside_of_its_folder_is_refused(logged, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    weights = onnx.helper.make_tensor("w", onnx.TensorProto.FLOAT, [1], [0.0])
    weights.ClearField("float_data")
    weights.data_location = onnx.TensorProto.EXTERNAL
    entry = weights.external_data.add()
    entry.key, entry.value = "location", "../../../../../../etc/hostname"
    info = onnx.helper.make_tensor_value_info("answer", onnx.TensorProto.FLOAT, [1])
    node = onnx.helper.make_node("Identity", ["w"], ["answer"])
    made = onnx.helper.make_graph([node], "g", [], [info], [weights])
    (folder / "model.onnx").write_bytes(onnx.helper.make_model(made).SerializeToString())
    (folder / "MLmodel").write_text(described({"onnx": {"data": "model.onnx"}}))

    with pytest.raises(Corrupt, match=r"outside|escap|\.\."):
        logged(folder).load("late@1")


def test_a_version_that_is_only_a_link_is_not_followed(solo):
    solo.create_model("late")
    solo.create_version("late", source="s3://bucket/model")

    with pytest.raises(Refused, match="only a link to 's3://bucket/model'"):
        solo.load("late@1")


def test_files_without_a_description_are_no_model(logged, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "model.bin").write_bytes(b"x")

    with pytest.raises(InvalidInput, match="has no MLmodel"):
        logged(folder).load("late@1")


def test_a_bundle_of_ours_that_came_by_mlflow_is_loaded_where_it_is_data(
    solo, objects, boosted, numbers, logged, tmp_path
):
    solo.register("first", boosted, example=numbers)
    folder = write_version(solo, objects, "first", tmp_path / "folder")
    registry = logged(folder)

    loaded = registry.load("late@1")

    assert loaded.version.signature == solo.version("first").signature
    np.testing.assert_array_equal(loaded.predict(numbers), solo.load("first").predict(numbers))


def test_our_loader_sees_that_a_file_was_changed(solo, objects, numbers, tmp_path):
    solo.register("late", lambda table: [1.0] * table.num_rows, example=numbers)
    folder = write_version(solo, objects, "late", tmp_path / "folder")
    planted = tmp_path / "planted"
    (folder / "model" / "model.pkl").write_bytes(pickle.dumps(Planted(planted)))

    with pytest.raises(Corrupt, match=r"model/model\.pkl is not what was saved"):
        _load_pyfunc(str(folder))

    assert not planted.exists()


def test_our_loader_sees_that_a_file_was_added(solo, objects, numbers, boosted, tmp_path):
    solo.register("late", boosted, example=numbers)
    folder = write_version(solo, objects, "late", tmp_path / "folder")
    (folder / "model" / "model.pkl").write_bytes(b"x")

    with pytest.raises(Corrupt, match="not those that MLmodel lists"):
        _load_pyfunc(str(folder))


def test_our_loader_keeps_the_rules_for_columns(solo, objects, numbers, tmp_path):
    solo.register("late", lambda table: table["hour"], example=numbers)
    model = _load_pyfunc(str(write_version(solo, objects, "late", tmp_path / "folder")))

    assert model.predict(numbers.to_pandas()).tolist() == numbers["hour"].to_pylist()
    with pytest.raises(InvalidInput, match=r"needs column 'temp'.*'temps'; is that it"):
        model.predict(numbers.rename_columns(["hour", "temps"]).to_pandas())
    with pytest.raises(InvalidInput, match="a frame with named columns; found ndarray"):
        model.predict(np.zeros((2, 2)))


KINDS = {"long": "int64", "integer": "int64", "float": "double", "double": "double",
         "boolean": "bool", "string": "string", "datetime": "timestamp"}  # fmt: skip


def test_columns_of_mlflow_become_ours():
    columns = [{"type": kind, "name": kind, "required": kind != "string"} for kind in KINDS]
    text = described({}, signature={"inputs": json.dumps(columns)})

    inputs = read_mlmodel(text.encode()).inputs

    assert {field.name: field.type for field in inputs} == KINDS
    assert [field.name for field in inputs if field.optional] == ["string"]


@pytest.mark.parametrize(
    ("columns", "names"),
    [
        ([{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 3]}}], "012"),
        ([{"type": "tensor", "name": "a", "tensor-spec": {"dtype": "int8", "shape": [-1]}}], "a"),
        ([{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 28, 28]}}], ""),
        ([{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, -1]}}], ""),
        ([{"type": "binary", "name": "a"}], ""),
        ([{"type": "array", "items": {"type": "long"}, "name": "a"}], ""),
        ([{"type": "long", "name": "a"}, {"type": "long", "name": "a"}], ""),
        ([{"type": "long"}], ""),
    ],
)
def test_tensors_become_columns_where_they_are_some(columns, names):
    text = described({}, signature={"inputs": json.dumps(columns)})

    assert "".join(field.name for field in read_mlmodel(text.encode()).inputs) == names


@pytest.mark.parametrize(
    "text",
    [
        "",
        "flavors: 3",
        "flavors: {a: 3}",
        "{",
        "flavors: &a {x: {}}\nsignature: *a",
        "flavors: {x: !!python/object/apply:os.mkdir [/tmp/planted]}",
        "[" * 100_000,
        "flavors: {treadle: {flavor: 3}}",
        "flavors: {}\n" + "#" * (1 << 20),
        "flavors: {x: {a: [" + "1," * 60_000 + "]}}",
    ],
    ids=["empty", "number", "flat", "cut", "reference", "tag", "deep", "ours", "long", "wide"],
)
def test_what_is_no_description_is_refused(text):
    with pytest.raises(InvalidInput):
        read_mlmodel(text.encode())


FIELDS = st.lists(
    st.builds(
        Field,
        name=st.text(min_size=1, max_size=20).filter(lambda s: s.isprintable()),
        type=st.sampled_from(["int64", "double", "bool", "string", "category", "timestamp"]),
        optional=st.booleans(),
    ),
    min_size=1,
    max_size=5,
    unique_by=lambda field: field.name,
)


@given(FIELDS, st.sampled_from(["probability", "class", "number"]))
def test_what_we_write_is_read_back(fields, output):
    signature = Signature(inputs=tuple(fields), output=output)
    remembered = {"format": "cloudpickle", "libraries": {"python": "3.11.7", "cloudpickle": "3.1"}}
    example = pa.table({field.name: pa.array([1]) for field in fields})

    files = mlflow_files(
        "callable", signature=signature, remembered=remembered, files=[], example=example
    )
    told = read_mlmodel(files["MLmodel"])

    assert told.ours.signature == signature
    assert told.ours.flavor == "callable"
    assert [field.name for field in told.inputs] == [field.name for field in fields]
    assert [field.optional for field in told.inputs] == [field.optional for field in fields]


def test_a_folder_alone_can_be_loaded(saved_by_mlflow):
    folder, rows, answers = saved_by_mlflow

    found = load_folder(folder / "sklearn", ref="late@1", trust=False)

    given_answers = found.flavor.predict(found.model, rows)
    np.testing.assert_allclose(given_answers, answers["sklearn"], rtol=1e-9)
