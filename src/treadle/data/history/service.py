"""The verbs on a dataset's history: branches, tags, log, merge, removal."""

from __future__ import annotations

from treadle.data.history.appliers import Appliers
from treadle.data.history.descent import Descent
from treadle.data.history.mergers import Mergers
from treadle.data.history.removals import Removals


class History(Descent, Mergers, Appliers, Removals):
    """Knows how versions descend from each other, merges and removes them, brings them back."""
