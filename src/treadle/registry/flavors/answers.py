"""What a model gave, as what a model must give."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from treadle.kernel.errors import InvalidInput

if TYPE_CHECKING:
    import numpy.typing as npt

    from treadle.registry.entities import Output

BINARY = MATRIX = 2


def as_answers(given: Any, *, rows: int) -> npt.NDArray[np.float64]:
    """Return one float64 for each row. Raises InvalidInput when there are not as many numbers."""
    try:
        answers = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidInput(
            f"The model's answer is no array of numbers but {type(given).__name__}: {error}.",
            hint="Answer with one number for each row.",
        ) from error
    if answers.shape == (rows, 1):
        answers = answers[:, 0]
    if answers.shape != (rows,):
        raise InvalidInput(
            f"The model answered {rows} rows with an array of shape {answers.shape}.",
            hint=f"Answer with one number for each row: shape ({rows},).",
        )
    return answers


def one_column(given: Any, *, rows: int, output: Output) -> npt.NDArray[np.float64]:
    """Return one float64 for each row of what may be a column for each class.

    Of two columns of probabilities the second counts, of columns for classes the greatest one's
    place. Raises InvalidInput when that leaves no single number a row.
    """
    wide = np.asarray(given)
    if wide.ndim == MATRIX and wide.shape[1] > 1:
        if output == "class":
            wide = wide.argmax(axis=1)
        elif output == "probability" and wide.shape[1] == BINARY:
            wide = wide[:, 1]
    return as_answers(wide, rows=rows)
