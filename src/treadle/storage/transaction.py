"""One transaction: SQL and the facts that explain it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from treadle.kernel.errors import Conflict

if TYPE_CHECKING:
    from sqlalchemy import Connection, CursorResult, Executable

    from treadle.storage.events import Fact


class Transaction:
    """What a verb holds while it works: run SQL with `execute`, tell what happened with `emit`.

    `at` is the instant of the transaction by the project's clock: everything in it happens then.
    """

    def __init__(self, connection: Connection, *, at: int, writes: bool) -> None:
        self.connection = connection
        self.at = at
        self.writes = writes
        self.thread = threading.get_ident()
        self.facts: list[Fact] = []

    def execute(self, statement: Executable, rows: Any = None) -> CursorResult[Any]:
        """Run a statement with bound values."""
        return self.connection.execute(statement, rows)

    def emit(self, fact: Fact) -> None:
        """Append a fact to the event log when the transaction commits."""
        if not self.writes:
            raise Conflict(
                f"{fact.kind} was emitted in a read transaction.",
                hint="Begin with store.write().",
            )
        self.facts.append(fact)
