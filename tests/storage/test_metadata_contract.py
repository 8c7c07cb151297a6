from __future__ import annotations

from treadle.testing.stores import MetadataStoreContract


class TestSqlMetadataStore(MetadataStoreContract):
    """The fixtures run it on SQLite and on PostgreSQL."""
