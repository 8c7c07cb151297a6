from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from treadle.storage.blobs.probing import is_honest
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


class InBucket(BlobsContract):
    @pytest.fixture
    def blobs(self, url: str) -> Blobs:
        return open_blobs(url)

    @pytest.fixture
    def reopened(self, url: str) -> Blobs:
        return open_blobs(url)


class TestS3(InBucket):
    @pytest.fixture
    def url(self, s3_url: str) -> str:
        return s3_url


class TestSwift(InBucket):
    @pytest.fixture
    def url(self, swift_url: str) -> str:
        return swift_url

    def test_of_many_who_create_at_once_one_wins(self, blobs: Blobs, reopened: Blobs) -> None:
        """Swift judges rightly only one after the other; what matters is that this is seen."""
        assert not is_honest(blobs)


class TestAzure(InBucket):
    @pytest.fixture
    def url(self, azure_url: str) -> str:
        return azure_url
