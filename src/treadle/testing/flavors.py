"""What every ModelFlavor must do. Subclass the suite and give it your flavor, a model, a table."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from treadle.kernel.errors import InvalidInput

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from treadle.registry.ports import ModelFlavor


class ModelFlavorContract:
    """Override the four fixtures; every test must pass.

    `relative` is how far the answer of one row may be from its answer among others: what computes
    in single precision sums a matrix of another shape in another order.
    """

    relative = 1e-9

    @pytest.fixture
    def flavor(self) -> ModelFlavor:
        """The flavor under test."""
        raise pytest.UsageError("Give the suite a fixture named flavor")

    @pytest.fixture
    def model(self) -> Any:
        """A model it recognises, ready to be asked."""
        raise pytest.UsageError("Give the suite a fixture named model")

    @pytest.fixture
    def table(self) -> pa.Table:
        """A table of at least three rows that the model can be asked."""
        raise pytest.UsageError("Give the suite a fixture named table")

    @pytest.fixture
    def unsaveable(self) -> Any:
        """A model it recognises and cannot save, for what it holds."""
        raise pytest.UsageError("Give the suite a fixture named unsaveable")

    def test_its_own_model_is_recognised_and_anything_is_not(
        self, flavor: ModelFlavor, model: Any
    ) -> None:
        assert flavor.recognises(model)
        assert not flavor.recognises(object())
        assert not flavor.recognises(type(model))

    def test_it_answers_one_float64_for_each_row(
        self, flavor: ModelFlavor, model: Any, table: pa.Table
    ) -> None:
        answers = flavor.predict(model, table)

        assert answers.dtype == np.float64
        assert answers.shape == (table.num_rows,)

    def test_one_row_is_answered_as_it_is_among_others(
        self, flavor: ModelFlavor, model: Any, table: pa.Table
    ) -> None:
        among_others = flavor.predict(model, table)

        alone = flavor.predict(model, table.slice(1, 1))

        np.testing.assert_allclose(alone, among_others[1:2], rtol=self.relative)

    def test_the_output_is_one_of_the_three(self, flavor: ModelFlavor, model: Any) -> None:
        assert flavor.output(model) in {"probability", "class", "number"}

    def test_a_probability_lies_between_zero_and_one(
        self, flavor: ModelFlavor, model: Any, table: pa.Table
    ) -> None:
        if flavor.output(model) != "probability":
            pytest.skip("This model answers no probability.")

        answers = flavor.predict(model, table)

        assert ((answers >= 0) & (answers <= 1)).all()

    def test_a_loaded_model_answers_as_the_saved_one(
        self, flavor: ModelFlavor, model: Any, table: pa.Table, tmp_path: Path
    ) -> None:
        flavor.save(model, folder=tmp_path)

        loaded = flavor.load(tmp_path)

        assert flavor.output(loaded) == flavor.output(model)
        np.testing.assert_array_equal(flavor.predict(loaded, table), flavor.predict(model, table))

    def test_saving_says_the_format_and_the_libraries(
        self, flavor: ModelFlavor, model: Any, tmp_path: Path
    ) -> None:
        remembered = flavor.save(model, folder=tmp_path)

        assert remembered["format"]
        assert remembered["libraries"]["python"]
        assert any(tmp_path.iterdir())

    def test_a_loaded_model_outlives_its_folder(
        self, flavor: ModelFlavor, model: Any, table: pa.Table, tmp_path: Path
    ) -> None:
        flavor.save(model, folder=tmp_path)
        loaded = flavor.load(tmp_path)
        for file in tmp_path.iterdir():
            file.unlink()

        assert len(flavor.predict(loaded, table)) == table.num_rows

    def test_several_threads_get_the_same_answers(
        self, flavor: ModelFlavor, model: Any, table: pa.Table
    ) -> None:
        expected, given = flavor.predict(model, table), {}

        def ask(place: int) -> None:
            given[place] = flavor.predict(model, table)

        threads = [threading.Thread(target=ask, args=(place,)) for place in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert len(given) == len(threads)
        assert all(np.array_equal(answers, expected) for answers in given.values())

    def test_what_cannot_be_saved_is_refused_with_its_reason(
        self, flavor: ModelFlavor, unsaveable: Any, tmp_path: Path
    ) -> None:
        assert flavor.recognises(unsaveable)

        with pytest.raises(InvalidInput):
            flavor.save(unsaveable, folder=tmp_path)
