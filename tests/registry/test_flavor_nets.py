from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
from collections import OrderedDict
from pathlib import Path

import keras
import numpy as np
import onnx
import pyarrow as pa
import pytest
import torch
from onnx import TensorProto, helper
from safetensors.torch import save_file

from treadle.errors import InvalidInput, MissingExtra, Refused
from treadle.registry.flavors import torch as torch_flavor
from treadle.registry.flavors.keras import KerasFlavor
from treadle.registry.flavors.known import FLAVORS
from treadle.registry.flavors.onnx import OnnxFlavor
from treadle.registry.flavors.torch import TorchFlavor
from treadle.testing.flavors import ModelFlavorContract

# Keras' own way from torch's tensors to NumPy.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

TORCH, KERAS, ONNX = TorchFlavor(), KerasFlavor(), OnnxFlavor()


class Own(torch.nn.Module):
    """A module of a user's own project."""

    output = "probability"

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(2, 1)
        self.lock = None

    def forward(self, rows):
        return torch.sigmoid(self.layer(rows))


def net():
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.BatchNorm1d(2),
        torch.nn.Linear(2, 8),
        torch.nn.ReLU(),
        torch.nn.Dropout(0.5),
        torch.nn.Linear(8, 1),
        torch.nn.Sigmoid(),
    )


def graph(outputs, nodes, *, takes=None, initializers=()):
    takes = takes or [helper.make_tensor_value_info("rows", TensorProto.FLOAT, [None, 2])]
    made = helper.make_graph(nodes, "late", takes, outputs, list(initializers))
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def weights(name, array):
    return helper.make_tensor(name, TensorProto.FLOAT, array.shape, array.ravel())


def linear(columns=1):
    drawn = np.random.default_rng(0).normal(size=(2, columns))
    return graph(
        [helper.make_tensor_value_info("answer", TensorProto.FLOAT, [None, columns])],
        [helper.make_node("MatMul", ["rows", "w"], ["answer"])],
        initializers=[weights("w", drawn)],
    )


def labelled():
    """A classifier as converters write it: a label beside two columns of probabilities."""
    drawn = np.random.default_rng(0).normal(size=(2, 2))
    return graph(
        [
            helper.make_tensor_value_info("label", TensorProto.INT64, [None]),
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, 2]),
        ],
        [
            helper.make_node("MatMul", ["rows", "w"], ["scores"]),
            helper.make_node("Softmax", ["scores"], ["probabilities"], axis=1),
            helper.make_node("ArgMax", ["scores"], ["label"], axis=1, keepdims=0),
        ],
        initializers=[weights("w", drawn)],
    )


def dense(units, activation):
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((2,)),
            keras.layers.Dense(4, activation="relu"),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(units, activation=activation),
        ]
    )


class Numbers(ModelFlavorContract):
    relative = 1e-5

    @pytest.fixture
    def table(self, numbers):
        return numbers


class TestTorch(Numbers):
    @pytest.fixture
    def flavor(self):
        return TORCH

    @pytest.fixture
    def model(self):
        return net()

    @pytest.fixture
    def unsaveable(self):
        model = Own()
        model.lock = threading.Lock()
        return model


class TestTorchOfTheUsersOwn(Numbers):
    @pytest.fixture
    def flavor(self):
        return TORCH

    @pytest.fixture
    def model(self):
        return Own()

    @pytest.fixture
    def unsaveable(self):
        model = Own()
        model.lock = threading.Lock()
        return model


class TestKeras(Numbers):
    @pytest.fixture
    def flavor(self):
        return KERAS

    @pytest.fixture
    def model(self):
        return dense(1, "sigmoid")

    @pytest.fixture
    def unsaveable(self):
        return keras.Sequential(
            [keras.Input((2,)), keras.layers.Lambda(lambda rows: rows * 2), keras.layers.Dense(1)]
        )


class TestOnnx(Numbers):
    @pytest.fixture
    def flavor(self):
        return ONNX

    @pytest.fixture
    def model(self):
        return labelled()

    @pytest.fixture
    def unsaveable(self):
        return onnx.ModelProto()


def test_a_module_of_layers_alone_is_saved_without_code(numbers, tmp_path):
    remembered = TORCH.save(net(), folder=tmp_path)

    assert remembered["format"] == "safetensors"
    assert {p.name for p in tmp_path.iterdir()} == {"structure.pickle", "weights.safetensors"}


def test_a_module_of_the_users_own_is_marked_as_pickled(tmp_path):
    remembered = TORCH.save(Own(), folder=tmp_path)

    assert remembered["format"] == "safetensors and cloudpickle"
    assert remembered["unknown_to_reader"] == [f"{Own.__module__}.Own"]


def test_weights_that_are_shared_stay_shared(tmp_path):
    one = torch.nn.Linear(2, 2)
    TORCH.save(torch.nn.Sequential(one, torch.nn.ReLU(), one), folder=tmp_path)

    loaded = TORCH.load(tmp_path)

    assert loaded[0].weight is loaded[2].weight


def test_a_transformer_is_saved_without_code(tmp_path):
    layer = torch.nn.TransformerEncoderLayer(4, 2, dim_feedforward=8, batch_first=True)

    assert TORCH.save(torch.nn.Sequential(layer), folder=tmp_path)["format"] == "safetensors"


class Planted:
    """What somebody puts into a pickle: a file is written when it is read."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("wrapped", [False, True], ids=["alone", "inside-a-module"])
def test_code_planted_into_a_structure_is_refused_and_not_run(wrapped, tmp_path):
    planted, folder = tmp_path / "planted", tmp_path / "model"
    folder.mkdir()
    thing = Planted(planted)
    if wrapped:
        holder = torch.nn.Sequential()
        holder._modules = OrderedDict(late=thing)
        thing = holder
    (folder / "structure.pickle").write_bytes(pickle.dumps(thing))
    save_file({}, folder / "weights.safetensors")

    with pytest.raises(Refused, match=r"mkdir, which is no layer of torch"):
        TORCH.load(folder)

    assert not planted.exists()


@pytest.mark.parametrize(
    "name",
    [
        "torch.nn.modules.module.torch",
        "torch.nn.modules.torch.load",
        "torch.nn.modules.utils._ntuple",
        "torch.nn.modules.lazy.itertools",
        "builtins.eval",
        "os.system",
    ],
)
def test_nothing_but_layers_is_found_below_torchs_layers(name):
    module, _, last = name.rpartition(".")

    assert torch_flavor._known(module, last) is None


def test_training_may_go_on_after_a_model_was_asked(numbers):
    model = net()
    before = model.state_dict()["0.running_mean"].clone()

    TORCH.predict(model, numbers)

    assert model.training
    torch.testing.assert_close(model.state_dict()["0.running_mean"], before)


def test_an_exported_program_is_saved_as_its_own_file(numbers, tmp_path):
    rows = torch.ones(3, 2)
    shapes = ({0: torch.export.Dim("rows")},)
    program = torch.export.export(net().eval(), (rows,), dynamic_shapes=shapes)

    remembered = TORCH.save(program, folder=tmp_path)
    loaded = TORCH.load(tmp_path)

    assert remembered["format"] == "torch.export"
    np.testing.assert_allclose(
        TORCH.predict(loaded, numbers), TORCH.predict(program, numbers), rtol=1e-6
    )


def test_a_module_says_its_answer_by_its_attribute(numbers, tmp_path):
    model = torch.nn.Sequential(torch.nn.Linear(2, 3))
    model.output = "class"
    TORCH.save(model, folder=tmp_path)

    loaded = TORCH.load(tmp_path)

    assert TORCH.output(loaded) == "class"
    assert set(TORCH.predict(loaded, numbers)) <= {0.0, 1.0, 2.0}


def test_a_net_of_several_columns_that_does_not_say_what_they_are_is_refused(numbers):
    with pytest.raises(InvalidInput, match=r"shape \(200, 3\)"):
        TORCH.predict(torch.nn.Linear(2, 3), numbers)


@pytest.mark.parametrize(
    ("units", "activation", "output"),
    [
        (1, "sigmoid", "probability"),
        (2, "softmax", "probability"),
        (3, "softmax", "class"),
        (1, "linear", "number"),
    ],
)
def test_the_last_layer_of_a_keras_model_tells_its_answer(units, activation, output, numbers):
    model = dense(units, activation)

    answers = KERAS.predict(model, numbers)

    matrix = np.column_stack([column.to_numpy() for column in numbers.columns])
    wide = np.asarray(model.predict(matrix, verbose=0))
    expected = {1: wide[:, 0], 2: wide[:, 1 % wide.shape[1]], 3: wide.argmax(axis=1)}[units]
    assert KERAS.output(model) == output
    np.testing.assert_allclose(answers, expected, rtol=1e-5)


def test_a_keras_model_of_several_inputs_takes_columns_by_name(numbers):
    hour, temp = keras.Input((1,), name="hour"), keras.Input((1,), name="temp")
    model = keras.Model([temp, hour], keras.layers.Subtract()([hour, temp]))

    answers = KERAS.predict(model, numbers)

    expected = numbers["hour"].to_numpy() - numbers["temp"].to_numpy()
    np.testing.assert_allclose(answers, expected, rtol=1e-5, atol=1e-5)


def test_a_keras_model_that_was_not_built_is_refused():
    with pytest.raises(InvalidInput, match="does not tell"):
        KERAS.output(keras.Sequential([keras.layers.Dense(1)]))


def test_a_keras_model_is_taken_before_its_backends_flavor():
    taken = next(flavor.name for flavor in FLAVORS if flavor.recognises(dense(1, "sigmoid")))

    assert taken == "keras"


def test_a_keras_model_is_loaded_with_its_backend_where_none_is_chosen(numbers, tmp_path):
    KERAS.save(dense(1, "sigmoid"), folder=tmp_path)
    script = (
        "import pathlib\n"
        "from treadle.registry.flavors.keras import KerasFlavor as F\n"
        f"F().load(pathlib.Path({str(tmp_path)!r}))\n"
        "import keras; print(keras.backend.backend())\n"
    )
    source = str(Path(torch_flavor.__file__).parents[3])
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONPATH": source, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout == "torch\n", done.stderr


def test_the_probability_beside_a_label_is_the_answer_of_a_graph(numbers):
    answers = ONNX.predict(labelled(), numbers)

    assert ONNX.output(labelled()) == "probability"
    assert 0 <= answers.min() < answers.max() <= 1


def test_one_column_of_a_graph_is_a_number():
    assert ONNX.output(linear()) == "number"


def test_several_columns_of_a_graph_alone_are_refused_until_it_says_what_they_are(numbers):
    model = linear(columns=3)
    with pytest.raises(InvalidInput, match=r"answer: tensor\(float\)\[None, 3\]"):
        ONNX.output(model)

    helper.set_model_props(model, {"output": "class"})

    assert ONNX.output(model) == "class"
    assert set(ONNX.predict(model, numbers)) <= {0.0, 1.0, 2.0}


def test_a_graph_of_several_inputs_takes_columns_by_name(numbers):
    info = helper.make_tensor_value_info
    model = graph(
        [info("answer", TensorProto.DOUBLE, [None, 1])],
        [
            helper.make_node("Cast", ["hour"], ["h"], to=TensorProto.DOUBLE),
            helper.make_node("Sub", ["h", "temp"], ["answer"]),
        ],
        takes=[
            info("temp", TensorProto.DOUBLE, [None, 1]),
            info("hour", TensorProto.INT64, [None, 1]),
        ],
    )

    answers = ONNX.predict(model, numbers)

    expected = numbers["hour"].to_numpy() - numbers["temp"].to_numpy()
    np.testing.assert_allclose(answers, expected)


def test_a_graph_that_keeps_numbers_in_other_files_is_refused(tmp_path):
    model = linear()
    model.graph.initializer[0].data_location = TensorProto.EXTERNAL

    with pytest.raises(InvalidInput, match="keeps 'w' in a file beside it"):
        ONNX.save(model, folder=tmp_path)


@pytest.mark.parametrize(
    ("flavor", "model", "missing", "extra"),
    [
        (TORCH, net(), "safetensors.torch", "torch"),
        (TORCH, net(), "torch", "torch"),
        (KERAS, dense(1, "sigmoid"), "keras", "keras"),
        (ONNX, labelled(), "onnxruntime", "onnx"),
    ],
    ids=["safetensors", "torch", "keras", "onnxruntime"],
)
def test_nets_without_their_library_name_the_command(
    flavor, model, missing, extra, tmp_path, monkeypatch
):
    flavor.save(model, folder=tmp_path)
    monkeypatch.setitem(sys.modules, missing, None)

    with pytest.raises(MissingExtra, match=rf"pip install 'treadle\[{extra}\]'"):
        flavor.load(tmp_path)


def test_text_is_refused_by_nets_with_the_columns_name(flights):
    table = flights.select(["hour", "carrier"])

    with pytest.raises(InvalidInput, match="Column 'carrier' is string"):
        TORCH.predict(net(), table)


def test_more_rows_than_are_asked_at_once_are_answered_in_order(numbers, monkeypatch):
    monkeypatch.setattr(torch_flavor, "ROWS", 64)
    model = net().eval()

    answers = TORCH.predict(model, pa.concat_tables([numbers, numbers]))

    assert answers.shape == (400,)
    np.testing.assert_allclose(answers[200:], answers[:200], rtol=1e-5)
