"""Schemas of one PostgreSQL database, so that several homes share it without meeting."""

from __future__ import annotations

from sqlalchemy import create_engine, make_url
from sqlalchemy.schema import CreateSchema


def schema_url(url: str, name: str) -> str:
    """Return the URL of a schema in a PostgreSQL database; the schema is made if it must be."""
    parsed = make_url(url).set(drivername="postgresql+psycopg")
    engine = create_engine(parsed)
    try:
        with engine.begin() as connection:
            connection.execute(CreateSchema(name, if_not_exists=True))
    finally:
        engine.dispose()
    # Nothing else is in the path, so that no table of another home is ever found.
    options = " ".join([*parsed.normalized_query.get("options", ()), f'-csearch_path="{name}"'])
    inside = parsed.update_query_dict({"options": options})
    return inside.set(drivername="postgresql").render_as_string(hide_password=False)
