"""The exchange of a master key: data keys are wrapped anew, and nothing that they encrypt is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from treadle.kernel.errors import Corrupt

if TYPE_CHECKING:
    from treadle.storage.encryption.keyring import Keyring, MasterKey


class Rotation(msgspec.Struct, frozen=True, kw_only=True):
    """So many data keys are under another master key, or would be; `before` is empty if they were.

    Master keys are told by what names them.
    """

    data_keys: int
    before: str
    after: str


def rotate(ring: Keyring, master: MasterKey, *, dry_run: bool = False) -> Rotation:
    """Wrap the data keys of a ring with another master key; done again it does nothing.

    Raises Unavailable when neither key opens them.
    """
    if ring.masters() == {master.id}:
        found = ring.under(master).listed()
        return Rotation(data_keys=len(found), before="", after=master.id)
    before, known = ring.master_id, {key.id for key in ring.listed()}
    if not dry_run:
        ring.rotate(master)
        if not known.issubset(key.id for key in ring.under(master).listed()):
            raise Corrupt("Not every data key is under the new master key: keep the old one.")
    return Rotation(data_keys=len(known), before=before, after=master.id)
