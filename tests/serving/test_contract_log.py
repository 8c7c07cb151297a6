"""What requests broke: counted without a write per request, some examples kept."""

from __future__ import annotations

import queue
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.serving.conftest import NOW
from treadle.data.contracts import ColumnRule, ContractBody, RelationRule
from treadle.kernel.clock import DAY_US, HOUR_US
from treadle.kernel.errors import InvalidInput, NotFound, Unavailable
from treadle.kernel.ids import new_id
from treadle.serving.contract_log.entities import BrokenExample, ContractBatch
from treadle.serving.contract_log.keeper import ContractKeeper
from treadle.serving.contract_log.service import ContractLog
from treadle.serving.contract_log.waiting import BUCKET_US, EXAMPLES, Waiting
from treadle.serving.facts import ContractBroken
from treadle.serving.request_checks import BrokenContract, RequestChecks
from treadle.serving.training_contracts import RequestContract

CONTRACT = RequestContract(
    body=ContractBody(
        columns=(
            ColumnRule(name="temp", type="number", low=-20, high=120),
            ColumnRule(name="dewp", type="number"),
            ColumnRule(name="who", type="text", categories=("a", "b")),
        ),
        relations=(RelationRule(name="dew", claim="dewp <= temp"),),
    ),
    sources={"weather": 3},
    sensitive=("who",),
)
both_stores = pytest.mark.parametrize("store", ["sqlite", "postgresql"], indirect=True)
GOOD = {"temp": [50.0], "dewp": [40.0], "who": ["a"]}
WRONG = {"temp": [451.0], "dewp": [40.0], "who": ["somebody"], "note": ["anything"]}


@pytest.fixture
def contract_log(serving, endpoint):
    return serving.contract_log


@pytest.fixture
def keeper(contract_log, clock):
    """Writes only when it is told to."""
    made = ContractKeeper(contract_log.write, clock=clock, every_s=3600, soon_s=3600)
    yield made
    made.close()


@pytest.fixture
def checks(keeper):
    return RequestChecks(CONTRACT, mode="warn", endpoint="late", keeper=keeper)


@pytest.fixture
def strict(keeper):
    return RequestChecks(CONTRACT, mode="refuse", endpoint="late", keeper=keeper)


def example(claim: str, at: int, *, endpoint: str = "late") -> BrokenExample:
    return BrokenExample(
        id=f"{claim} {at}", endpoint=endpoint, at=at, outcome="refused", claim=claim, values={}
    )


def refuse(strict: RequestChecks, columns: dict[str, list[object]]) -> None:
    with pytest.raises(BrokenContract):
        strict.broken(columns, rows=len(columns["temp"]), ids=["x"] * len(columns["temp"]))


@both_stores
def test_a_refused_request_stands_in_the_log_with_its_claims(serving, keeper, checks, strict):
    checks.broken(GOOD, rows=1, ids=["one"])
    refuse(strict, WRONG)
    keeper.flush()

    counts = serving.contract_counts("late", hours=1)
    assert (counts.requests, counts.rows, counts.broken, counts.refused_requests) == (2, 2, 1, 1)
    assert {(c.claim, c.rows, c.refused_rows) for c in counts.claims} == {
        ("range temp", 1, 1),
        ("categories who", 1, 1),
    }
    found = serving.broken_examples("late", claim="range temp").items[0]
    assert (found.outcome, found.prediction_id) == ("refused", None)
    assert found.contracts == {"weather": 3}


def test_values_of_sensitive_columns_and_unknown_ones_are_kept_nowhere(serving, keeper, strict):
    refuse(strict, WRONG)
    keeper.flush()

    by_claim = {e.claim: e for e in serving.broken_examples("late").items}
    assert by_claim["range temp"].values == {"temp": 451.0, "dewp": 40.0}
    assert by_claim["categories who"].values == {"temp": 451.0, "dewp": 40.0}
    assert by_claim["categories who"].left_out == ("who",)


def test_a_refusal_repeats_no_sensitive_value_and_of_long_texts_only_the_beginning(strict):
    with pytest.raises(BrokenContract) as raised:
        strict.broken(GOOD | {"temp": [451.0], "who": ["secret"]}, rows=1, ids=["x"])
    with pytest.raises(BrokenContract) as long:
        strict.broken(GOOD | {"temp": ["x" * 5000]}, rows=1, ids=["x"])

    assert "row 0: range temp (451.0), categories who." in str(raised.value)
    assert len(str(long.value)) < 300


def test_without_knowing_what_is_sensitive_no_value_is_kept(serving, keeper):
    unknown = RequestContract(body=CONTRACT.body, sources={}, sensitive=None)
    refuse(RequestChecks(unknown, mode="refuse", endpoint="late", keeper=keeper), WRONG)
    keeper.flush()

    assert {tuple(e.values) for e in serving.broken_examples("late").items} == {()}


def test_a_row_that_was_answered_names_its_prediction(serving, keeper, checks):
    checks.broken({n: [*GOOD[n], *WRONG[n]] for n in GOOD}, rows=2, ids=["one", "two"])
    keeper.flush()

    assert {e.prediction_id for e in serving.broken_examples("late", outcome="warned").items} == {
        "two"
    }
    assert serving.broken_examples("late", outcome="refused").total == 0


def test_what_a_claim_is_about_comes_first_and_long_texts_are_cut(serving, keeper, checks):
    row = {"dewp": [99.0], "temp": [10.0], "who": ["x" * 1000]}
    plain = RequestContract(body=CONTRACT.body, sources={}, sensitive=())
    judged = RequestChecks(plain, mode="warn", endpoint="late", keeper=keeper)
    judged.broken(row, rows=1, ids=["one"])
    keeper.flush()

    values = serving.broken_examples("late", claim="categories who").items[0].values
    assert list(values) == ["who", "dewp", "temp"]
    assert len(values["who"]) == 100


def test_a_request_writes_nothing_and_the_next_flush_all(keeper, checks, log):
    before = log.last().seq
    checks.broken(GOOD, rows=1, ids=["one"])
    checks.broken(WRONG, rows=1, ids=["two"])
    assert log.last().seq == before

    keeper.flush()

    fact = log.last().as_fact(ContractBroken)
    assert (fact.requests, fact.rows, fact.broken, fact.warned_requests) == (2, 2, 1, 1)
    assert fact.claims == {"range temp": 1, "categories who": 1}
    assert log.last().actor == "inference"


def test_requests_that_keep_the_contract_are_no_event(keeper, checks, log, serving):
    before = log.last().seq
    checks.broken(GOOD, rows=1, ids=["one"])
    keeper.flush()

    assert log.last().seq == before
    assert serving.contract_counts("late").rows == 1


@both_stores
def test_examples_are_few_of_each_claim_and_day_and_the_newest(serving, contract_log):
    for day in (0, 1):
        instants = [NOW + day * DAY_US + n for n in range(8)]
        contract_log.write(ContractBatch(examples=tuple(example("a", at) for at in instants)))
    contract_log.write(ContractBatch(examples=(example("b", NOW),)))

    kept = serving.broken_examples("late", claim="a", limit=3)
    assert kept.total == 2 * EXAMPLES
    assert [e.at - NOW - DAY_US for e in kept.items] == [7, 6, 5]
    assert serving.broken_examples("late").total == 2 * EXAMPLES + 1


@both_stores
def test_examples_go_after_a_month_and_counts_stay_by_day(serving, contract_log, clock):
    waiting = Waiting()
    midnight = NOW - NOW % DAY_US
    for minutes in (0, 7, 61):
        count(waiting, at=midnight + minutes * 60_000_000, claims={"a": 1})
    contract_log.write(waiting.take())

    clock.advance(31 * DAY_US)
    count(waiting, at=clock.now(), claims={"a": 1})
    contract_log.write(waiting.take())

    assert serving.broken_examples("late").total == 1
    counts = serving.contract_counts("late", hours=40 * 24)
    assert (counts.since % DAY_US, counts.broken, counts.claims[0].rows) == (0, 4, 4)
    assert serving.contract_counts("late", hours=1).broken == 1


def test_a_row_that_is_too_old_is_not_shown_though_nothing_was_written_since(
    serving, contract_log, clock
):
    contract_log.write(ContractBatch(examples=(example("a", NOW),)))
    clock.advance(30 * DAY_US)
    last_day = serving.broken_examples("late").total
    clock.advance(DAY_US)

    assert (last_day, serving.broken_examples("late").total) == (1, 0)


def test_what_cannot_be_written_waits(clock):
    said, down = [], [True]

    def write(batch: ContractBatch) -> None:
        if down:
            raise Unavailable("The store is down.")
        said.append(batch)

    keeper = ContractKeeper(write, clock=clock, every_s=3600, soon_s=3600)
    checks = RequestChecks(CONTRACT, mode="warn", endpoint="late", keeper=keeper)
    checks.broken(WRONG, rows=1, ids=["one"])
    with pytest.raises(Unavailable):
        keeper.flush()
    checks.broken(WRONG, rows=1, ids=["two"])
    down.clear()
    keeper.close()

    (batch,) = said
    assert [(j.requests, j.rows, j.broken) for j in batch.judged] == [(2, 2, 2)]
    assert {b.claim: b.rows for b in batch.broken} == {"range temp": 2, "categories who": 2}
    assert len(batch.examples) == 4


def test_while_a_store_is_down_for_long_what_waits_is_bounded():
    waiting = Waiting()
    for bucket in range(41):
        names = (f"c{n}" for n in range(500))
        count(waiting, at=NOW + bucket * BUCKET_US, claims=dict.fromkeys(names, 1))
    waiting.give_back(waiting.take())

    batch = waiting.take()
    assert len(batch.broken) == 500
    assert sum(b.rows for b in batch.broken) == 41 * 500
    assert len(batch.examples) == 500 * EXAMPLES


def test_closing_writes_what_waits(serving, contract_log, clock):
    keeper = ContractKeeper(contract_log.write, clock=clock)
    RequestChecks(CONTRACT, mode="warn", endpoint="late", keeper=keeper).broken(
        WRONG, rows=1, ids=["one"]
    )
    keeper.close()

    assert serving.contract_counts("late").broken == 1


def test_what_is_broken_after_a_quiet_time_is_written_soon(clock):
    written = queue.SimpleQueue()
    keeper = ContractKeeper(written.put, clock=clock, every_s=3600, soon_s=0)
    checks = RequestChecks(CONTRACT, mode="warn", endpoint="late", keeper=keeper)
    checks.broken(GOOD, rows=1, ids=["one"])  # which alone would wait
    checks.broken(WRONG, rows=1, ids=["two"])

    assert sum(j.requests for j in written.get(timeout=30).judged) == 2
    checks.broken(WRONG, rows=1, ids=["three"])  # so soon after, it waits for its turn
    keeper.close()
    assert written.get(timeout=30).judged[0].requests == 1


def test_unknown_outcomes_endpoints_and_times_are_refused(serving, endpoint):
    with pytest.raises(InvalidInput, match="no outcome 'kept'"):
        serving.broken_examples("late", outcome="kept")
    with pytest.raises(NotFound):
        serving.contract_counts("lat")
    with pytest.raises(InvalidInput, match="cannot be looked back"):
        serving.contract_counts("late", hours=-1)


def count(waiting: Waiting, *, at: int, claims: dict[str, int], endpoint: str = "late") -> None:
    rows = max(claims.values(), default=0)
    outcome = "refused" if claims else "kept"
    waiting.judged(endpoint, at=at, outcome=outcome, requests=1, rows=rows + 1, broken=rows)
    waiting.broke(
        endpoint,
        at=at,
        outcome="refused",
        claims=claims,
        example=lambda claim: example(f"{claim}", at + len(claims), endpoint=endpoint),
    )


INSTANTS = st.integers(min_value=NOW - 4 * DAY_US, max_value=NOW)
REQUESTS = st.lists(
    st.tuples(
        INSTANTS,
        st.dictionaries(st.sampled_from(["a", "b c", "d"]), st.integers(1, 9), max_size=3),
        st.booleans(),
        st.booleans(),
    ),
    max_size=30,
)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(requests=REQUESTS, hours=st.integers(1, 120))
def test_counts_are_exact_however_they_are_flushed(store, requests, hours):
    """An oracle that remembers every request; each example has an endpoint of its own."""
    name = new_id()
    log, waiting = ContractLog(store), Waiting()
    for at, claims, flush, fail in requests:
        count(waiting, at=at, claims=claims, endpoint=name)
        if fail:
            waiting.give_back(waiting.take())
        if flush:
            batch = waiting.take()
            log.write(ContractBatch(judged=batch.judged, broken=batch.broken))
            log = ContractLog(store)  # which rolls up anew
    last = waiting.take()
    log.write(ContractBatch(judged=last.judged, broken=last.broken))

    counts = log.counts(name, since=NOW - hours * HOUR_US)
    seen = [claims for at, claims, _, _ in requests if at >= counts.since]
    rows: Counter[str] = Counter()
    for claims in seen:
        rows.update(claims)
    assert counts.since <= NOW - hours * HOUR_US
    assert {c.claim: c.rows for c in counts.claims} == dict(rows)
    assert counts.requests == len(seen)
    assert counts.refused_requests == sum(map(bool, seen))
    assert counts.rows == sum(1 + max(c.values(), default=0) for c in seen)
