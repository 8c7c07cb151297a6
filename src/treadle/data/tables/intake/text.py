"""Text files, packed or not, block by block: what is no text is refused with its line."""

from __future__ import annotations

import codecs
import gzip
import io
import sys
import zipfile
import zlib
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from treadle.kernel.errors import InvalidInput, Unavailable

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SHOWN_CHARACTERS = 80
MAX_SHOWN = 5
_UNPACKING = (OSError, EOFError, zlib.error, zstd.ZstdError, zipfile.BadZipFile)


class TextFile:
    """A text file that can be read from its start as often as need be."""

    def __init__(self, name: str, source: Path | bytes) -> None:
        self.name = name
        self._source = source

    def open(
        self, progress: Callable[[int], None] | None = None, *, what: str = "CSV"
    ) -> CheckedText:
        """Begin to read. Raises InvalidInput for an archive that cannot be unpacked."""
        raw = self._raw()
        try:
            unpacked = self._unpacked(raw)
        except _UNPACKING as error:
            raw.close()
            raise _packed_badly(self.name, error) from error
        except BaseException:
            raw.close()
            raise
        return CheckedText(unpacked, raw=raw, name=self.name, progress=progress, what=what)

    def _raw(self) -> BinaryIO:
        if isinstance(self._source, bytes):
            return io.BytesIO(self._source)
        try:
            return self._source.open("rb")
        except OSError as error:
            raise Unavailable(f"Cannot read {self._source}: {error.strerror}.") from error

    def _unpacked(self, raw: BinaryIO) -> BinaryIO:
        if self.name.lower().endswith(".gz"):
            return cast("BinaryIO", gzip.GzipFile(fileobj=raw))
        if self.name.lower().endswith(".zst"):
            return cast("BinaryIO", zstd.ZstdFile(raw))
        if self.name.lower().endswith(".zip"):
            return self._only_member(raw)
        return raw

    def _only_member(self, raw: BinaryIO) -> BinaryIO:
        archive = zipfile.ZipFile(raw)
        members = [m for m in archive.namelist() if not m.endswith("/")]
        if len(members) != 1:
            raise InvalidInput(
                f"{self.name} holds {len(members)} files: {', '.join(members[:MAX_SHOWN])}.",
                hint="Unpack it and commit one file at a time.",
            )
        return cast("BinaryIO", archive.open(members[0]))


class CheckedText(io.RawIOBase):
    """A stream of UTF-8. Reading raises InvalidInput, with the line, for what is none."""

    def __init__(
        self,
        unpacked: BinaryIO,
        *,
        raw: BinaryIO,
        name: str,
        progress: Callable[[int], None] | None,
        what: str,
    ) -> None:
        self._unpacked = unpacked
        self._raw = raw
        self._name = name
        self._what = what
        self._progress = progress
        self._told = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._line_start = b""
        self._is_first = True
        self.lines = 0
        """How many ends of lines were read."""
        self.quotes = 0
        self.has_text = False

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes, checked: fewer only at the end."""
        try:
            block = self._unpacked.read(size)
        except _UNPACKING as error:
            raise _packed_badly(self._name, error) from error
        self._check(block, is_last=not block or size < 0)
        if self._progress:
            at = self._raw.tell()
            self._progress(at - self._told)
            self._told = at
        return block

    def readinto(self, buffer: Any) -> int:
        """Read the next bytes, checked."""
        block = self.read(len(buffer))
        buffer[: len(block)] = block
        return len(block)

    def close(self) -> None:
        """Close the file too."""
        self._unpacked.close()
        self._raw.close()
        super().close()

    def require_text(self) -> None:
        """Raise InvalidInput for a file in which nothing is."""
        if not self.has_text:
            hint = "A CSV begins with a header line." if self._what == "CSV" else ""
            raise InvalidInput(f"{self._name} is empty.", hint=hint)

    def _check(self, block: bytes, *, is_last: bool) -> None:
        if self._is_first and block[:2] in (b"\xff\xfe", b"\xfe\xff"):
            hint = f"Save it as {self._what} UTF-8."
            raise InvalidInput(f"{self._name} is UTF-16, not UTF-8.", hint=hint)
        self._is_first = False
        zero = block.find(b"\0")
        if zero >= 0:
            line = self.lines + block.count(b"\n", 0, zero) + 1
            raise InvalidInput(
                f"{self._name} is no text: line {line} has a zero byte.",
                hint=f"Is it a spreadsheet or an archive? Export it as {self._what}.",
            )
        # Bytes of a character that the block before has begun are before these.
        before = self._decoder.getstate()[0]
        try:
            self._decoder.decode(block, is_last)
        except UnicodeDecodeError as error:
            raise self._not_utf8(before + block, at=error.start, skip=len(before)) from error
        self._note(block)

    def _note(self, block: bytes) -> None:
        self.lines += block.count(b"\n")
        self.quotes += block.count(b'"')
        self.has_text = self.has_text or not (block.isspace() or not block)
        end = block.rfind(b"\n") + 1
        begun = block[end : end + SHOWN_CHARACTERS]
        self._line_start = begun if end else (self._line_start + begun)[:SHOWN_CHARACTERS]

    def _not_utf8(self, data: bytes, *, at: int, skip: int) -> InvalidInput:
        line = self.lines + data.count(b"\n", 0, at) + 1
        start = data.rfind(b"\n", 0, at) + 1
        around = data[start : start + SHOWN_CHARACTERS + at].split(b"\n", 1)[0]
        if not start:
            around = self._line_start + around[skip:]
        shown = around.decode("latin-1").rstrip("\r")[:SHOWN_CHARACTERS]
        return InvalidInput(
            f"{self._name}, line {line} is not UTF-8: byte 0x{data[at]:02x} in {shown!r}.",
            hint="Convert it, for example: iconv -f latin1 -t utf-8.",
            line=line,
        )


def text_files(paths: tuple[Path, ...]) -> tuple[TextFile, ...]:
    """Return files by their paths."""
    return tuple(TextFile(path.name, path) for path in paths)


def _packed_badly(name: str, error: Exception) -> InvalidInput:
    return InvalidInput(
        f"{name} cannot be unpacked: {error}.", hint="Copy the file again; it is damaged."
    )
