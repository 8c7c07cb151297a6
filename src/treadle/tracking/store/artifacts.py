"""SQL of artifacts: whose files there are, and what is being uploaded in parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    Integer,
    Table,
    Text,
    and_,
    column,
    delete,
    func,
    or_,
    select,
    table,
    true,
    union,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from treadle.storage.ports import Piece
from treadle.storage.schema import Instant, metadata, needs_objects
from treadle.tracking.entities import Artifact
from treadle.tracking.store.tables import run_artifacts, runs

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Row

    from treadle.storage.ports import Span
    from treadle.storage.transaction import Transaction
    from treadle.tracking.artifacts_paths import Owner

logged_model_artifacts = Table(
    "logged_model_artifacts",
    metadata,
    Column("model_id", Text, primary_key=True),
    Column("path", Text, primary_key=True),
    Column(
        "digest",
        Text,
        nullable=False,
        index=True,
        info=needs_objects("logged model {model_id}"),
    ),
    Column("size_bytes", BigInteger, nullable=False),
    Column("logged_at", Instant, nullable=False),
)

loose_artifacts = Table(
    "loose_artifacts",
    metadata,
    # Bytewise on both dialects, so that all below a folder is a range of the key.
    Column("path", Text().with_variant(Text(collation="C"), "postgresql"), primary_key=True),
    Column("digest", Text, nullable=False, index=True, info=needs_objects("file {path}")),
    Column("size_bytes", BigInteger, nullable=False),
    Column("logged_at", Instant, nullable=False),
)

artifact_uploads = Table(
    "artifact_uploads",
    metadata,
    Column("id", Text, primary_key=True),
    Column("owner_kind", Text, nullable=False),
    Column("owner_id", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("parts", Integer, nullable=False),
    # What each part but the last measures, as the first that came announced it.
    Column("part_bytes", BigInteger),
    Column("begun_at", Instant, nullable=False, index=True),
)

# A part without a token has been given its place, and is being written there.
artifact_parts = Table(
    "artifact_parts",
    metadata,
    Column("upload_id", Text, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("token", Text),
    Column("start", BigInteger),
    Column("size_bytes", BigInteger, nullable=False),
)


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """A file that comes in parts."""

    id: str
    owner_kind: str
    owner_id: str
    path: str
    parts: int
    begun_at: int
    part_bytes: int | None = None


def has_run(tx: Transaction, run_id: str) -> bool:
    """Say whether there is a run."""
    return tx.execute(select(runs.c.id).where(runs.c.id == run_id)).first() is not None


def has_model(tx: Transaction, model_id: str) -> bool:
    """Say whether there is a logged model."""
    models = table("logged_models", column("id"))
    return tx.execute(select(models.c.id).where(models.c.id == model_id)).first() is not None


def files_of(tx: Transaction, owner: Owner, *, folder: str = "") -> list[Artifact]:
    """Return the files of an owner below a folder, by path."""
    files, own = _rows(owner)
    query = select(files.c.path, files.c.digest, files.c.size_bytes)
    query = query.where(*own, _below(files, folder)).order_by(files.c.path)
    return [
        Artifact(path=row.path, digest=row.digest, size_bytes=row.size_bytes)
        for row in tx.execute(query)
    ]


def find_file(tx: Transaction, owner: Owner, path: str) -> Artifact | None:
    """Return the file at a path."""
    files, own = _rows(owner)
    query = select(files.c.digest, files.c.size_bytes).where(*own, files.c.path == path)
    row = tx.execute(query).first()
    return row and Artifact(path=path, digest=row.digest, size_bytes=row.size_bytes)


def in_the_way(tx: Transaction, owner: Owner, path: str) -> str | None:
    """Return a file that a file at a path would lie in, or that would lie in it."""
    files, own = _rows(owner)
    parts = path.split("/")
    above = ["/".join(parts[:end]) for end in range(1, len(parts))]
    taken = or_(files.c.path.in_(above), _below(files, path))
    return tx.execute(select(files.c.path).where(*own, taken).limit(1)).scalar()


def put_file(tx: Transaction, owner: Owner, file: Artifact) -> None:
    """Insert a file or overwrite that of the same path."""
    files, _ = _rows(owner)
    statement = _insert(tx, files)
    changed = {name: statement.excluded[name] for name in ("digest", "size_bytes", "logged_at")}
    statement = statement.on_conflict_do_update(
        index_elements=list(files.primary_key.columns), set_=changed
    )
    row = {**msgspec.structs.asdict(file), **_key(owner), "logged_at": tx.at}
    tx.execute(statement, [row])


def remove_files(tx: Transaction, owner: Owner, path: str) -> int:
    """Remove a file, or all below a folder; return how many files there were."""
    files, own = _rows(owner)
    gone = or_(files.c.path == path, _below(files, path))
    return tx.execute(delete(files).where(*own, gone)).rowcount


def add_upload(tx: Transaction, upload: Upload) -> None:
    """Begin an upload."""
    tx.execute(artifact_uploads.insert(), [msgspec.structs.asdict(upload)])


def find_upload(tx: Transaction, upload_id: str, *, lock: bool = False) -> Upload | None:
    """Return an upload that has begun; with a lock, nobody else completes it meanwhile."""
    query = select(artifact_uploads).where(artifact_uploads.c.id == upload_id)
    row = tx.execute(query.with_for_update() if lock else query).first()
    return row and Upload(**{str(k): v for k, v in row._mapping.items()})  # noqa: SLF001 - SQLAlchemy's public name


def stale_uploads(tx: Transaction, *, before: int) -> list[str]:
    """Return the uploads that were begun before an instant."""
    query = select(artifact_uploads.c.id).where(artifact_uploads.c.begun_at < before)
    return list(tx.execute(query).scalars())


def set_part_bytes(tx: Transaction, upload_id: str, size: int) -> None:
    """Say what each part but the last measures."""
    own = artifact_uploads.c.id == upload_id
    tx.execute(update(artifact_uploads).where(own).values(part_bytes=size))


def claim_place(tx: Transaction, upload_id: str, number: int, span: Span) -> bool:
    """Give a part its place, unless it was given out before; say whether it was not."""
    if tx.execute(select(artifact_parts.c.number).where(*_part(upload_id, number))).first():
        return False
    row = {"upload_id": upload_id, "number": number, "token": None}
    sizes = {"start": span.start, "size_bytes": span.stop - span.start}
    tx.execute(artifact_parts.insert(), [{**row, **sizes}])
    return True


def release_place(tx: Transaction, upload_id: str, number: int) -> None:
    """Take back the place of a part that was not written to its end."""
    unwritten = artifact_parts.c.token.is_(None)
    tx.execute(delete(artifact_parts).where(*_part(upload_id, number), unwritten))


def put_part(tx: Transaction, upload_id: str, number: int, piece: Piece) -> Piece | None:
    """Keep a part; return the one it takes the place of."""
    own = _part(upload_id, number)
    c = artifact_parts.c
    before = tx.execute(select(c.token, c.start, c.size_bytes).where(*own)).first()
    tx.execute(delete(artifact_parts).where(*own))
    row = {**msgspec.structs.asdict(piece), "upload_id": upload_id, "number": number}
    tx.execute(artifact_parts.insert(), [row])
    return _piece(before) if before is not None and before.token is not None else None


def is_place_kept(tx: Transaction, upload_id: str, number: int) -> bool:
    """Say whether a part that was given its place is still the one to be written there."""
    waiting = (artifact_parts.c.token.is_(None), artifact_parts.c.start.is_not(None))
    query = select(artifact_parts.c.number).where(*_part(upload_id, number), *waiting)
    return tx.execute(query).first() is not None


def parts_of(tx: Transaction, upload_id: str) -> list[Piece]:
    """Return the parts that have come, by number."""
    c = artifact_parts.c
    query = select(c.token, c.start, c.size_bytes).where(c.upload_id == upload_id)
    return [_piece(row) for row in tx.execute(query.where(c.token.is_not(None)).order_by(c.number))]


def remove_upload(tx: Transaction, upload_id: str) -> None:
    """Forget an upload and its parts."""
    tx.execute(delete(artifact_parts).where(artifact_parts.c.upload_id == upload_id))
    tx.execute(delete(artifact_uploads).where(artifact_uploads.c.id == upload_id))


def reachable(tx: Transaction) -> set[str]:
    """Return the digests of every file."""
    tables = (run_artifacts, logged_model_artifacts, loose_artifacts)
    return set(tx.execute(union(*(select(one.c.digest) for one in tables))).scalars())


def _part(upload_id: str, number: int) -> tuple[ColumnElement[bool], ...]:
    return artifact_parts.c.upload_id == upload_id, artifact_parts.c.number == number


def _piece(row: Row[Any]) -> Piece:
    return Piece(token=row.token, size_bytes=row.size_bytes, start=row.start)


def _rows(owner: Owner) -> tuple[Table, list[ColumnElement[bool]]]:
    if owner.kind == "run":
        return run_artifacts, [run_artifacts.c.run_id == owner.id]
    if owner.kind == "model":
        return logged_model_artifacts, [logged_model_artifacts.c.model_id == owner.id]
    return loose_artifacts, []


def _key(owner: Owner) -> dict[str, str]:
    return {"run": {"run_id": owner.id}, "model": {"model_id": owner.id}}.get(owner.kind, {})


def _below(files: Table, folder: str) -> ColumnElement[bool]:
    prefix = f"{folder}/"
    if not folder:
        return true()
    if files is loose_artifacts:
        # 0 is what comes right after the slash.
        return and_(files.c.path > prefix, files.c.path < f"{folder}0")
    return func.substr(files.c.path, 1, len(prefix)) == prefix


def _insert(tx: Transaction, files: Table) -> Any:
    # Both dialects spell ON CONFLICT alike; SQLAlchemy has it on each one's own insert.
    is_postgres = tx.connection.dialect.name == "postgresql"
    return postgresql.insert(files) if is_postgres else sqlite.insert(files)
