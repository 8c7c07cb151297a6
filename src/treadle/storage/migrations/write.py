"""Write the next migration from what the tables declare; for who develops Treadle.

`python -m treadle.storage.migrations.write WHAT CHANGED`: Alembic compares a migrated, empty SQLite
database with the declared tables. Read what it wrote before you commit it.
"""

from __future__ import annotations

import sys
import tempfile
import warnings
from pathlib import Path
from typing import Literal

from alembic.autogenerate import produce_migrations, render_python_code
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from treadle.storage.fresh import declare_all
from treadle.storage.migrations import SCRIPTS, upgrade
from treadle.storage.schema import Json, metadata

HEAD = '''"""{message}.

Revision: {number}
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "{number}"
down_revision = {before!r}
branch_labels = None
depends_on = None


def upgrade() -> None:
    {body}
'''


def draft(message: str) -> tuple[str, str]:
    """Return the next migration's file name and text."""
    declare_all()
    before = ScriptDirectory(str(SCRIPTS)).get_current_head()
    number = f"{int(before or 0) + 1:04}"
    with tempfile.TemporaryDirectory() as folder:
        engine = create_engine(f"sqlite:///{folder}/empty.db")
        if before is not None:
            upgrade(engine)
        with engine.connect() as connection:
            context = MigrationContext.configure(
                connection, opts={"target_metadata": metadata, "render_item": _plain}
            )
            with warnings.catch_warnings():
                # SQLite does not tell what an index of an expression is of.
                warnings.filterwarnings("ignore", "Skipped unsupported reflection of expression")
                warnings.filterwarnings("ignore", "autogenerate skipping .* expression-based")
                found = produce_migrations(context, metadata).upgrade_ops
            body = "pass" if found is None else render_python_code(found, render_item=_plain)
        engine.dispose()
    name = f"{number}_{message.lower().replace(' ', '_')}.py"
    return name, HEAD.format(
        message=message.capitalize(), number=number, before=before, body=_without_comments(body)
    )


def _without_comments(body: str) -> str:
    return "\n".join(line for line in body.splitlines() if "# ###" not in line).strip()


def _plain(kind: str, item: object, _context: object) -> str | Literal[False]:
    # In the database JSON is text; a migration must not depend on a type that may change.
    return "sa.Text()" if kind == "type" and isinstance(item, Json) else False


def main() -> None:
    """Write the migration named by the command line's words."""
    name, text = draft(" ".join(sys.argv[1:]) or "change")
    path = Path(SCRIPTS) / "versions" / name
    path.write_text(text, encoding="utf-8")
    sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main()
