"""The home's signing key: Ed25519, made on first use, readable by its owner only."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from sqlalchemy import Column, Table, Text, select

from treadle.kernel.errors import Corrupt, Unavailable
from treadle.storage.ports import MetadataStore  # noqa: TC001 - part of the public signature
from treadle.storage.schema import Instant, metadata

keys = Table(
    "keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("public", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
)

ID_LENGTH = 16


class Signer:
    """Signs what this home writes, and checks what any home of the project signed.

    The private key stays in the home; public keys are shared through the metadata store, so that
    machines of one team accept each other's models.
    """

    def __init__(self, folder: Path, *, store: MetadataStore) -> None:
        self._key = _load_or_make(folder / "signing.key")
        self._store = store
        raw = self._key.public_key().public_bytes_raw()
        self.public = raw.hex()
        self.key_id = self.public[:ID_LENGTH]
        self._publish()

    def sign(self, message: bytes) -> str:
        """Return the signature of a message as hex."""
        return self._key.sign(message).hex()

    def check(self, message: bytes, *, signature: str, key_id: str) -> None:
        """Raise Corrupt unless a known key signed exactly this message."""
        public = self.known().get(key_id)
        if public is None:
            raise Corrupt(
                f"Signed by key {key_id}, which this project does not know.",
                hint="Only load what a home of this project saved.",
                key=key_id,
            )
        try:
            key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public))
            key.verify(bytes.fromhex(signature), message)
        except (InvalidSignature, ValueError) as error:
            raise Corrupt(
                "The signature does not match: this is not what was signed.",
                hint="Somebody changed it after it was saved; do not load it.",
                key=key_id,
            ) from error

    def known(self) -> dict[str, str]:
        """Return every public key of the project by its id, as hex."""
        with self._store.read() as tx:
            return {row.id: row.public for row in tx.execute(select(keys.c.id, keys.c.public))}

    def _publish(self) -> None:
        if self.key_id in self.known():
            return
        with self._store.write() as tx:
            if self.key_id not in self.known():
                row = {"id": self.key_id, "public": self.public, "created_at": tx.at}
                tx.execute(keys.insert(), row)


def _load_or_make(path: Path) -> Ed25519PrivateKey:
    try:
        if not path.exists():
            _make(path)
        return Ed25519PrivateKey.from_private_bytes(path.read_bytes())
    except OSError as error:
        raise Unavailable(
            f"Cannot keep a signing key in {path.parent}: {error.strerror or error}.",
            hint="Check that the folder can be written, or choose another home.",
        ) from error
    except ValueError as error:
        raise Corrupt(
            f"{path} is no signing key.", hint="Restore it from a copy; old signatures need it."
        ) from error


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    key = Ed25519PrivateKey.generate()
    raw = key.private_bytes(
        serialization.Encoding.Raw, serialization.PrivateFormat.Raw, serialization.NoEncryption()
    )
    handle, name = tempfile.mkstemp(dir=path.parent, prefix="draft-")
    draft = Path(name)
    with os.fdopen(handle, "wb") as file:
        file.write(raw)
        file.flush()
        os.fsync(file.fileno())
    try:
        # A link fails where a rename would overwrite: the first process wins for all.
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
