from __future__ import annotations

import threading

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from sqlalchemy import update

from treadle.errors import Conflict, Corrupt, InvalidInput, NotFound
from treadle.kernel.actors import acting_as
from treadle.registry import store as tables
from treadle.registry.facts import AliasRemoved, AliasSet, VersionRegistered
from treadle.registry.service import Registry
from treadle.storage import events
from treadle.storage.keys import Signer
from treadle.storage.objects import put_bytes


def half(table):
    return np.full(table.num_rows, 0.5)


@pytest.fixture
def example():
    return pa.table({"hour": [1, 2], "temp": [0.5, 1.5]})


def all_events(store):
    with store.read() as tx:
        return list(events.read(tx.connection))


def change(store, **values):
    with store.write() as tx:
        tx.execute(update(tables.model_versions).values(**values))


def register_and_fail(registry, store, example):
    with store.write():
        registry.register("late", half, example=example)
        raise InvalidInput("what came after it failed")


def promote_and_fail(registry, store):
    with store.write():
        registry.set_alias("late", "champion", 1)
        raise Conflict("the traffic did not move")


def replace_object(objects, digest, data):
    path = objects._path(digest)
    path.chmod(0o644)
    path.write_bytes(data)


def test_a_version_is_read_as_it_was_registered(registry, boosted, numbers, clock):
    with acting_as("user:ann"):
        version = registry.register(
            "late",
            boosted,
            run_id="r1",
            example=numbers,
            description="first",
            metadata={"features": ("hour", "temp")},
        )

    assert registry.version("late@1") == version
    assert version.ref == "late@1"
    assert (version.flavor, version.run_id, version.description) == ("sklearn", "r1", "first")
    assert (version.actor, version.created_at) == ("user:ann", clock.instant)
    assert version.metadata["features"] == ["hour", "temp"]
    assert version.metadata["format"] == "skops"
    assert [(f.name, f.type) for f in version.signature.inputs] == [
        ("hour", "int64"),
        ("temp", "double"),
    ]
    assert version.signature.output == "probability"
    assert {file.path for file in version.files} == {
        "model/model.skops",
        "example/inputs.arrow",
        "example/answers.npy",
        "MLmodel",
        "code/treadle_skops.py",
        "requirements.txt",
        "python_env.yaml",
        "input_example.json",
    }


def test_a_loaded_model_answers_as_the_one_registered(registry, boosted, numbers):
    registry.register("late", boosted, example=numbers)

    loaded = registry.load("late@latest")

    expected = boosted.predict_proba(np.column_stack([c.to_numpy() for c in numbers.columns]))
    np.testing.assert_array_equal(loaded.predict(numbers), expected[:, 1])
    assert loaded.version.ref == "late@1"


def test_numbers_have_no_gaps_though_a_registration_fails(registry, example, store):
    registry.register("late", half, example=example)
    with pytest.raises(InvalidInput):
        register_and_fail(registry, store, example)

    version = registry.register("late", half, example=example)

    assert version.number == 2
    assert [v.number for v in registry.versions("late")] == [2, 1]


def test_numbers_have_no_gaps_though_threads_register_at_once(registry, example):
    start = threading.Barrier(4)

    def register() -> None:
        start.wait()
        registry.register("late", half, example=example)

    threads = [threading.Thread(target=register) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [v.number for v in registry.versions("late")] == [4, 3, 2, 1]


def test_a_model_and_its_version_are_told_by_facts(registry, store, example):
    version = registry.register("late", half, example=example)
    registry.register("late", half, example=example)

    told = all_events(store)
    assert [e.kind for e in told] == [
        "model.created",
        "model.version_registered",
        "model.version_registered",
    ]
    assert told[1].as_fact(VersionRegistered).version == version
    assert {e.subject for e in told} == {"model/late"}


def test_a_run_names_the_versions_it_made(registry, example):
    registry.register("late", half, example=example)
    made = registry.register("late", half, run_id="r1", example=example)

    assert registry.versions_of_run("r1") == (made,)


def test_models_are_listed_with_their_newest_number_and_aliases(registry, example, clock):
    registry.register("late", half, example=example)
    registry.register("early", half, example=example)
    clock.advance(10)
    registry.register("late", half, example=example)
    registry.set_alias("late", "champion", 1)

    early, late = registry.models()

    assert (early.name, early.latest, early.aliases) == ("early", 1, {})
    assert (late.name, late.versions, late.aliases) == ("late", 2, {"champion": 1})
    assert late.updated_at - late.created_at == 10


def test_an_alias_moves_and_the_fact_says_from_where(registry, store, example):
    for _ in range(2):
        registry.register("late", half, example=example)

    registry.set_alias("late", "champion", 1)
    registry.set_alias("late", "champion", 1)
    registry.set_alias("late", "champion", 2)

    assert registry.version("late@champion").number == 2
    assert registry.aliases("late") == {"champion": 2}
    moves = [e.as_fact(AliasSet) for e in all_events(store) if e.kind == AliasSet.kind]
    assert [(m.previous, m.number) for m in moves] == [(None, 1), (1, 2)]


def test_a_removed_alias_is_gone(registry, store, example):
    registry.register("late", half, example=example)
    registry.set_alias("late", "champion", 1)

    registry.remove_alias("late", "champion")

    with pytest.raises(NotFound, match="No alias 'champion'"):
        registry.version("late@champion")
    removed = all_events(store)[-1].as_fact(AliasRemoved)
    assert (removed.name, removed.alias, removed.previous) == ("late", "champion", 1)


def test_an_alias_to_a_version_that_is_not_there_is_refused(registry, example):
    registry.register("late", half, example=example)

    with pytest.raises(NotFound, match=r"No model version 'late@2'. The newest is late@1"):
        registry.set_alias("late", "champion", 2)
    assert registry.aliases("late") == {}


@pytest.mark.parametrize(
    "alias", ["latest", "LATEST", "3", "v3", "V3", "", "a b", "a@b", "x" * 256]
)
def test_a_word_that_cannot_be_an_alias_is_refused(solo, alias):
    with pytest.raises(InvalidInput, match="cannot name an alias"):
        solo.set_alias("late", alias, 1)


@pytest.mark.parametrize("name", ["", "a/b", "../x", "ä", "a b", "x" * 101, "a@1", "a\n"])
def test_a_word_that_cannot_be_a_name_is_refused(solo, example, name):
    with pytest.raises(InvalidInput, match="cannot name a model"):
        solo.register(name, half, example=example)


@pytest.mark.parametrize(
    ("ref", "message"),
    [
        ("latte", "No model 'latte'. Did you mean 'late'"),
        ("late@champio", "Did you mean 'champion'"),
        ("late@0", "No model version 'late@0'"),
        ("late@7", "The newest is late@1"),
        ("late@99999999999999999999", "already means a version"),
        ("late@", "cannot name an alias"),
        ("", "cannot name a model"),
    ],
)
def test_a_ref_to_nothing_says_what_there_is(solo, example, ref, message):
    solo.register("late", half, example=example)
    solo.set_alias("late", "champion", 1)

    with pytest.raises((NotFound, InvalidInput), match=message):
        solo.version(ref)


@pytest.mark.parametrize(
    "change_of",
    [
        {"source": "runs:/r1/model"},
        {"sealing": 1},
        {"sealing": 7},
        {"number": 7},
        {"model": "other"},
        {"flavor": "sklearn"},
        {"run_id": "r2"},
        {"metadata": {"format": "skops"}},
        {"actor": "user:eve"},
        {"created_at": 1},
    ],
    ids=str,
)
def test_a_manifest_that_was_changed_is_not_loaded(solo, solo_store, example, change_of):
    version = solo.register("late", half, example=example)
    fields = {**msgspec.to_builtins(version), **change_of}

    with pytest.raises(Corrupt, match="not what was signed"):
        solo.load_version(msgspec.convert(fields, type(version)))


def test_a_row_that_was_changed_is_not_loaded(registry, store, example):
    registry.register("late", half, example=example)
    change(store, flavor="sklearn")

    with pytest.raises(Corrupt, match="not what was signed"):
        registry.load("late@1")
    with pytest.raises(Corrupt):
        registry.verify("late@1")


def test_a_manifest_that_was_changed_with_its_digest_lacks_a_signature(solo, example):
    version = solo.register("late", half, example=example)
    forged = msgspec.structs.replace(version, flavor="sklearn")
    forged = msgspec.structs.replace(forged, digest=forged.manifest_digest())

    with pytest.raises(Corrupt, match="signature does not match"):
        solo.load_version(forged)


def test_a_version_signed_by_a_stranger_is_not_loaded(solo, solo_store, objects, example, tmp_path):
    stranger_store = type(solo_store)(f"sqlite:///{tmp_path / 'stranger.db'}")
    stranger_store.migrate()
    signer = Signer(tmp_path / "stranger", store=stranger_store)
    stranger = Registry(store=stranger_store, objects=objects, signer=signer)
    foreign = stranger.register("late", half, example=example)
    stranger_store.close()

    with pytest.raises(Corrupt, match="does not know"):
        solo.load_version(foreign)


def test_nothing_is_unpickled_of_a_version_that_was_tampered_with(
    solo, objects, example, monkeypatch
):
    version = solo.register("late", half, example=example)
    unpickled = []
    monkeypatch.setattr("pickle.load", unpickled.append)
    planted = put_bytes(objects, b"cos\nsystem\n(S'true'\ntR.")
    files = tuple(
        msgspec.structs.replace(f, digest=planted.digest, size_bytes=planted.size_bytes)
        for f in version.files
    )

    with pytest.raises(Corrupt):
        solo.load_version(msgspec.structs.replace(version, files=files))
    assert unpickled == []


@pytest.mark.parametrize("place", [0, 1, 2])
def test_an_object_that_was_changed_is_not_loaded(solo, objects, example, place):
    version = solo.register("late", half, example=example)
    replace_object(objects, version.files[place].digest, b"planted")

    with pytest.raises(Corrupt, match="damaged"):
        solo.load("late@1")
    with pytest.raises(Corrupt):
        solo.verify("late@1")


def test_an_object_that_is_gone_is_named(solo, objects, example):
    version = solo.register("late", half, example=example)
    objects.delete(version.files[0].digest)

    with pytest.raises(Corrupt, match=r"model/model\.pkl of late@1 is gone"):
        solo.load("late@1")


def test_an_untouched_version_verifies(registry, example):
    version = registry.register("late", half, example=example)

    assert registry.verify("late@1") == version


def test_a_model_that_answers_differently_than_when_it_was_saved_is_not_loaded(
    solo, example, monkeypatch
):
    version = solo.register("late", half, example=example)
    flavor = solo._flavors["callable"]
    monkeypatch.setattr(flavor, "predict", lambda model, table: np.full(table.num_rows, 0.6))

    with pytest.raises(Corrupt, match="no longer gives the answers it was saved with") as caught:
        solo.load_version(version)
    assert "python 3" in caught.value.hint


def test_a_model_that_answers_by_chance_is_refused(solo, example):
    def chance(table):
        return np.random.default_rng().random(table.num_rows)

    with pytest.raises(InvalidInput, match="differently after it was saved"):
        solo.register("late", chance, example=example)


def test_a_model_that_fails_on_its_example_is_refused_with_its_error(solo, example):
    def broken(table):
        return table["wind"]

    with pytest.raises(InvalidInput, match="fails on its example: KeyError"):
        solo.register("late", broken, example=example)
    assert solo.models() == ()


def test_what_is_no_model_is_refused(solo, example):
    with pytest.raises(InvalidInput, match="A dict is no model of a known flavor"):
        solo.register("late", {}, example=example)


def test_metadata_that_is_no_json_is_refused(solo, example):
    with pytest.raises(InvalidInput, match="Metadata must be JSON"):
        solo.register("late", half, example=example, metadata={"x": object()})


def test_a_flavor_that_is_not_here_is_named(solo, objects, solo_store, example, tmp_path):
    solo.register("late", half, example=example)
    bare = Registry(
        store=solo_store, objects=objects, signer=Signer(tmp_path, store=solo_store), flavors=()
    )

    with pytest.raises(NotFound, match="No model flavor 'callable'"):
        bare.load("late@1")


def test_the_tables_are_rebuilt_from_the_log_as_they_were(registry, store, example, clock):
    for name in ("late", "early", "late", "late"):
        clock.advance(1000)
        registry.register(name, half, run_id="r1", example=example, metadata={"k": [1, 2.5, None]})
    registry.set_alias("late", "champion", 1)
    registry.set_alias("late", "challenger", 2)
    clock.advance(1000)
    registry.set_alias("late", "champion", 3)
    registry.remove_alias("late", "challenger")
    registry.set_alias("early", "champion", 1)
    before = rows(store)
    told = all_events(store)

    registry.rebuild(told)

    assert rows(store) == before
    assert [len(before[name]) for name in sorted(before)] == [2, 4, 2]
    assert all_events(store) == told


def test_a_rebuild_mends_a_row_that_was_changed(registry, store, example):
    registry.register("late", half, example=example)
    change(store, flavor="sklearn")

    registry.rebuild(all_events(store))

    assert registry.load("late@1").predict(example).tolist() == [0.5, 0.5]


def test_a_rebuild_that_fails_changes_nothing(registry, store, example):
    registry.register("late", half, example=example)
    before = rows(store)
    twice = [e for e in all_events(store) if e.kind == VersionRegistered.kind]

    with pytest.raises(Exception, match=r".+"):
        registry.rebuild([*all_events(store), *twice])

    assert rows(store) == before


def rows(store):
    found = {}
    with store.read() as tx:
        for table in (tables.models, tables.model_versions, tables.model_aliases):
            query = table.select().order_by(*table.primary_key)
            found[table.name] = [tuple(row) for row in tx.execute(query)]
    return found


def test_promotion_joins_a_transaction_that_fails_as_a_whole(registry, store, example):
    registry.register("late", half, example=example)

    with pytest.raises(Conflict):
        promote_and_fail(registry, store)

    assert registry.aliases("late") == {}
    assert AliasSet.kind not in {e.kind for e in all_events(store)}
