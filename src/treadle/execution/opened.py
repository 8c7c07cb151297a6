"""The metadata store of a home, as a worker and the work it does share it."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from treadle.kernel.clock import PlayedClock, SystemClock
from treadle.storage.metadata import SqlMetadataStore

if TYPE_CHECKING:
    from treadle.kernel.settings import Settings


@functools.cache
def metadata_of(settings: Settings) -> SqlMetadataStore:
    """Return this process's one store of a home; whoever made the home has migrated it."""
    played = settings.clock == "played"
    clock = PlayedClock(settings.home / "clock") if played else SystemClock()
    return SqlMetadataStore(settings.where_metadata(), clock=clock)
