from __future__ import annotations

import sys

import lightgbm
import numpy as np
import pyarrow as pa
import pytest
import xgboost
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from treadle.errors import InvalidInput, MissingExtra
from treadle.registry.flavors.known import FLAVORS
from treadle.registry.flavors.lightgbm import LightgbmFlavor
from treadle.registry.flavors.xgboost import XgboostFlavor
from treadle.testing.flavors import ModelFlavorContract

XGBOOST, LIGHTGBM = XgboostFlavor(), LightgbmFlavor()
QUIET = {"verbose": -1, "min_child_samples": 5, "n_estimators": 5}


def matrix(table):
    return np.column_stack([column.to_numpy() for column in table.columns])


class TestXgboost(ModelFlavorContract):
    @pytest.fixture
    def flavor(self):
        return XGBOOST

    @pytest.fixture
    def model(self, numbers, late):
        return xgboost.XGBClassifier(n_estimators=5).fit(matrix(numbers), late)

    @pytest.fixture
    def table(self, numbers):
        return numbers

    @pytest.fixture
    def unsaveable(self, numbers):
        return xgboost.XGBRegressor(n_estimators=2).fit(matrix(numbers), matrix(numbers))


class TestLightgbm(ModelFlavorContract):
    @pytest.fixture
    def flavor(self):
        return LIGHTGBM

    @pytest.fixture
    def model(self, numbers, late):
        return lightgbm.LGBMClassifier(**QUIET).fit(matrix(numbers), late)

    @pytest.fixture
    def table(self, numbers):
        return numbers

    @pytest.fixture
    def unsaveable(self):
        return lightgbm.LGBMClassifier()


def reloaded(flavor, model, folder):
    flavor.save(model, folder=folder)
    return flavor.load(folder)


@pytest.mark.parametrize(
    ("flavor", "model"),
    [
        (XGBOOST, xgboost.XGBClassifier(n_estimators=5)),
        (LIGHTGBM, lightgbm.LGBMClassifier(**QUIET)),
    ],
    ids=["xgboost", "lightgbm"],
)
def test_a_classifier_of_two_answers_its_own_probability(flavor, model, numbers, late, tmp_path):
    model.fit(matrix(numbers), late)

    answers = flavor.predict(reloaded(flavor, model, tmp_path), numbers)

    assert flavor.output(model) == "probability"
    expected = model.predict_proba(matrix(numbers))[:, 1]
    np.testing.assert_allclose(answers, expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("flavor", "model"),
    [
        (XGBOOST, xgboost.XGBClassifier(n_estimators=5)),
        (XGBOOST, xgboost.XGBClassifier(n_estimators=5, objective="multi:softmax")),
        (LIGHTGBM, lightgbm.LGBMClassifier(**QUIET)),
    ],
    ids=["xgboost", "xgboost-softmax", "lightgbm"],
)
def test_a_classifier_of_several_answers_the_place_of_its_class(flavor, model, numbers, tmp_path):
    three = numbers["hour"].to_numpy() % 3
    model.fit(matrix(numbers), three)

    remembered = flavor.save(model, folder=tmp_path)
    answers = flavor.predict(flavor.load(tmp_path), numbers)

    assert flavor.output(model) == "class"
    assert remembered["classes"] == [0, 1, 2]
    np.testing.assert_array_equal(answers, model.predict(matrix(numbers)))


def test_names_of_classes_are_remembered_by_lightgbm(numbers, flights, tmp_path):
    carriers = flights["carrier"].to_numpy().astype(str)
    model = lightgbm.LGBMClassifier(**QUIET).fit(matrix(numbers), carriers)

    remembered = LIGHTGBM.save(model, folder=tmp_path)
    answers = LIGHTGBM.predict(model, numbers)

    assert remembered["classes"] == ["AA", "B6", "UA"]
    named = [remembered["classes"][int(a)] for a in answers]
    assert named == model.predict(matrix(numbers)).tolist()


@pytest.mark.parametrize(
    ("flavor", "model"),
    [
        (XGBOOST, xgboost.XGBRegressor(n_estimators=5)),
        (LIGHTGBM, lightgbm.LGBMRegressor(**QUIET)),
    ],
    ids=["xgboost", "lightgbm"],
)
def test_a_regression_of_trees_answers_numbers(flavor, model, numbers, tmp_path):
    model.fit(matrix(numbers), numbers["temp"].to_numpy())

    answers = flavor.predict(reloaded(flavor, model, tmp_path), numbers)

    assert flavor.output(model) == "number"
    np.testing.assert_allclose(answers, model.predict(matrix(numbers)), rtol=1e-6)


@pytest.mark.parametrize("flavor", [XGBOOST, LIGHTGBM], ids=["xgboost", "lightgbm"])
def test_training_that_stopped_early_is_answered_by_its_best_round(flavor, numbers, late, tmp_path):
    data, other = matrix(numbers), 1 - late
    if flavor is XGBOOST:
        model = xgboost.XGBClassifier(n_estimators=30, early_stopping_rounds=3)
        model.fit(data, late, eval_set=[(data, other)], verbose=False)
    else:
        model = lightgbm.LGBMClassifier(**{**QUIET, "n_estimators": 30})
        stop = lightgbm.early_stopping(3, verbose=False)
        model.fit(data, late, eval_X=(data,), eval_y=(other,), callbacks=[stop])

    answers = flavor.predict(reloaded(flavor, model, tmp_path), numbers)

    np.testing.assert_allclose(answers, model.predict_proba(data)[:, 1], rtol=1e-6)


@pytest.mark.parametrize("flavor", [XGBOOST, LIGHTGBM], ids=["xgboost", "lightgbm"])
def test_categories_are_answered_by_their_name_and_not_by_their_code(
    flavor, flights, late, tmp_path
):
    table = pa.table({"carrier": flights["carrier"].dictionary_encode(), "hour": flights["hour"]})
    target = (flights["carrier"].to_numpy() == "UA").astype(int)
    if flavor is XGBOOST:
        model = xgboost.XGBClassifier(n_estimators=5, enable_categorical=True)
    else:
        model = lightgbm.LGBMClassifier(**QUIET)
    model.fit(table.to_pandas(), target)
    loaded = reloaded(flavor, model, tmp_path)
    rows = [flights["carrier"].to_pylist().index(name) for name in ("UA", "AA", "B6")]

    among_all = flavor.predict(loaded, table)[rows]
    few = pa.table(
        {
            "carrier": pa.array(["UA", "AA", "B6"]).dictionary_encode(),
            "hour": pa.array([flights["hour"][row].as_py() for row in rows]),
        }
    )

    np.testing.assert_allclose(flavor.predict(loaded, few), among_all, rtol=1e-6)
    assert among_all[0] > max(among_all[1:])


@pytest.mark.parametrize("flavor", [XGBOOST, LIGHTGBM], ids=["xgboost", "lightgbm"])
def test_columns_go_by_their_names_where_names_were_fitted(flavor, numbers, late, tmp_path):
    kind = xgboost.XGBClassifier if flavor is XGBOOST else lightgbm.LGBMClassifier
    options = {"n_estimators": 5} if flavor is XGBOOST else QUIET
    model = kind(**options).fit(numbers.to_pandas(), late)
    loaded = reloaded(flavor, model, tmp_path)

    turned = flavor.predict(loaded, numbers.select(["temp", "hour"]))

    np.testing.assert_array_equal(turned, flavor.predict(loaded, numbers))
    with pytest.raises(InvalidInput, match=r"'hour', which is not in .* 'hours'; is that it"):
        flavor.predict(loaded, numbers.rename_columns(["hours", "temp"]))


@pytest.mark.parametrize("flavor", [XGBOOST, LIGHTGBM], ids=["xgboost", "lightgbm"])
def test_text_is_refused_by_trees_with_the_columns_name(flavor, flights, numbers, late):
    kind = xgboost.XGBClassifier if flavor is XGBOOST else lightgbm.LGBMClassifier
    options = {"n_estimators": 5} if flavor is XGBOOST else QUIET
    model = kind(**options).fit(matrix(numbers), late)

    with pytest.raises(InvalidInput, match="Column 'carrier' is string"):
        flavor.predict(model, flights.select(["hour", "carrier"]))


@pytest.mark.parametrize("flavor", [XGBOOST, LIGHTGBM], ids=["xgboost", "lightgbm"])
def test_missing_numbers_reach_the_trees_as_missing(flavor, numbers, late):
    kind = xgboost.XGBClassifier if flavor is XGBOOST else lightgbm.LGBMClassifier
    options = {"n_estimators": 5} if flavor is XGBOOST else QUIET
    model = kind(**options).fit(matrix(numbers), late)
    table = pa.table({"hour": pa.array([None, 3]), "temp": pa.array([1.0, None])})

    answers = flavor.predict(model, table)

    expected = model.predict_proba(np.array([[np.nan, 1.0], [3.0, np.nan]]))[:, 1]
    np.testing.assert_allclose(answers, expected, rtol=1e-6)


def test_a_value_of_its_own_for_missing_is_refused_because_the_file_would_forget_it(numbers, late):
    model = xgboost.XGBClassifier(n_estimators=2, missing=-999.0).fit(matrix(numbers), late)

    with pytest.raises(InvalidInput, match=r"takes -999\.0 for missing"):
        XGBOOST.output(model)


@pytest.mark.parametrize(
    ("model", "name"),
    [
        (xgboost.XGBClassifier(), "xgboost"),
        (lightgbm.LGBMRegressor(), "lightgbm"),
        (make_pipeline(StandardScaler(), xgboost.XGBClassifier()), "sklearn"),
    ],
    ids=["xgboost", "lightgbm", "pipeline"],
)
def test_the_special_flavor_takes_a_model_before_scikit_learn(model, name):
    assert next(flavor.name for flavor in FLAVORS if flavor.recognises(model)) == name


@pytest.mark.parametrize("flavor", [XGBOOST, LIGHTGBM], ids=["xgboost", "lightgbm"])
def test_trees_without_their_library_name_the_command(flavor, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, flavor.name, None)

    with pytest.raises(MissingExtra, match=rf"pip install 'treadle\[{flavor.name}\]'"):
        flavor.load(tmp_path)


def test_trees_are_saved_in_their_own_formats(numbers, late, tmp_path):
    boosted = xgboost.XGBClassifier(n_estimators=2).fit(matrix(numbers), late)
    light = lightgbm.LGBMClassifier(**QUIET).fit(matrix(numbers), late)

    x, g = XGBOOST.save(boosted, folder=tmp_path), LIGHTGBM.save(light, folder=tmp_path)

    assert (x["format"], g["format"]) == ("ubjson", "lightgbm text")
    assert (x["objective"], g["objective"]) == ("binary:logistic", "binary")
    assert {path.name for path in tmp_path.iterdir()} == {"model.ubj", "model.txt"}
