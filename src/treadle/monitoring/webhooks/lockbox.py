"""Secrets at rest: encrypted with a key only this home can make anew."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

from cryptography.fernet import Fernet, InvalidToken

if TYPE_CHECKING:
    from treadle.storage.keys import Signer

PURPOSE = b"treadle webhook secrets\n"


class Lockbox:
    """Encrypts texts for this home.

    The key is made from a signature that nobody without the home's private key can make, so that a
    copy of the database alone tells nothing.
    """

    def __init__(self, signer: Signer) -> None:
        made = hashlib.sha256(bytes.fromhex(signer.sign(PURPOSE))).digest()
        self._cipher = Fernet(base64.urlsafe_b64encode(made))
        self._key_id = signer.key_id

    def close(self, text: str) -> str:
        """Return a text encrypted; nothing of nothing."""
        return f"{self._key_id}:{self._cipher.encrypt(text.encode()).decode()}" if text else ""

    def open(self, closed: str) -> str | None:
        """Return the text, or None when another home has encrypted it."""
        if not closed:
            return ""
        key_id, _, token = closed.partition(":")
        if key_id != self._key_id:
            return None
        try:
            return self._cipher.decrypt(token.encode()).decode()
        except InvalidToken:
            return None
