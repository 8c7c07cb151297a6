from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from treadle.errors import InvalidInput, NotFound, Unavailable
from treadle.registry.service import Registry
from treadle.serving.entities import Variant
from treadle.serving.known_keys import RememberingSigner
from treadle.serving.runtime import Runtime
from treadle.serving.scoring import ModelFailed
from treadle.serving.service import Serving
from treadle.serving.shadows import ShadowQueue
from treadle.storage.metadata import SqlMetadataStore

NOBODY_LISTENS = "postgresql://app@127.0.0.1:1/none"


@pytest.fixture
def served(runtime, endpoint):
    runtime.refresh()
    return runtime


def settle(runtime):
    assert runtime.shadows.settle(timeout_s=30)


def test_an_answer_names_its_prediction_its_variant_and_its_version(served, rows):
    answer = served.infer("late", rows(1), keys=["k"])

    assert (answer.variant, answer.version) == ("champion", "late@1")
    assert len(answer.ids) == len(answer.values) == 1


def test_what_was_answered_is_logged(served, serving, rows, clock):
    answer = served.infer("late", rows(2), keys=["k", "l"])

    logged = [serving.prediction(i) for i in answer.ids]

    assert [p.value for p in logged] == answer.values.tolist()
    assert [p.key for p in logged] == ["k", "l"]
    assert [p.at for p in logged] == [clock.now()] * 2


def test_a_request_without_keys_uses_the_ids(served, serving, rows):
    answer = served.infer("late", rows(2))

    assert [serving.prediction(i).key for i in answer.ids] == list(answer.ids)


def test_each_row_is_answered_by_the_variant_of_its_key(served, serving, versions, rows):
    serving.set_traffic(
        "late",
        [
            Variant(name="a", version=versions[0], share=0.5),
            Variant(name="b", version=versions[1], share=0.5),
        ],
        reason="",
    )
    served.refresh()
    keys = [f"k{n}" for n in range(40)]

    together = served.infer("late", rows(40), keys=keys)
    single = [served.infer("late", rows(1), keys=[key]).variant for key in keys]

    assert list(together.variants) == single
    assert set(single) == {"a", "b"}
    number = [int(v[-1]) for v in together.versions]
    assert np.allclose(together.values - rows(40)["temp"].to_numpy() / 100, number)


def test_a_version_is_swapped_when_the_traffic_changes(served, serving, versions, rows):
    before = served.infer("late", rows(1)).version
    serving.set_traffic("late", [Variant(name="b", version=versions[1])], reason="")
    unseen = served.infer("late", rows(1)).version
    served.refresh()

    assert (before, unseen) == ("late@1", "late@1")
    assert served.infer("late", rows(1)).version == "late@2"


def test_changes_are_followed_in_the_background(served, serving, versions, rows):
    served.start()
    serving.set_traffic("late", [Variant(name="b", version=versions[1])], reason="")

    while served.infer("late", rows(1)).version != "late@2":  # the test's time limit ends it
        pass


def test_a_version_can_be_asked_by_its_number(served, serving, versions, rows):
    variants = [
        Variant(name="a", version=versions[0]),
        Variant(name="b", version=versions[1], share=0, role="canary"),
        Variant(name="c", version=versions[2], role="shadow"),
    ]
    serving.set_traffic("late", variants, reason="")
    served.refresh()

    begun = served.begin("late", rows(1), number="2")
    begun.logged.result()

    assert begun.answer.version == "late@2"
    with pytest.raises(NotFound, match="version of model 'late'"):
        served.begin("late", rows(1), number="3")  # a shadow is never shown


def test_not_ready_until_it_has_looked(runtime, endpoint, rows):
    assert not runtime.models.ready
    with pytest.raises(Unavailable, match="being loaded"):
        runtime.infer("late", rows(1))

    runtime.refresh()

    assert runtime.models.ready


def test_ready_when_there_is_nothing_to_serve(runtime):
    runtime.refresh()

    assert runtime.models.ready


def test_an_unknown_model_names_its_near_miss(served, rows):
    with pytest.raises(NotFound, match="Did you mean 'late'"):
        served.infer("lte", rows(1))


def test_an_endpoint_without_traffic_says_so(served, serving, rows):
    serving.create_endpoint("idle", "late")
    served.refresh()

    with pytest.raises(NotFound, match="no traffic yet"):
        served.infer("idle", rows(1))
    assert served.models.ready


def test_a_request_without_rows_is_refused(served, rows):
    with pytest.raises(InvalidInput, match="no rows"):
        served.infer("late", rows(0))


def test_what_a_model_refuses_is_explained_and_not_logged(served, serving, rows):
    with pytest.raises(InvalidInput, match="'temp'"):
        served.infer("late", rows(1).drop_columns(["temp"]))

    assert serving.predictions("late").num_rows == 0


def test_a_model_that_fails_is_logged_as_failed(served, serving, registry, rows):
    def fail(table):
        if table.num_rows > 1:
            raise ZeroDivisionError("by nothing")
        return np.zeros(1)

    registry.register("late", fail, example=rows(1))
    serving.set_traffic("late", [Variant(name="bad", version="late@4")], reason="")
    served.refresh()

    with pytest.raises(ModelFailed, match="ZeroDivisionError: by nothing"):
        served.infer("late", rows(2), keys=["a", "b"])

    found = serving.predictions("late")
    assert found.select(["key", "value", "status", "version"]).to_pylist() == [
        {"key": "a", "value": None, "status": "error", "version": "late@4"},
        {"key": "b", "value": None, "status": "error", "version": "late@4"},
    ]


# --- when the news does not come ---


def test_what_is_loaded_answers_while_the_store_is_down(served, serving, rows, tmp_path):
    (tmp_path / "treadle.db").rename(tmp_path / "away.db")
    (tmp_path / "treadle.db").mkdir()
    serving._store.close()

    served.refresh()

    assert served.models.ready
    assert served.infer("late", rows(1)).version == "late@1"


@pytest.fixture
def reborn(serving, objects, registry, store, tmp_path):
    """A runtime of the same home, started while the metadata store is down."""
    RememberingSigner(tmp_path / "keys", store=store)  # as the inference process has one
    down = SqlMetadataStore(NOBODY_LISTENS)
    signer = RememberingSigner(tmp_path / "keys", store=down)
    offline = Registry(store=down, objects=objects, signer=signer)
    opened = Runtime(
        Serving(store=down, objects=objects, registry=offline, home=tmp_path), home=tmp_path
    )
    yield opened
    opened.close()


def test_a_restart_while_the_store_is_down_serves_what_was_last_known(served, reborn, rows):
    reborn.refresh()

    assert reborn.models.ready
    assert reborn.infer("late", rows(1)).version == "late@1"


def test_a_first_start_while_the_store_is_down_is_not_ready(reborn, rows):
    reborn.refresh()

    assert not reborn.models.ready


def test_a_version_that_is_damaged_leaves_the_old_one_serving_and_is_told(
    served, serving, versions, registry, objects, rows
):
    (model,) = [f for f in registry.version(versions[1]).files if f.path.startswith("model/")]
    path = objects._path(model.digest)
    path.chmod(0o644)
    path.write_bytes(b"not what was signed")
    serving.set_traffic("late", [Variant(name="b", version=versions[1])], reason="")

    served.refresh()

    assert served.infer("late", rows(1)).version == "late@1"
    assert served.models.ready
    assert "damaged" in served.models.problems["late"]


# --- shadows ---


@pytest.fixture
def shadowed(served, serving, registry, versions, rows):
    """A runtime whose shadow waits until it is let go."""
    gate = threading.Event()
    registry.register("late", lambda t: t["temp"].to_numpy() * 0, example=rows(1))
    serving.set_traffic(
        "late",
        [
            Variant(name="champion", version=versions[0]),
            Variant(name="shadow", version="late@4", role="shadow"),
        ],
        reason="",
    )
    served.refresh()
    slow = served.models.find("late").models["late@4"]
    ask = slow.predict
    slow.predict = lambda table: gate.wait(30) and ask(table)
    yield gate
    gate.set()


def test_the_answer_does_not_wait_for_the_shadow(served, serving, shadowed, rows):
    answer = served.infer("late", rows(1), keys=["k"])
    while_waiting = serving.predictions("late", role="shadow").num_rows
    shadowed.set()
    settle(served)

    shadow = serving.predictions("late", role="shadow")
    assert answer.version == "late@1"
    assert while_waiting == 0
    assert shadow["answer_id"].to_pylist() == list(answer.ids)
    assert shadow["key"].to_pylist() == ["k"]
    assert shadow["value"].to_pylist() == [0.0]


def test_shadows_that_fall_behind_are_dropped_and_counted(
    serving, endpoint, shadowed, served, rows
):
    served.shadows.close(timeout_s=0)
    served.shadows = ShadowQueue(capacity=3)
    begun = time.monotonic()
    for n in range(10):
        served.infer("late", rows(2), keys=[f"a{n}", f"b{n}"])
    took = time.monotonic() - begun
    shadowed.set()
    served.close()

    (part,) = serving.compact()

    assert took < 10  # nobody waited for a shadow
    assert part.shadows_dropped == 7 * 2
    assert serving.predictions("late", role="shadow").num_rows == 3 * 2
    assert serving.predictions("late", role="live").num_rows == 10 * 2


def test_a_shadow_that_lacks_an_input_fails_alone(served, serving, registry, versions, rows):
    wider = rows(1).append_column("wind", [[1.0]])
    registry.register("late", lambda t: t["wind"].to_numpy(), example=wider)
    serving.set_traffic(
        "late",
        [
            Variant(name="champion", version=versions[0]),
            Variant(name="shadow", version="late@4", role="shadow"),
        ],
        reason="",
    )
    served.refresh()

    served.infer("late", rows(1))
    settle(served)

    assert serving.predictions("late", role="shadow")["status"].to_pylist() == ["error"]
    assert serving.predictions("late", role="live")["status"].to_pylist() == ["ok"]
