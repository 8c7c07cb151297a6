"""The project's public keys as this machine last saw them."""

from __future__ import annotations

import os
from pathlib import Path  # noqa: TC003 - part of the public signature

import msgspec

from treadle.kernel.errors import Unavailable
from treadle.storage.keys import Signer
from treadle.storage.ports import MetadataStore  # noqa: TC001 - part of the public signature

_KEYS = msgspec.json.Decoder(dict[str, str])


class RememberingSigner(Signer):
    """A signer that, while the metadata store is down, accepts the keys it has seen before.

    It remembers them beside the home's private key, in a folder only its owner may read: whoever
    can write there could sign with the key itself.
    """

    def __init__(self, folder: Path, *, store: MetadataStore) -> None:
        self._file = folder / "known.json"
        self._seen: dict[str, str] = {}
        super().__init__(folder, store=store)

    def known(self) -> dict[str, str]:
        """Return every public key of the project by its id. Raises Unavailable if never seen."""
        try:
            found = super().known()
        except Unavailable:
            remembered = self._seen or self._read()
            if not remembered:
                raise
            return remembered
        if found != self._seen:
            self._write(found)
            self._seen = found
        return found

    def _read(self) -> dict[str, str]:
        return _KEYS.decode(self._file.read_bytes()) if self._file.exists() else {}

    def _write(self, keys: dict[str, str]) -> None:
        draft = self._file.with_suffix(f".{os.getpid()}")
        draft.write_bytes(msgspec.json.encode(keys))
        draft.chmod(0o600)
        draft.replace(self._file)
