"""Models by way of a server: the unmodified client of MLflow on one side, ours on the other."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest

from tests.registry.with_mlflow import run_with_mlflow
from treadle.app import App
from treadle.kernel.settings import Settings
from treadle.server.control import ControlServer


@pytest.fixture(scope="module")
def through(tmp_path_factory, boosted, numbers):
    """What the client told, and the registry behind the server it told it to."""
    folder = tmp_path_factory.mktemp("through")
    with App(Settings(home=folder / "home")) as app, ControlServer(app, port=0) as server:
        example = numbers.set_column(0, "hour", numbers["hour"].cast(pa.float64()))
        app.registry.register("ours", boosted, example=example)
        app.registry.set_alias("ours", "champion", 1)
        (folder / "address.txt").write_text(server.url)
        told = json.loads(run_with_mlflow("through", folder, both=False, cwd=folder))
        yield told, app.registry


@pytest.mark.parametrize("place", ["models:/ours/1", "models:/ours@champion", "estimator"])
def test_a_version_of_ours_answers_by_mlflows_addresses(place, through):
    told, registry = through

    answers = np.asarray(told["answers"][place])[:, 1]

    expected = registry.load("ours@champion").predict(pa.table(told["rows"]))
    np.testing.assert_allclose(answers, expected, rtol=1e-9)


@pytest.mark.parametrize("place", ["models:/theirs/1", "models:/theirs@best", "runs:/"])
def test_a_version_of_theirs_answers_by_their_addresses(place, through):
    told, _ = through

    assert told["answers"][place] == told["labels"]


def test_a_version_of_theirs_is_loaded_by_us(through):
    told, registry = through

    loaded = registry.load("theirs@best")

    answers = loaded.predict(pa.table(told["rows"]))
    assert loaded.version.signature.output == "probability"
    assert (answers > 0.5).astype(int).tolist() == told["labels"]
