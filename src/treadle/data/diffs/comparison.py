"""Which rows two tables differ in.

Rows fall by the hash of their key into buckets, and both tables sum the hashes of their rows in
each bucket: one scan that holds a few numbers a bucket. Rows of buckets with equal sums are the
same rows; only the others are looked at cell by cell. Parts that both tables have, by their
digests, are not read at all. A change is missed when 64 bits of hash agree by chance.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from treadle.data.diffs.entities import Key
from treadle.data.diffs.keys import claimed_key, find_key, given_key
from treadle.data.diffs.schemas import bare_type, pair_columns
from treadle.data.diffs.tables import compared
from treadle.kernel.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from duckdb import DuckDBPyConnection

    from treadle.data.contracts import ContractBody
    from treadle.data.diffs.schemas import Columns, Pairing
    from treadle.data.diffs.tables import Table

ROWS_PER_BUCKET = 8
MOST_BUCKETS = 1 << 20


class Comparison:
    """Two tables laid beside each other by key; what differs is in tables of the engine.

    `touched` has the numbers of the rows that differ, `rows_before` and `rows_after` those rows
    and others of their buckets. `tag` keeps the tables of several comparisons apart.
    """

    def __init__(
        self,
        before: Table,
        after: Table,
        *,
        connection: DuckDBPyConnection,
        key: Sequence[str] | None = None,
        contract: ContractBody | None = None,
        tag: str = "diff",
    ) -> None:
        self.before, self.after = before, after
        self.connection, self._tag = connection, tag
        self.columns = _shared(before, after)
        self.key = self._choose(key, contract)
        self.columns = self._with_renamed()
        self.rows_before, self.rows_after = f"{tag}_before", f"{tag}_after"
        self.touched, self._repeated = f"{tag}_touched", f"{tag}_repeated"
        self.repeated = 0
        self._compare()

    def _choose(self, names: Sequence[str] | None, contract: ContractBody | None) -> Key:
        if names is not None:
            return given_key(names, self.columns)
        return (
            claimed_key(contract, self.columns)
            or find_key(self.connection, self.before, self.after, self.columns)
            or Key(columns=(), source="none")
        )

    def _with_renamed(self) -> Columns:
        """Pair columns that bear another name: the same value in every row that both have."""
        columns, found = self.columns, dict[str, str]()
        if not (self.key.columns and columns.added and columns.removed):
            return columns
        told = {side: self._fingerprints(side) for side in ("before", "after")}
        for old in columns.removed:
            like = [n for n in columns.added if told["after"][n] == told["before"][old]]
            twins = [n for n in columns.removed if told["before"][n] == told["before"][old]]
            if told["before"][old] is not None and len(like) == len(twins) == 1:
                found[old] = like[0]
        return pair_columns(self.before.schema, self.after.schema, renamed=found)

    def _fingerprints(self, side: str) -> dict[str, Any]:
        """Return a number for the values of each unpaired column in the rows that both have.

        None for a column in which all values are equal: it could be any other.
        """
        mine, other = self._tables(side)
        schema = mine.schema
        names = self.columns.removed if side == "before" else self.columns.added
        key = self._key_of(side)
        asked = ", ".join(
            f"sum(hash({', '.join(key)}, {side}.c{place})), "
            f"approx_count_distinct({side}.c{place}) > 1"
            for place in map(schema.get_field_index, names)
        )
        opposite = "after" if side == "before" else "before"
        (row,) = self.connection.sql(
            f"SELECT {asked} FROM ({mine.select()}) AS {side} SEMI JOIN ({other.select()}) "
            f"AS {opposite} ON {equal(self.key_pairs)}"
        ).fetchall()
        kinds = {name: str(bare_type(schema.field(name).type)) for name in names}
        pairs = zip(names, row[::2], row[1::2], strict=True)
        return {name: (kinds[name], number) if varies else None for name, number, varies in pairs}

    @property
    def key_pairs(self) -> tuple[Pairing, ...]:
        """Return the columns by which rows meet: the key's, or all."""
        named = (self.columns.pairing(name) for name in self.key.columns)
        return tuple(pairing for pairing in named if pairing) or self.columns.both

    def _key_of(self, side: str) -> list[str]:
        return [compared(pairing, side) for pairing in self.key_pairs]

    def _tables(self, side: str) -> tuple[Table, Table]:
        pair = (self.before, self.after)
        return pair if side == "before" else pair[::-1]

    def _compare(self) -> None:
        shared = self._shared_parts()
        self._places = {side: self._tables(side)[0].without(shared) for side in ("before", "after")}
        rows = max(self.before.rows, self.after.rows)
        buckets = min(MOST_BUCKETS, 1 << (rows // ROWS_PER_BUCKET).bit_length())
        for side in ("before", "after"):
            self._sum(side, buckets)
        self.connection.execute(
            f"CREATE TEMP TABLE {self._tag}_differing AS SELECT bucket "
            f"FROM {self._tag}_sums_before AS b "
            f"FULL JOIN {self._tag}_sums_after AS a USING (bucket) "
            "WHERE b.total IS DISTINCT FROM a.total OR b.n IS DISTINCT FROM a.n"
        )
        for side in ("before", "after"):
            self._suspect(side, buckets)
        self.repeated = self._mark_repeated(shared) if self.key.columns else 0
        self._touch()

    def _shared_parts(self) -> list[str]:
        """Return the digests of parts that both tables have, as often as both have them."""
        counted = [
            Counter(p.digest for p in table.parts if p.digest)
            for table in (self.before, self.after)
        ]
        return list((counted[0] & counted[1]).elements())

    def _selected(self, side: str) -> str:
        table = self._tables(side)[0]
        return f"({table.select(self._places[side])}) AS {side}"

    def _sum(self, side: str, buckets: int) -> None:
        cells = ", ".join(compared(pairing, side) for pairing in self.columns.both)
        self.connection.execute(
            f"CREATE TEMP TABLE {self._tag}_sums_{side} AS "
            f"SELECT {self._bucket(side, buckets)} AS bucket, "
            f"count(*) AS n, sum(hash({cells})) AS total "
            f"FROM {self._selected(side)} GROUP BY bucket"
        )

    def _suspect(self, side: str, buckets: int) -> None:
        """Keep the rows of buckets that differ."""
        self.connection.execute(
            f"CREATE TEMP TABLE {self._tag}_{side} AS SELECT {side}.* FROM {self._selected(side)} "
            f"WHERE {self._bucket(side, buckets)} IN (SELECT bucket FROM {self._tag}_differing)"
        )
        self.connection.execute(f"DROP TABLE {self._tag}_sums_{side}")

    def _bucket(self, side: str, buckets: int) -> str:
        return f"hash({', '.join(self._key_of(side))}) & {buckets - 1}"

    def _mark_repeated(self, shared: Sequence[str]) -> int:
        """Find the keys that name several rows of a table; return how many there are."""
        places = range(len(self.key_pairs))
        names, meet = (
            ", ".join(f"k{i}" for i in places),
            [same(f"s.k{i}", f"u.k{i}") for i in places],
        )
        found = []
        for side in ("before", "after"):
            cells = ", ".join(f"{c} AS k{i}" for i, c in enumerate(self._key_of(side)))
            keys = f"SELECT {cells} FROM {self._tag}_{side} AS {side}"
            found.append(f"{keys} GROUP BY ALL HAVING count(*) > 1")
            if shared:
                table = self._tables(side)[0]
                rest = sorted(set(range(len(table.parts))) - set(self._places[side]))
                found.append(
                    f"SELECT {names} FROM ({keys}) AS s "
                    f"SEMI JOIN (SELECT {cells} FROM ({table.select(rest)}) AS {side}) AS u "
                    f"ON {' AND '.join(meet)}"
                )
        self.connection.execute(f"CREATE TEMP TABLE {self._repeated} AS {' UNION '.join(found)}")
        return self.count(self._repeated)

    def _touch(self) -> None:
        """Pair the suspects and keep the numbers of the rows that differ."""
        self.connection.execute(
            f"CREATE TEMP TABLE {self.touched} (row_before BIGINT, row_after BIGINT)"
        )
        if self.key.columns:
            self.connection.execute(
                f"INSERT INTO {self.touched} SELECT before.row, after.row "
                f"FROM {self._suspects('before', repeated=False)} "
                f"FULL JOIN {self._suspects('after', repeated=False)} ON {equal(self.key_pairs)} "
                f"WHERE before.row IS NULL OR after.row IS NULL OR {distinct(self.columns.both)}"
            )
        if self.repeated or not self.key.columns:
            self.connection.execute(
                f"INSERT INTO {self.touched} SELECT before.row, after.row "
                f"FROM {self._numbered('before')} FULL JOIN {self._numbered('after')} "
                f"ON before.nth = after.nth AND {equal(self.columns.both)} "
                "WHERE before.row IS NULL OR after.row IS NULL"
            )

    def _suspects(self, side: str, *, repeated: bool) -> str:
        if not self.repeated:
            return f"{self._tag}_{side} AS {side}"
        keys = (same(f"r.k{i}", c) for i, c in enumerate(self._key_of(side)))
        join = "SEMI" if repeated else "ANTI"
        return (
            f"(SELECT {side}.* FROM {self._tag}_{side} AS {side} {join} JOIN {self._repeated} AS r "
            f"ON {' AND '.join(keys)}) AS {side}"
        )

    def _numbered(self, side: str) -> str:
        """Number rows that are equal, so that the first meets the first."""
        cells = ", ".join(compared(pairing, side) for pairing in self.columns.both)
        return (
            f"(SELECT {side}.*, row_number() OVER (PARTITION BY {cells} ORDER BY row) AS nth "
            f"FROM {self._suspects(side, repeated=True)}) AS {side}"
        )

    @property
    def both_sides(self) -> str:
        """Return SQL that joins the rows of both sides to the numbers in `touched`."""
        return (
            f"JOIN {self.rows_before} AS before ON before.row = row_before "
            f"JOIN {self.rows_after} AS after ON after.row = row_after"
        )

    def count_changed(self, pairings: Sequence[Pairing]) -> tuple[int, list[int]]:
        """Return how many rows are changed, and in how many each of some columns is."""
        cells = [f"count(*) FILTER ({distinct([pairing])})" for pairing in pairings]
        (row,) = self.connection.sql(
            f"SELECT {', '.join(['count(*)', *cells])} FROM {self.touched} {self.both_sides}"
        ).fetchall()
        return row[0], list(row[1:])

    def repeated_keys(self, limit: int) -> list[tuple[Any, ...]]:
        """Return some keys that name several rows."""
        return list(
            self.connection.sql(
                f"SELECT * FROM {self._repeated} ORDER BY ALL LIMIT {limit}"
            ).fetchall()
        )

    def count(self, table: str) -> int:
        """Return how many rows a table of the engine has."""
        return int(self.connection.sql(f"SELECT count(*) FROM {table}").fetchall()[0][0])


def same(one: str, other: str) -> str:
    """Return SQL that says whether two values are equal; nothing equals nothing."""
    return f"{one} IS NOT DISTINCT FROM {other}"


def equal(pairings: Sequence[Pairing]) -> str:
    """Return SQL that says whether a row before and one after are equal in all these columns."""
    return " AND ".join(same(compared(p, "before"), compared(p, "after")) for p in pairings)


def distinct(pairings: Sequence[Pairing]) -> str:
    """Return SQL that says whether they differ in one of these columns."""
    return " OR ".join(
        f"{compared(p, 'before')} IS DISTINCT FROM {compared(p, 'after')}" for p in pairings
    )


def _shared(before: Table, after: Table) -> Columns:
    columns = pair_columns(before.schema, after.schema)
    if not columns.both:
        raise InvalidInput(
            "The two tables have no column in common.",
            hint=f"One has {', '.join(before.schema.names)}; the other "
            f"{', '.join(after.schema.names)}.",
        )
    return columns
