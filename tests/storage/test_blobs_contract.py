from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

from treadle.kernel.errors import Corrupt
from treadle.storage.blobs.probing import is_honest
from treadle.storage.ports import Span
from treadle.storage.stores import open_blobs, open_objects, sealed_blobs
from treadle.testing.blobs import BlobsContract, read

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


class Sealed(BlobsContract):
    """Blobs that are encrypted keep the same contract, wherever they lie."""

    @pytest.fixture
    def blobs(self, url: str, tmp_path: Path) -> Blobs:
        return opened(url, tmp_path)

    @pytest.fixture
    def reopened(self, url: str, tmp_path: Path) -> Blobs:
        return opened(url, tmp_path)


class TestSealedS3(Sealed):
    @pytest.fixture
    def url(self, s3_url: str) -> str:
        return s3_url


class TestSealedFolder(Sealed):
    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return (tmp_path / "shared").as_uri()

    def test_what_lies_there_says_nothing(self, blobs: Blobs, tmp_path: Path) -> None:
        blobs.put("records/one", io.BytesIO(b"secret " * 20_000))

        files = [path for path in (tmp_path / "shared").rglob("*") if path.is_file()]
        assert not any(b"secret" in path.read_bytes() for path in files)

    @pytest.mark.parametrize("at", [3, 100, 70_000, -1])
    @pytest.mark.parametrize("span", [None, Span(0, 140_000)])
    def test_a_flipped_bit_is_refused(
        self, blobs: Blobs, tmp_path: Path, at: int, span: Span | None
    ) -> None:
        blobs.put("packs/one", io.BytesIO(b"secret " * 20_000))
        path = tmp_path / "shared" / "packs" / "one"
        stored = bytearray(path.read_bytes())
        stored[at] ^= 1
        path.write_bytes(stored)

        with pytest.raises(Corrupt, match="packs/one is not what was encrypted"):
            read(blobs, "packs/one", span=span)

    def test_one_in_anothers_place_is_refused(self, blobs: Blobs, tmp_path: Path) -> None:
        for key in ("refs/new", "refs/old"):
            blobs.put(key, io.BytesIO(key.encode()))
        (tmp_path / "shared" / "refs" / "old").replace(tmp_path / "shared" / "refs" / "new")

        with pytest.raises(Corrupt, match="refs/new is not what was encrypted"):
            blobs.open("refs/new")

    def test_what_is_large_is_read_in_parts(
        self, blobs: Blobs, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("treadle.storage.encryption.blobs.AT_ONCE_BYTES", 100_000)
        blobs.put("objects/one", io.BytesIO(b"secret " * 20_000))

        assert read(blobs, "objects/one") == b"secret " * 20_000


def opened(url: str, home: Path) -> Blobs:
    objects = open_objects((home / "objects").as_uri(), key="5e" * 32)
    return sealed_blobs(url, open_blobs(url), objects=objects)
