"""Profiles of versions: made in one scan, kept for their tables, remade when more is asked."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from treadle.analysis.profile_drift import cuts_of, table_drift
from treadle.analysis.profiles import FORM, TableProfile
from treadle.data import store as sql
from treadle.data.profiling import chart_column, count_between, profile_with_cuts, target_text
from treadle.kernel.digests import canonical_json
from treadle.kernel.errors import NotFound
from treadle.storage.objects import read_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treadle.data.contracts import ContractBody, LabelRule
    from treadle.data.entities import DatasetVersion
    from treadle.data.tables.parts import TableParts
    from treadle.storage.ports import MetadataStore, ObjectStore


class Reference(NamedTuple):
    """What a profile is compared with: a version and its profile."""

    ref: str
    profile: TableProfile


class Profiles:
    """Makes and keeps the profiles of versions."""

    def __init__(self, store: MetadataStore, objects: ObjectStore) -> None:
        self._store = store
        self._objects = objects

    def known(self, version: DatasetVersion) -> TableProfile | None:
        """Return the profile that is kept for a version's table."""
        with self._store.read() as tx:
            digest = sql.profile_digest(tx, version.table)
        if digest is None:
            return None
        try:
            found = msgspec.json.decode(read_bytes(self._objects, digest), type=TableProfile)
        except (NotFound, msgspec.ValidationError):
            return None  # removed, or of an older form: it can be made again
        return found if found.form == FORM else None

    def of(
        self,
        parts: TableParts,
        *,
        body: ContractBody | None,
        columns: Sequence[str] | None = None,
        reference: Reference | None = None,
    ) -> TableProfile:
        """Return the profile of a version, of some columns, with its drift from a reference.

        `body` names the time and the target; a profile kept for others is made again.
        """
        version = parts.version
        known = [c.name for c in version.columns]
        for name in columns or ():
            if name not in known:
                raise NotFound("column", name, known=known)
        label = _label(version, body)
        time = chart_column([(c.name, c.type) for c in version.columns], (body and body.time) or "")
        found = self.known(version)
        if found is None or (found.time, found.target) != (time, target_text(label)):
            return self._made(parts, time=time, label=label, columns=columns, reference=reference)
        if reference is not None and (found.drift is None or found.drift.against != reference.ref):
            found = self._compared(parts, found, reference)
        return found if columns is None else found.only(columns)

    def _made(
        self,
        parts: TableParts,
        *,
        time: str,
        label: LabelRule | None,
        columns: Sequence[str] | None,
        reference: Reference | None,
    ) -> TableProfile:
        cuts = cuts_of(reference.profile) if reference else {}
        with parts.on_disk() as files:
            profile, between = profile_with_cuts(
                files.paths, time=time, label=label, columns=columns, cuts=cuts
            )
        if reference is not None:
            drift = table_drift(reference.profile, profile, between=between, against=reference.ref)
            profile = msgspec.structs.replace(profile, drift=drift)
        if columns is not None:
            return profile.only(columns)
        self._keep(parts.version, profile)
        return profile

    def _compared(
        self, parts: TableParts, profile: TableProfile, reference: Reference
    ) -> TableProfile:
        ordered = {c.name for c in profile.columns if c.kind in {"number", "time"}}
        cuts = cuts_of(reference.profile, columns=ordered)
        with parts.on_disk() as files:
            between = count_between(files.paths, cuts)
        drift = table_drift(reference.profile, profile, between=between, against=reference.ref)
        profile = msgspec.structs.replace(profile, drift=drift)
        self._keep(parts.version, profile)
        return profile

    def _keep(self, version: DatasetVersion, profile: TableProfile) -> None:
        kept = self._objects.put(io.BytesIO(canonical_json(profile)))
        with self._store.write() as tx:
            sql.save_profile(tx, version.table, kept.digest)


def _label(version: DatasetVersion, body: ContractBody | None) -> LabelRule | None:
    label = body.label if body else None
    known = {c.name for c in version.columns}
    return label if label is not None and label.column in known else None
