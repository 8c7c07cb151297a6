"""The routes that are called most, asked for nearly the right thing: never a bug, on either store.

And what they took can be read again, by MLflow's client, by our API and on its page.
"""

from __future__ import annotations

import base64
import http.client
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from treadle.app import App
from treadle.kernel.settings import Settings
from treadle.server.control import ControlServer

if TYPE_CHECKING:
    from collections.abc import Iterator

LIMIT_S = 30
WIRE = "/api/2.0/mlflow"
ODD = "the run of this example"
EXAMPLES = 60
BOUNDED = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


class Literally:
    """A piece of JSON as it is to be written, which Python would not write so."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return f"Literally({self.text[:40]!r})"


class Twice(dict[str, Any]):
    """An object that says its first name twice."""


def written(value: Any) -> str:
    """Write JSON by hand, also what is none."""
    match value:
        case Literally():
            return value.text
        case dict():
            items = list(value.items())
            items = items[:1] + items if isinstance(value, Twice) else items
            return "{" + ",".join(f"{json.dumps(k)}:{written(v)}" for k, v in items) + "}"
        case list():
            return "[" + ",".join(map(written, value)) + "]"
        case _:
            return json.dumps(value)


DEEP = Literally("[" * 3000 + "]" * 3000)
TEXTS = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        ["", "\x00", "a\x00b", "\ud800", "\udfff\ud800", "💩", "x" * 300, "x" * 9000, "'", '"', "`",
         "%", "_", "..", "../a", "a/../b", "²", "٣", "\\", "\n", "\u202e", "NaN", "null", "0"]
    ),
)  # fmt: skip
WHOLE = st.one_of(
    st.integers(),
    st.sampled_from(
        [0, -1, 1 << 31, (1 << 53) + 1, (1 << 63) - 1, 1 << 63, -(1 << 63), -(1 << 63) - 1, 10**300]
    ),
    st.sampled_from(["1e3", "1e400", "1.5", "-0", "NaN", "Infinity", "1" * 5000, '"7"', '"٣"']).map(
        Literally
    ),
)
FLOATS = st.one_of(
    st.floats(),
    st.sampled_from(
        [
            "1e400",
            "-1e400",
            "NaN",
            "-Infinity",
            "1e-400",
            "10" * 400,
            '"NaN"',
            '"1e400"',
            '"x"',
            "-0.0",
        ]
    ).map(Literally),
)
WRONG = st.sampled_from([None, True, [], {}, [None], [[]], {"a": {}}, DEEP, "x", 1, 1.5])
KEYS = st.one_of(st.sampled_from(["loss", "a/b", "a b", "loss.é"]), TEXTS)


def mostly(right: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """What fits nine times of ten."""
    return st.integers(0, 9).flatmap(lambda n: right if n else WRONG)


def objects(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """An object of these fields, some of them missing, sometimes one twice."""
    chosen = st.fixed_dictionaries({}, optional={k: mostly(v) for k, v in fields.items()})
    whole = st.fixed_dictionaries({k: mostly(v) for k, v in fields.items()})
    return st.one_of(whole, whole, chosen, whole.map(Twice))


def lists(of: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(mostly(of), max_size=4)


RUN_IDS = st.one_of(st.just(ODD), st.just(ODD), TEXTS)
PAIRS = lists(objects(key=KEYS, value=TEXTS))
POINT = {"key": KEYS, "value": FLOATS, "timestamp": WHOLE, "step": WHOLE}
FILTER = st.lists(
    st.sampled_from(
        ["metrics.loss", "params.depth", "tags.`a b`", 'tags."x', "attributes.start_time", "name",
         "status", "run_id", "dataset.name", "version_number", "creation_timestamp", "aliases",
         "=", "!=", "<", ">=", "LIKE", "ILIKE", "IN", "IS NULL", "IS NOT NULL", "AND", "OR", "NOT",
         "(", ")", ",", "'x'", "'%'", "'\x00'", "'\ud800'", "('a','b')", "()", "1", "-1", "1e400",
         "nan", "9223372036854775808", "1" * 400, "'", '"', "`", ";", "--", "\x00", "٣", "é"]
    ),
    max_size=7,
).map(" ".join)  # fmt: skip
WHERE = st.one_of(
    FILTER,
    st.builds(
        "{} {} {}".format,
        st.sampled_from(
            ["metrics.loss", "params.depth", "tags.team", "attributes.start_time", "end_time",
             "name", "status", "run_id", "creation_time", "last_update_time", "version_number",
             "last_updated_timestamp", "tags.`\x00`"]
        ),
        st.sampled_from(["=", "!=", "<", ">", "LIKE", "ILIKE", "IN"]),
        st.sampled_from(
            ["0.5", "1e400", "-1", "9223372036854775807", "9223372036854775808", "1" * 400, "'x'",
             "'%\x00%'", "'\ud800'", "('a')", "('\x00')", "(1)", "'" + "%" * 50 + "'", "٣", "nan"]
        ),
    ),
)  # fmt: skip
ORDER = st.one_of(
    TEXTS,
    st.builds(
        "{} {}".format,
        st.sampled_from(
            ["metrics.loss", "params.depth", "tags.`a`", "start_time", "attributes.end_time",
             "name", "last_update_time", "creation_timestamp", "version_number",
             "metrics.`\x00`", "x"]
        ),
        st.sampled_from(["", "ASC", "desc", "DESC NULLS FIRST", "ASC, x", "\x00"]),
    ),
)  # fmt: skip
TOKENS = st.one_of(
    TEXTS,
    st.sampled_from(
        ['{"offset": 1}', '{"offset": -1}', '{"offset": 1e3}', '{"offset": "1"}',
         '{"offset": true}', '{"offset": 9223372036854775807}', '{"offset": 4611686018427387903}',
         "[]", "null", "{}",
         '{"offset": null}', "1" * 6000, "[" * 3000, '{"offset": 0}']
    ).map(lambda token: base64.b64encode(token.encode()).decode()),
)  # fmt: skip
SEARCH = {"filter": WHERE, "order_by": lists(ORDER), "page_token": TOKENS, "max_results": WHOLE}
ASKED: dict[str, tuple[str, st.SearchStrategy[Any]]] = {
    "runs/log-metric": ("POST", objects(run_id=RUN_IDS, model_id=TEXTS, **POINT)),
    "runs/log-parameter": ("POST", objects(run_id=RUN_IDS, key=KEYS, value=TEXTS)),
    "runs/set-tag": ("POST", objects(run_id=RUN_IDS, key=KEYS, value=TEXTS)),
    "runs/log-batch": (
        "POST",
        objects(run_id=RUN_IDS, metrics=lists(objects(**POINT)), params=PAIRS, tags=PAIRS),
    ),
    "runs/log-inputs": (
        "POST",
        objects(
            run_id=RUN_IDS,
            datasets=lists(
                objects(
                    tags=PAIRS,
                    dataset=objects(
                        name=KEYS, digest=TEXTS, source_type=TEXTS, source=TEXTS, schema=TEXTS
                    ),
                )
            ),
            models=lists(objects(model_id=TEXTS, step=WHOLE)),
        ),
    ),
    "runs/update": (
        "POST",
        objects(
            run_id=RUN_IDS,
            status=st.sampled_from(["RUNNING", "FINISHED", "X", 3, 9]),
            end_time=WHOLE,
            run_name=TEXTS,
        ),
    ),
    "runs/create": (
        "POST",
        objects(experiment_id=TEXTS, user_id=TEXTS, run_name=TEXTS, start_time=WHOLE, tags=PAIRS),
    ),
    "runs/search": (
        "POST",
        objects(
            experiment_ids=lists(TEXTS), run_view_type=st.sampled_from([1, "ALL", "x"]), **SEARCH
        ),
    ),
    "experiments/create": (
        "POST", objects(name=TEXTS, artifact_location=TEXTS, tags=PAIRS)
    ),
    "experiments/search": ("POST", objects(view_type=WHOLE, **SEARCH)),
    "logged-models/search": (
        "POST",
        objects(
            experiment_ids=lists(TEXTS),
            order_by=lists(objects(field_name=ORDER, ascending=st.booleans(), dataset_name=TEXTS)),
            datasets=lists(objects(dataset_name=TEXTS, dataset_digest=TEXTS)),
            filter=WHERE, page_token=TOKENS, max_results=WHOLE,
        ),
    ),
    "registered-models/create": ("POST", objects(name=KEYS, description=TEXTS, tags=PAIRS)),
    "model-versions/create": (
        "POST",
        objects(
            name=KEYS, source=TEXTS, run_id=RUN_IDS, run_link=TEXTS, model_id=TEXTS, tags=PAIRS
        ),
    ),
    "registered-models/search": ("GET", objects(**SEARCH)),
    "model-versions/search": ("GET", objects(**SEARCH)),
    "metrics/get-history": (
        "GET", objects(run_id=RUN_IDS, metric_key=KEYS, page_token=TOKENS, max_results=WHOLE)
    ),
    "metrics/get-history-bulk-interval": (
        "GET",
        objects(
            run_ids=lists(RUN_IDS), metric_key=KEYS, start_step=WHOLE, end_step=WHOLE,
            max_results=WHOLE,
        ),
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def database(postgres_server) -> Iterator[str]:
    with psycopg.connect(f"{postgres_server}/postgres", autocommit=True) as admin:
        admin.execute("CREATE DATABASE fuzzed")
        yield f"{postgres_server}/fuzzed"
        admin.execute("DROP DATABASE fuzzed WITH (FORCE)")


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def home(request, tmp_path_factory) -> Iterator[App]:
    url = request.getfixturevalue("database") if request.param == "postgresql" else ""
    folder = tmp_path_factory.mktemp("hot") / "home"
    with App(Settings(home=folder, metadata_url=url)) as app:
        yield app


@pytest.fixture(scope="module")
def wire(home) -> Iterator[http.client.HTTPConnection]:
    with ControlServer(home, port=0) as server:
        made = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=LIMIT_S)
        yield made
        made.close()


@pytest.fixture
def run_id(home) -> str:
    run = home.tracking.start_run(experiment="late", params={"depth": 6}, tags={"team": "a"})
    home.tracking.log(run.id, metrics={"loss": 0.5})
    return run.id


def ask(wire, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
    headers = {"Content-Type": "application/json"} if body else {}
    wire.request(method, path, body or None, headers)
    answer = wire.getresponse()
    found = answer.status, answer.read()
    if answer.status >= 500:  # the server hangs up after a bug; the next one asks anew
        wire.close()
    return found


def as_query(values: dict[str, Any]) -> str:
    flat = [
        (name, each if isinstance(each, str) else written(each))
        for name, value in values.items()
        for each in (value if isinstance(value, list) else [value])
    ]
    return urlencode(flat, errors="surrogatepass")


def place(value: Any, run_id: str) -> Any:
    if isinstance(value, dict):
        return type(value)((name, place(each, run_id)) for name, each in value.items())
    if isinstance(value, list):
        return [place(each, run_id) for each in value]
    return run_id if value == ODD else value


@pytest.mark.parametrize("path", ASKED)
def test_nearly_right_is_answered_and_what_was_taken_can_be_read(path, wire, home, run_id):
    method, values = ASKED[path]

    @BOUNDED
    @given(values=values)
    def every(values):
        asked = place(values, run_id)
        if method == "GET":
            status, text = ask(wire, method, f"{WIRE}/{path}?{as_query(asked)}")
        else:
            status, text = ask(wire, method, f"{WIRE}/{path}", written(asked).encode())
        assert status < 500, text
        assert "error_code" in json.loads(text) or status == 200

    every()
    experiment = home.tracking.run(run_id).experiment_id
    everything = json.dumps({"experiment_ids": [experiment, "0"], "max_results": 2000}).encode()
    reads = [
        ("GET", f"{WIRE}/runs/get?run_id={run_id}", b""),
        ("POST", f"{WIRE}/runs/search", everything),
        ("GET", f"{WIRE}/experiments/search?max_results=2000", b""),
        ("GET", f"{WIRE}/registered-models/search?max_results=1000", b""),
        ("GET", f"{WIRE}/model-versions/search?max_results=1000", b""),
        *(
            ("GET", f"{WIRE}/metrics/get-history?run_id={run_id}&metric_key={quote(key)}", b"")
            for key in home.tracking.run(run_id).metrics
        ),
        ("GET", f"/api/v1/runs/{run_id}", b""),
        ("GET", "/api/v1/runs?limit=1000", b""),
        ("GET", "/api/v1/models?limit=1000", b""),
        ("GET", f"/runs/{run_id}", b""),
        ("GET", "/runs", b""),
        ("GET", "/models", b""),
        ("GET", "/events", b""),
    ]
    found = {target: ask(wire, verb, target, body)[0] for verb, target, body in reads}
    assert {target: status for target, status in found.items() if status != 200} == {}
