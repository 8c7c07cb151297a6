"""The model that serves: code tables and boosted trees behind one `predict`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from treadle.demo import faults
from treadle.demo.features import FEATURES, CodeTables, encode

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class LateModel:
    """Takes flights as people write them (`carrier` "UA") and answers how likely each is late."""

    codes: CodeTables
    trees: Any
    features: tuple[str, ...] = FEATURES
    # The injected fault: a candidate whose serving side reads temperatures in the wrong unit.
    celsius: bool = field(default=False)
    output: str = "probability"

    def predict(self, table: pa.Table) -> NDArray[np.float64]:
        """Return the probability of being more than 15 minutes late, one per row."""
        matrix = encode(table, codes=self.codes, features=self.features)
        if self.celsius:
            matrix = faults.in_celsius(matrix, features=self.features)
        probabilities: NDArray[np.float64] = self.trees.predict_proba(matrix)[:, 1]
        return probabilities
