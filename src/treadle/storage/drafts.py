"""Drafts in the folder of an object store: each piece written once, where it will lie."""

from __future__ import annotations

import contextlib
import os
import shutil
from typing import TYPE_CHECKING

from treadle.kernel.digests import CHUNK_BYTES, digest_stream
from treadle.kernel.errors import InvalidInput, NotFound
from treadle.kernel.ids import new_id
from treadle.storage.objects import explained, stream_of, sync_folder
from treadle.storage.ports import ObjectInfo, Piece

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from typing import BinaryIO

    from treadle.storage.objects import FolderObjectStore
    from treadle.storage.ports import Span

WHOLE = "whole"


class FolderDrafts:
    """A folder for each draft: the file that becomes the object, and pieces that lie apart."""

    def __init__(self, objects: FolderObjectStore) -> None:
        self._objects = objects
        self._root = objects.drafts

    def write(self, draft: str, stream: BinaryIO, *, span: Span | None = None) -> Piece:
        """Write a piece. Raises InvalidInput when it does not fill its span."""
        folder, token = self._root / draft, new_id()
        path = folder / (WHOLE if span else token)
        with explained(self._root):
            folder.mkdir(exist_ok=True)
            sync_folder(self._root)
            try:
                size = _poured(stream, path, span)
            except BaseException:
                if span is None:
                    path.unlink(missing_ok=True)
                raise
            with contextlib.suppress(FileNotFoundError):  # dropped meanwhile: the caller finds out
                sync_folder(folder)
        return Piece(token=token, size_bytes=size, start=span.start if span else None)

    def remove(self, draft: str, piece: Piece) -> None:
        """Remove a piece that lies apart; does nothing when it is not there."""
        if piece.start is None:
            (self._root / draft / piece.token).unlink(missing_ok=True)

    def join(self, draft: str, pieces: Sequence[Piece]) -> ObjectInfo:
        """Make an object of pieces in the order of the whole. Raises NotFound when one is gone."""
        if not _lies_whole(pieces):
            return self._objects.put(stream_of(self.read(draft, pieces)))
        whole, size = self._root / draft / WHOLE, sum(piece.size_bytes for piece in pieces)
        with _opened(whole) as file:
            if os.fstat(file.fileno()).st_size > size:
                os.truncate(whole, size)  # what a longer last piece left that broke off
            info = ObjectInfo(*digest_stream(file))
            os.fsync(file.fileno())
        if info.size_bytes != size:
            raise _gone(whole)
        with explained(self._root):
            whole.chmod(0o444)
            self._objects.adopt(whole, info)
        return info

    def drop(self, draft: str) -> None:
        """Forget a draft with all its pieces; does nothing when there is none."""
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self._root / draft)

    def sweep(self, *, before: int) -> int:
        """Remove what nobody has written to since an instant; return how many drafts that were."""
        stale = [path for path in self._root.iterdir() if _touched_at(path) < before]
        for path in stale:
            if path.is_dir():
                self.drop(path.name)
            else:
                path.unlink(missing_ok=True)
        return len(stale)

    def read(self, draft: str, pieces: Sequence[Piece]) -> Iterator[bytes]:
        """Yield pieces one after the other. Raises NotFound when one is gone."""
        for piece in pieces:
            path = self._root / draft / (piece.token if piece.start is None else WHOLE)
            with _opened(path) as file:
                file.seek(piece.start or 0)
                left = piece.size_bytes
                while left and (block := file.read(min(left, CHUNK_BYTES))):
                    left -= len(block)
                    yield block


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except FileNotFoundError as error:
        raise _gone(path) from error


def _gone(path: Path) -> NotFound:
    return NotFound("draft", path.parent.name, hint="Begin the upload again.")


def _poured(stream: BinaryIO, path: Path, span: Span | None) -> int:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        start, room = (span.start, span.stop - span.start) if span else (0, None)
        size = 0
        while block := stream.read(CHUNK_BYTES):
            if room is not None and size + len(block) > room:
                raise _misfit(room)
            size += _written(handle, block, at=start + size)
        if room not in {None, size}:
            raise _misfit(room)
        os.fdatasync(handle)
    finally:
        os.close(handle)
    return size


def _written(handle: int, block: bytes, *, at: int) -> int:
    left = memoryview(block)
    while left:
        done = os.pwrite(handle, left, at)
        left, at = left[done:], at + done
    return len(block)


def _misfit(room: int | None) -> InvalidInput:
    return InvalidInput(f"The part is not of the {room} bytes that were announced.")


def _lies_whole(pieces: Sequence[Piece]) -> bool:
    at = 0
    for piece in pieces:
        if piece.start != at:
            return False
        at += piece.size_bytes
    return True


def _touched_at(path: Path) -> int:
    # Of a folder what lies in it counts: a piece that grows does not touch the folder itself.
    newest = 0
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        newest = path.lstat().st_mtime_ns
        inside = [entry.stat(follow_symlinks=False).st_mtime_ns for entry in os.scandir(path)]
        newest = max([newest, *inside])
    return newest // 1000
