"""The one SQL schema; every noun's `store.py` declares its tables on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import BigInteger, Dialect, LargeBinary, MetaData, Text, TypeDecorator

from treadle.kernel.digests import canonical_json

if TYPE_CHECKING:
    from sqlalchemy import RowMapping
    from sqlalchemy.types import TypeEngine

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_N_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

Instant = BigInteger
"""Microseconds UTC."""
Name = Text
Bytes = LargeBinary

OBJECTS = "objects"
PERHAPS = "perhaps"


def needs_objects(owner: str) -> dict[str, str]:
    """Declare that a column holds digests of objects which are kept as long as its rows.

    Goes to the column's `info`. `owner` is what a row is called where an object of it is damaged,
    with the row's columns in braces: `run {run_id}`.
    """
    return {OBJECTS: owner}


def may_need_objects(owner: str) -> dict[str, str]:
    """Declare a column that holds, among others, digests of objects which must stay.

    Like `needs_objects`, but what is not there was perhaps no object, or can be made again.
    """
    return {OBJECTS: owner, PERHAPS: owner}


MENTIONS = {"mentions": True}
"""A column's `info` when it holds digests that name no object, or none that it keeps."""


class Json(TypeDecorator[Any]):
    """A column of canonical JSON text, the same on both dialects; plain values in and out."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:  # noqa: ARG002 - SQLAlchemy's signature
        return None if value is None else canonical_json(value).decode()

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:  # noqa: ARG002 - SQLAlchemy's signature
        return None if value is None else msgspec.json.decode(value)

    def coerce_compared_value(self, op: Any, value: Any) -> TypeEngine[Any]:  # noqa: ARG002 - SQLAlchemy's signature
        return Text()


def plain(row: RowMapping) -> dict[str, Any]:
    """Return a row as a dict whose keys are plain text.

    Columns that SQL must quote (`name`, `end`) are called by a subclass of str, which msgspec does
    not take for one.
    """
    return {str(name): value for name, value in row.items()}
