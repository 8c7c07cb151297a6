from __future__ import annotations

from typing import TYPE_CHECKING

import obstore
import pytest

from treadle.storage.buckets import open_bucket
from treadle.storage.objects import FolderObjectStore
from treadle.storage.stores import drafts_of, open_objects
from treadle.testing.stores import DraftsContract, ObjectStoreContract

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from treadle.storage.ports import Drafts, ObjectStore


class TestFolder(ObjectStoreContract):
    @pytest.fixture
    def objects(self, tmp_path: Path) -> FolderObjectStore:
        return FolderObjectStore(tmp_path)

    @pytest.fixture
    def damage(self, tmp_path: Path) -> Callable[[str, bytes], None]:
        def overwrite(digest: str, data: bytes) -> None:
            path = tmp_path / digest[:2] / digest
            path.chmod(0o644)
            path.write_bytes(data)

        return overwrite


class InBucket(ObjectStoreContract):
    @pytest.fixture
    def objects(self, url: str) -> ObjectStore:
        return open_objects(url)

    @pytest.fixture
    def damage(self, url: str) -> Callable[[str, bytes], None]:
        def overwrite(digest: str, data: bytes) -> None:
            obstore.put(open_bucket(url), f"{digest[:2]}/{digest}", data)

        return overwrite


class TestS3(InBucket):
    @pytest.fixture
    def url(self, s3_url: str) -> str:
        return s3_url


class TestSwift(InBucket):
    @pytest.fixture
    def url(self, swift_url: str) -> str:
        return swift_url


class TestAzure(InBucket):
    @pytest.fixture
    def url(self, azure_url: str) -> str:
        return azure_url


class TestFolderDrafts(DraftsContract):
    @pytest.fixture
    def objects(self, tmp_path: Path) -> FolderObjectStore:
        return FolderObjectStore(tmp_path)

    @pytest.fixture
    def drafts(self, objects: FolderObjectStore) -> Drafts:
        return drafts_of(objects)


class DraftsInBucket(DraftsContract):
    @pytest.fixture
    def objects(self, url: str) -> ObjectStore:
        return open_objects(url)

    @pytest.fixture
    def drafts(self, objects: ObjectStore) -> Drafts:
        return drafts_of(objects)


class TestS3Drafts(DraftsInBucket):
    @pytest.fixture
    def url(self, s3_url: str) -> str:
        return s3_url


class TestAzureDrafts(DraftsInBucket):
    @pytest.fixture
    def url(self, azure_url: str) -> str:
        return azure_url


KEY = "c0ffee00" * 8


class TestEncryptedFolder(ObjectStoreContract):
    @pytest.fixture
    def objects(self, tmp_path: Path) -> ObjectStore:
        return open_objects(tmp_path.as_uri(), key=KEY)

    @pytest.fixture
    def damage(self, tmp_path: Path) -> Callable[[str, bytes], None]:
        def overwrite(digest: str, data: bytes) -> None:
            path = tmp_path / "encrypted" / digest[:2] / digest
            path.chmod(0o644)
            path.write_bytes(data)

        return overwrite


class TestEncryptedS3(ObjectStoreContract):
    @pytest.fixture
    def objects(self, s3_url: str) -> ObjectStore:
        return open_objects(s3_url, key=KEY)

    @pytest.fixture
    def damage(self, s3_url: str) -> Callable[[str, bytes], None]:
        def overwrite(digest: str, data: bytes) -> None:
            inner = open_bucket(f"{s3_url}/encrypted")
            obstore.put(inner, f"{digest[:2]}/{digest}", data)

        return overwrite


class TestEncryptedFolderDrafts(DraftsContract):
    @pytest.fixture
    def objects(self, tmp_path: Path) -> ObjectStore:
        return open_objects(tmp_path.as_uri(), key=KEY)

    @pytest.fixture
    def drafts(self, objects: ObjectStore) -> Drafts:
        return drafts_of(objects)


class TestEncryptedS3Drafts(DraftsContract):
    @pytest.fixture
    def objects(self, s3_url: str) -> ObjectStore:
        return open_objects(s3_url, key=KEY)

    @pytest.fixture
    def drafts(self, objects: ObjectStore) -> Drafts:
        return drafts_of(objects)
