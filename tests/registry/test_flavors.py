from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    OrdinalEncoder,
    StandardScaler,
)
from sklearn.svm import LinearSVC

from treadle.errors import InvalidInput, MissingExtra, Refused
from treadle.registry.flavors import sklearn as sklearn_flavor
from treadle.registry.flavors.callable import CallableFlavor
from treadle.registry.flavors.sklearn import SklearnFlavor
from treadle.testing.flavors import ModelFlavorContract

SKLEARN = SklearnFlavor()
CALLABLE = CallableFlavor()


class Threshold(ClassifierMixin, BaseEstimator):
    """An estimator of a user's own project."""

    def __init__(self, at=0.0):
        self.at = at

    def fit(self, X, y):  # noqa: N803 - scikit-learn's own name
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):  # noqa: N803
        late = (np.asarray(X)[:, 0] > self.at) * 0.5 + 0.25
        return np.column_stack([1 - late, late])

    def predict(self, X):  # noqa: N803
        return self.classes_[(self.predict_proba(X)[:, 1] > 0.5).astype(int)]


class Composite:
    """An encoder beside a model: what the callable flavor is for."""

    output = "probability"

    def __init__(self, model, carriers):
        self.model = model
        self.carriers = carriers

    def predict(self, table):
        codes = pc.index_in(table["carrier"], pa.array(self.carriers)).to_numpy()
        return self.model.predict_proba(np.column_stack([table["hour"].to_numpy(), codes]))[:, 1]


class TestSklearn(ModelFlavorContract):
    @pytest.fixture
    def flavor(self):
        return SKLEARN

    @pytest.fixture
    def model(self, boosted):
        return boosted

    @pytest.fixture
    def table(self, numbers):
        return numbers

    @pytest.fixture
    def unsaveable(self, flights, late):
        two = np.column_stack([late, late])
        return RandomForestClassifier(n_estimators=2).fit(flights["temp"].to_numpy()[:, None], two)


class TestCallable(ModelFlavorContract):
    @pytest.fixture
    def flavor(self):
        return CALLABLE

    @pytest.fixture
    def model(self, flights, late):
        codes = flights["carrier"].dictionary_encode().combine_chunks()
        matrix = np.column_stack([flights["hour"].to_numpy(), codes.indices.to_numpy()])
        fitted = HistGradientBoostingClassifier(max_iter=5, random_state=0).fit(matrix, late)
        return Composite(fitted, codes.dictionary.to_pylist())

    @pytest.fixture
    def table(self, flights):
        return flights

    @pytest.fixture
    def unsaveable(self):
        lock = threading.Lock()
        return lambda table: [lock.locked()] * table.num_rows


def saved_and_loaded(flavor, model, folder):
    remembered = flavor.save(model, folder=folder)
    return remembered, flavor.load(folder)


def test_boosting_is_saved_by_skops(boosted, tmp_path):
    remembered, _ = saved_and_loaded(SKLEARN, boosted, tmp_path)

    assert remembered["format"] == "skops"
    assert remembered["classes"] == [0, 1]
    assert set(remembered["libraries"]) == {"python", "scikit-learn", "skops"}
    assert [file.name for file in tmp_path.iterdir()] == ["model.skops"]


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(
            lambda: make_pipeline(StandardScaler(), LogisticRegression()), id="scaled-logistic"
        ),
        pytest.param(lambda: RandomForestClassifier(n_estimators=3), id="forest"),
        pytest.param(LinearRegression, id="regression"),
        pytest.param(
            lambda: make_pipeline(
                FunctionTransformer(np.log1p, validate=True), LogisticRegression()
            ),
            id="numpy-function",
        ),
    ],
)
def test_pipelines_and_common_estimators_are_saved_by_skops(make, numbers, late, tmp_path):
    matrix = np.abs(np.column_stack([c.to_numpy() for c in numbers.columns]))
    model = make().fit(matrix, late)
    table = pa.table(dict(zip(["hour", "temp"], matrix.T, strict=True)))

    remembered, loaded = saved_and_loaded(SKLEARN, model, tmp_path)

    assert remembered["format"] == "skops"
    np.testing.assert_array_equal(SKLEARN.predict(loaded, table), SKLEARN.predict(model, table))


def test_text_is_encoded_by_place_in_a_matrix(flights, late, tmp_path):
    objects = np.column_stack([c.to_numpy().astype(object) for c in flights.columns])
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    model = make_pipeline(
        ColumnTransformer([("carrier", encoder, [3])], remainder="passthrough"),
        HistGradientBoostingClassifier(max_iter=5, categorical_features=[0], random_state=0),
    ).fit(objects, late)

    remembered, loaded = saved_and_loaded(SKLEARN, model, tmp_path)

    assert remembered["format"] == "skops"
    expected = model.predict_proba(objects)[:, 1]
    np.testing.assert_array_equal(SKLEARN.predict(loaded, flights), expected)


def test_columns_are_found_by_name_in_a_frame(flights, late):
    pytest.importorskip("pandas", reason="only who fits on frames has it")
    frame = flights.to_pandas()
    model = make_pipeline(
        ColumnTransformer([("carrier", OrdinalEncoder(), ["carrier"])], remainder="passthrough"),
        HistGradientBoostingClassifier(max_iter=5, random_state=0),
    ).fit(frame, late)

    answers = SKLEARN.predict(model, flights)

    np.testing.assert_array_equal(answers, model.predict_proba(frame)[:, 1])


def test_categories_reach_a_model_that_was_fitted_on_them(flights, late):
    pytest.importorskip("pandas", reason="only who fits on frames has it")
    place = flights.schema.get_field_index("carrier")
    table = flights.set_column(place, "carrier", flights["carrier"].dictionary_encode())
    model = HistGradientBoostingClassifier(max_iter=5, random_state=0)
    model.fit(table.to_pandas(), late)

    answers = SKLEARN.predict(model, table)

    np.testing.assert_array_equal(answers, model.predict_proba(table.to_pandas())[:, 1])


def test_missing_numbers_reach_the_model_as_nan(boosted):
    table = pa.table({"hour": pa.array([None, 3]), "temp": pa.array([1.0, None])})

    answers = SKLEARN.predict(boosted, table)

    expected = boosted.predict_proba(np.array([[np.nan, 1.0], [3.0, np.nan]]))[:, 1]
    np.testing.assert_array_equal(answers, expected)


def test_a_table_it_was_fitted_on_needs_no_frame(numbers, late):
    model = HistGradientBoostingClassifier(max_iter=5, random_state=0).fit(numbers, late)

    answers = SKLEARN.predict(model, numbers)

    np.testing.assert_array_equal(answers, model.predict_proba(numbers)[:, 1])


LINES = {
    "scaled": lambda: make_pipeline(StandardScaler(), LogisticRegression()),
    "imputed": lambda: make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression()),
    "encoded": lambda: make_pipeline(
        KBinsDiscretizer(n_bins=3, strategy="uniform"), LogisticRegression()
    ),
}
FRAMED = {
    "a function": lambda: make_pipeline(FunctionTransformer(lambda f: f[["temp"]]), Threshold()),
    "a set output": lambda: make_pipeline(
        StandardScaler().set_output(transform="pandas"), LogisticRegression()
    ),
    "the user's own": lambda: make_pipeline(StandardScaler(), Threshold()),
}


@pytest.mark.parametrize("name", LINES)
def test_scikit_learns_own_steps_in_a_line_need_no_frame(name, numbers, late, monkeypatch):
    frame = pytest.importorskip("pandas") and numbers.to_pandas()
    model = LINES[name]().fit(frame, late)
    table = numbers.set_column(0, "hour", pa.array([None, *numbers["hour"].to_pylist()[1:]]))
    table = table if name == "imputed" else numbers
    expected = model.predict_proba(table.to_pandas())[:, 1]
    monkeypatch.setattr(sklearn_flavor, "_has_pandas", lambda: pytest.fail("a frame was made"))

    np.testing.assert_allclose(SKLEARN.predict(model, table), expected, rtol=1e-12)


@pytest.mark.parametrize("name", FRAMED)
def test_a_step_that_may_ask_for_names_gets_a_frame(name, numbers, late):
    frame = pytest.importorskip("pandas") and numbers.to_pandas()
    model = FRAMED[name]().fit(frame, late)

    assert type(sklearn_flavor._features(model, numbers)) is type(frame)
    np.testing.assert_array_equal(SKLEARN.predict(model, numbers), model.predict_proba(frame)[:, 1])


def test_several_classes_are_answered_by_their_place(flights, tmp_path):
    matrix = np.column_stack([flights["hour"].to_numpy(), flights["temp"].to_numpy()])
    carriers = flights["carrier"].to_numpy().astype(str)
    model = RandomForestClassifier(n_estimators=20, random_state=0).fit(matrix, carriers)

    remembered = SKLEARN.save(model, folder=tmp_path)
    answers = SKLEARN.predict(model, flights.select(["hour", "temp"]))

    assert SKLEARN.output(model) == "class"
    assert remembered["classes"] == ["AA", "B6", "UA"]
    assert [remembered["classes"][int(a)] for a in answers] == model.predict(matrix).tolist()


def test_a_classifier_without_probabilities_answers_classes(numbers, late):
    matrix = np.column_stack([c.to_numpy() for c in numbers.columns])
    model = LinearSVC().fit(StandardScaler().fit_transform(matrix), late)

    assert SKLEARN.output(model) == "class"


def test_a_regression_answers_numbers(numbers, late):
    matrix = np.column_stack([c.to_numpy() for c in numbers.columns])

    assert SKLEARN.output(LinearRegression().fit(matrix, late)) == "number"


def test_what_skops_does_not_know_is_pickled_and_marked(numbers, late, tmp_path):
    model = Threshold(at=12).fit(None, late)

    remembered, loaded = saved_and_loaded(SKLEARN, model, tmp_path)

    assert remembered["format"] == "cloudpickle"
    assert remembered["unknown_to_skops"] == [f"{Threshold.__module__}.Threshold"]
    assert [file.name for file in tmp_path.iterdir()] == ["model.pkl"]
    np.testing.assert_array_equal(SKLEARN.predict(loaded, numbers), SKLEARN.predict(model, numbers))


def test_a_skops_file_with_a_type_that_is_not_trusted_is_refused(boosted, tmp_path, monkeypatch):
    SKLEARN.save(boosted, folder=tmp_path)
    monkeypatch.setattr(sklearn_flavor, "TRUSTED", frozenset())

    with pytest.raises(Refused, match="TreePredictor"):
        SKLEARN.load(tmp_path)


@pytest.mark.parametrize("module", ["sklearn", "skops.io"])
def test_a_missing_extra_is_named_with_its_command(boosted, tmp_path, monkeypatch, module):
    SKLEARN.save(boosted, folder=tmp_path)
    monkeypatch.setitem(sys.modules, module, None)

    with pytest.raises(MissingExtra, match=r"pip install 'treadle\[sklearn\]'"):
        SKLEARN.load(tmp_path)


def test_code_of_the_users_own_project_is_loaded_where_the_project_is_not(
    flights, tmp_path, monkeypatch
):
    project, saved = tmp_path / "project", tmp_path / "saved"
    project.mkdir()
    saved.mkdir()
    (project / "owncode.py").write_text(
        "import threading\nHALF = 0.5\ndef half():\n    return HALF\n"
        "def predict(table):\n    return [half()] * table.num_rows\n"
    )
    monkeypatch.syspath_prepend(project)
    import owncode  # noqa: PLC0415 - it has just been written

    CALLABLE.save(owncode.predict, folder=saved)
    script = (
        "import pathlib, pyarrow as pa\n"
        "from treadle.registry.flavors.callable import CallableFlavor as F\n"
        f"model = F().load(pathlib.Path({str(saved)!r}))\n"
        "print(F().predict(model, pa.table({'a': [1, 2]})).tolist())\n"
    )
    source = str(Path(sklearn_flavor.__file__).parents[3])
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONPATH": source},
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )

    assert (done.stdout, done.stderr) == ("[0.5, 0.5]\n", "")


def test_importing_the_flavors_imports_neither_sklearn_nor_pandas():
    script = (
        "import sys, treadle.registry.service\n"
        "print(sorted({'sklearn', 'skops', 'pandas', 'duckdb'} & set(sys.modules)))"
    )
    source = str(Path(sklearn_flavor.__file__).parents[3])
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONPATH": source},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("answer", "rule"),
    [
        (lambda t: ["yes"] * t.num_rows, "no array of numbers"),
        (lambda t: 0.5, r"shape \(\)"),
        (lambda t: [0.5], r"shape \(1,\)"),
        (lambda t: np.zeros((t.num_rows, 2)), r"shape \(200, 2\)"),
        (lambda t: None, "no array of numbers|shape"),
    ],
    ids=["text", "scalar", "too-few", "too-wide", "nothing"],
)
def test_an_answer_that_is_not_one_number_a_row_is_refused(numbers, answer, rule):
    with pytest.raises(InvalidInput, match=rule):
        CALLABLE.predict(answer, numbers)


def test_a_column_of_answers_and_an_arrow_array_are_taken(numbers):
    rows = numbers.num_rows

    assert CALLABLE.predict(lambda t: np.ones((rows, 1)), numbers).shape == (rows,)
    assert CALLABLE.predict(lambda t: t["hour"], numbers).dtype == np.float64
