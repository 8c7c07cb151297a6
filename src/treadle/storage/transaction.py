"""One transaction: SQL and the facts that explain it."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any

from treadle.kernel.errors import Conflict

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

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

    @property
    def driver(self) -> Any:
        """The driver's own connection, for what is done a thousand times a second."""
        return self.connection.connection.driver_connection

    def at_once(self) -> AbstractContextManager[Any]:
        """Send what the driver is told inside the block without waiting for each answer.

        On PostgreSQL that is one way there and back, for BEGIN too. Answers are fetched afterwards;
        the first error is raised where the block ends, and then nothing after it was done.
        """
        if self.connection.dialect.name == "postgresql":
            pipeline: AbstractContextManager[Any] = self.driver.pipeline()
            return pipeline
        return contextlib.nullcontext()

    def emit(self, fact: Fact) -> None:
        """Append a fact to the event log when the transaction commits."""
        if not self.writes:
            raise Conflict(
                f"{fact.kind} was emitted in a read transaction.",
                hint="Begin with store.write().",
            )
        self.facts.append(fact)
