from __future__ import annotations

import errno
import io
import stat
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

import pytest

from treadle.kernel.errors import InvalidInput, Unavailable
from treadle.storage.objects import FolderObjectStore, put_bytes, read_bytes
from treadle.storage.stores import open_objects

if TYPE_CHECKING:
    from pathlib import Path


class FullDisk(io.BytesIO):
    """A source whose next block finds no space left."""

    def read(self, size: int | None = -1, /) -> bytes:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_is_said_and_loses_nothing(tmp_path: Path) -> None:
    objects = FolderObjectStore(tmp_path)
    kept = put_bytes(objects, b"before")

    with pytest.raises(Unavailable, match=r"No space left.*Free some space"):
        objects.put(FullDisk())

    assert list(objects.iterate()) == [kept]
    assert list((tmp_path / "drafts").iterdir()) == []


def test_a_disk_that_fills_in_mid_write_loses_nothing(tmp_path: Path) -> None:
    kept = put_bytes(FolderObjectStore(tmp_path), b"before")
    write_past_the_limit = textwrap.dedent(f"""
        import resource
        from pathlib import Path
        from treadle.kernel.errors import Unavailable
        from treadle.storage.objects import FolderObjectStore, put_bytes

        objects = FolderObjectStore(Path({str(tmp_path)!r}))
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
        try:
            put_bytes(objects, bytes(4 << 20))
        except Unavailable as error:
            print(error.code)
    """)

    child = subprocess.run(
        [sys.executable, "-c", write_past_the_limit], capture_output=True, text=True, check=True
    )

    assert child.stdout == "unavailable\n"
    assert list(FolderObjectStore(tmp_path).iterate()) == [kept]
    assert list((tmp_path / "drafts").iterdir()) == []


def test_an_unwritable_folder_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(Unavailable, match=r"Cannot write objects in .*file"):
        FolderObjectStore(tmp_path / "file" / "objects")


def test_objects_are_read_only_files(tmp_path: Path) -> None:
    kept = put_bytes(FolderObjectStore(tmp_path), b"immutable")

    mode = (tmp_path / kept.digest[:2] / kept.digest).stat().st_mode

    assert stat.S_IMODE(mode) == 0o444


def test_a_writer_killed_in_mid_write_leaves_no_object(tmp_path: Path) -> None:
    die_in_mid_write = textwrap.dedent(f"""
        import io, os, signal
        from pathlib import Path
        from treadle.storage.objects import FolderObjectStore

        class Killer(io.BytesIO):
            blocks = 0
            def read(self, size=-1):
                self.blocks += 1
                if self.blocks > 2:
                    os.kill(os.getpid(), signal.SIGKILL)
                return b"x" * 1000

        FolderObjectStore(Path({str(tmp_path)!r})).put(Killer())
    """)

    child = subprocess.run([sys.executable, "-c", die_in_mid_write], check=False)

    assert child.returncode == -9
    assert list(FolderObjectStore(tmp_path).iterate()) == []


def test_a_folder_is_opened_by_its_url(tmp_path: Path) -> None:
    folder = tmp_path / "with space"

    kept = put_bytes(open_objects(folder.as_uri()), b"here")

    assert read_bytes(FolderObjectStore(folder), kept.digest) == b"here"


@pytest.mark.parametrize("url", ["", "ftp://host/path", "gcs://bucket", "/just/a/path"])
def test_an_unknown_url_is_refused_with_the_known_ones(url: str) -> None:
    with pytest.raises(InvalidInput, match=r"file:///FOLDER, s3://BUCKET"):
        open_objects(url)


def test_a_missing_bucket_is_said(s3_url: str) -> None:
    objects = open_objects("s3://no-such-bucket-here/prefix")

    with pytest.raises(Unavailable, match="no such bucket"):
        put_bytes(objects, b"nowhere to go")


def test_an_unreachable_cloud_is_said(s3_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_RETRIES", "0")
    objects = open_objects(s3_url)

    with pytest.raises(Unavailable, match="AWS_ENDPOINT_URL"):
        put_bytes(objects, b"nobody listens")
