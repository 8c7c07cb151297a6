"""What a training pipeline hands over: a model with everything needed to judge it."""

from __future__ import annotations

import msgspec
import pyarrow as pa

from treadle.analysis.leakage import FeatureProbe


class Trained(msgspec.Struct, frozen=True, kw_only=True):
    """A fitted model and its evidence; the last step of a training pipeline returns one.

    `model`: anything a flavor recognises. `example`: a few rows of its inputs. `metrics` and
    `baseline`: on the same held-out rows, by name. `heldout`: those rows with `at` (µs), `value`,
    `label` and one `x_NAME` per input; the monitor's reference once it serves. `probes`: each input
    alone against the target (`treadle.probe`). `params`: logged with the run.
    """

    model: object
    example: pa.Table
    metrics: dict[str, float]
    baseline: dict[str, float] = {}
    heldout: pa.Table | None = None
    probes: tuple[FeatureProbe, ...] = ()
    params: dict[str, str] = {}
    metadata: dict[str, str] = {}
