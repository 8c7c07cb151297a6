"""What the verbs of tracing work on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from treadle.storage.ports import MetadataStore
    from treadle.tracking.service import Tracking


class Doors:
    """The stores behind tracing; the verbs are plain functions that take them as `self`."""

    def __init__(self, *, store: MetadataStore, tracking: Tracking) -> None:
        self.metadata = store
        self.tracking = tracking
        # Threads that log at once share one commit, whatever they log.
        self.together = tracking.together
