from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from treadle.storage.stores import open_blobs
from treadle.testing.blobs import BlobsContract

if TYPE_CHECKING:
    from pathlib import Path

    from treadle.storage.ports import Blobs


class TestFolder(BlobsContract):
    @pytest.fixture
    def blobs(self, tmp_path: Path) -> Blobs:
        return open_blobs((tmp_path / "shared").as_uri())

    @pytest.fixture
    def reopened(self, tmp_path: Path) -> Blobs:
        return open_blobs((tmp_path / "shared").as_uri())


class TestS3(BlobsContract):
    @pytest.fixture
    def blobs(self, s3_url: str) -> Blobs:
        return open_blobs(s3_url)

    @pytest.fixture
    def reopened(self, s3_url: str) -> Blobs:
        return open_blobs(s3_url)
