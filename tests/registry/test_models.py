from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from treadle.errors import Conflict, Corrupt, InvalidInput, NotFound, Refused
from treadle.registry.facts import ModelRenamed, ModelTagSet, StageMoved, VersionDeleted
from treadle.registry.service import Registry
from treadle.registry.store import model_versions
from treadle.storage import events
from treadle.storage.keys import Signer

LINK = "s3://bucket/late"


def half(table):
    return np.full(table.num_rows, 0.5)


@pytest.fixture
def example():
    return pa.table({"hour": [1, 2], "temp": [0.5, 1.5]})


@pytest.fixture
def late(registry):
    """A model with two versions that are links."""
    registry.create_model("late")
    registry.create_version("late", source=LINK)
    registry.create_version("late", source=LINK)
    return "late"


def facts_of(store, kind):
    with store.read() as tx:
        return [e.as_fact(kind) for e in events.read(tx.connection, kinds=[kind.kind])]


def rows(store):
    with store.read() as tx:
        return {
            table: sorted(map(tuple, tx.connection.exec_driver_sql(f"SELECT * FROM {table}")))
            for table in (
                "models", "model_tags", "model_versions", "model_version_tags", "model_aliases",
            )
        }  # fmt: skip


def tag_and_fail(registry, store):
    with store.write():
        registry.tag_model("late", {"a": "b"})
        registry.move_stage("late", 1, "nowhere")


def test_a_model_is_there_before_its_first_version(registry):
    made = registry.create_model("late", description="how late", tags={"team": "ops"})

    assert registry.model("late") == made
    assert (made.latest, made.versions, made.aliases) == (0, 0, {})
    assert (made.description, made.tags) == ("how late", {"team": "ops"})
    with pytest.raises(NotFound, match="It has no version yet"):
        registry.version("late")


def test_a_name_is_taken_once(registry):
    registry.create_model("late")

    with pytest.raises(Conflict, match="There is a model 'late' already"):
        registry.create_model("late")


@pytest.mark.parametrize("name", ["my model", "größe", "a@b", "100%", "a.b-c_d", "x" * 256])
def test_a_name_that_mlflow_takes_is_taken(solo, name):
    solo.create_model(name)
    solo.create_version(name, source=LINK)
    solo.set_alias(name, "champion", 1)

    assert solo.numbered(name, 1).ref == f"{name}@1"
    assert solo.version(f"{name}@1").model == name
    assert solo.version(f"{name}@champion").number == 1


@pytest.mark.parametrize(
    "name", ["", " ", "a/b", "a:b", "..", ".", "../x", "a\\b", "a\x00b", "a\nb", "x" * 257]
)
def test_a_name_that_would_be_a_path_is_refused(solo, name):
    with pytest.raises(InvalidInput, match="cannot name a model"):
        solo.create_model(name)
    with pytest.raises(InvalidInput, match="cannot name a model"):
        solo.create_version(name, source=LINK)


def test_what_others_named_takes_our_versions_too(registry, example):
    registry.create_model("my model")

    assert registry.register("my model", half, example=example).ref == "my model@1"


def test_a_number_is_never_given_twice(registry, late):
    registry.delete_version(late, 2)

    assert registry.create_version(late, source=LINK).number == 3
    assert [v.number for v in registry.versions(late)] == [3, 1]
    model = registry.model(late)
    assert (model.latest, model.versions) == (3, 2)


def test_a_deleted_version_takes_its_aliases_and_tags_along(registry, late, store):
    registry.set_alias(late, "champion", 2)
    registry.tag_version(late, 2, {"a": "b"})

    registry.delete_version(late, 2)

    assert registry.aliases(late) == {}
    assert rows(store)["model_version_tags"] == []
    assert registry.version(late).number == 1
    with pytest.raises(NotFound, match="late@2"):
        registry.numbered(late, 2)
    assert facts_of(store, VersionDeleted) == [VersionDeleted(name=late, number=2)]


def test_a_deleted_model_is_gone_with_all_it_had(registry, late, store):
    registry.set_alias(late, "champion", 1)
    registry.tag_model(late, {"a": "b"})

    registry.delete_model(late)

    assert set(map(len, rows(store).values())) == {0}
    with pytest.raises(NotFound):
        registry.model(late)


def test_a_model_registered_again_begins_anew(registry, late):
    registry.delete_model(late)

    registry.create_model(late)

    assert registry.create_version(late, source=LINK).number == 1


def test_a_renamed_model_keeps_everything_and_its_signatures_hold(registry, example):
    registry.register("late", half, example=example, description="first")
    registry.set_alias("late", "champion", 1)
    registry.tag_model("late", {"team": "ops"})
    registry.tag_version("late", 1, {"a": "b"})

    renamed = registry.rename_model("late", "delays")

    assert (renamed.name, renamed.aliases, renamed.tags) == (
        "delays", {"champion": 1}, {"team": "ops"},
    )  # fmt: skip
    found = registry.verify("delays@champion")
    assert (found.description, found.tags) == ("first", {"a": "b"})
    assert registry.load("delays@1").predict(example).tolist() == [0.5, 0.5]
    with pytest.raises(NotFound):
        registry.model("late")


def test_a_name_that_is_taken_is_not_given_by_renaming(registry, late):
    registry.create_model("early")

    with pytest.raises(Conflict, match="There is a model 'early' already"):
        registry.rename_model(late, "early")
    assert registry.rename_model(late, late) == registry.model(late)


def test_what_was_tampered_with_is_not_signed_anew_by_renaming(registry, late, store):
    with store.write() as tx:
        tx.execute(model_versions.update().values(source="s3://elsewhere/late"))

    with pytest.raises(Corrupt, match="not what was signed"):
        registry.rename_model(late, "delays")
    assert registry.model(late).name == late


def test_a_version_moved_to_another_model_by_hand_is_noticed(registry, late, store):
    registry.create_model("other")
    with store.write() as tx:
        tx.execute(
            model_versions.update().where(model_versions.c.number == 1).values(model="other")
        )

    with pytest.raises(Corrupt, match="not what was signed"):
        registry.verify("other@1")


def test_what_may_change_is_not_signed(registry, late):
    before = registry.numbered(late, 1).digest

    registry.describe_version(late, 1, "better")
    registry.tag_version(late, 1, {"a": "b"})
    registry.move_stage(late, 1, "Production")

    found = registry.verify("late@1")
    assert (found.description, found.tags, found.stage) == ("better", {"a": "b"}, "production")
    assert found.digest == before


def test_tags_are_written_over_and_taken_off(registry, late, store):
    registry.tag_model(late, {"a": "1", "b": "2"})
    registry.tag_model(late, {"a": "3", "b": "2"})
    registry.untag_model(late, "b")

    assert registry.model(late).tags == {"a": "3"}
    assert [(f.key, f.value) for f in facts_of(store, ModelTagSet)] == [
        ("a", "1"), ("b", "2"), ("a", "3"),
    ]  # fmt: skip
    with pytest.raises(NotFound, match="No tag 'b'"):
        registry.untag_model(late, "b")


@pytest.mark.parametrize("key", ["", "a,b", "a\nb", "x" * 251])
def test_a_key_that_cannot_be_a_tag_is_refused(solo, key):
    solo.create_model("late")

    with pytest.raises(InvalidInput, match="cannot name a tag"):
        solo.tag_model("late", {key: "v"})
    with pytest.raises(InvalidInput, match="cannot name a tag"):
        solo.create_version("late", source=LINK, tags={key: "v"})


def test_a_tag_as_long_as_a_book_is_refused(registry, late):
    with pytest.raises(InvalidInput, match="100001 characters"):
        registry.tag_model(late, {"a": "x" * 100_001})


def test_a_version_that_takes_a_stage_sends_the_others_to_the_archive(registry, late, store):
    registry.move_stage(late, 1, "staging")

    registry.move_stage(late, 2, "Staging", archive_existing=True)

    assert [(v.number, v.stage) for v in registry.versions(late)] == [
        (2, "staging"), (1, "archived"),
    ]  # fmt: skip
    assert facts_of(store, StageMoved)[-1].archived == (1,)


@pytest.mark.parametrize("stage", ["none", "Archived"])
def test_others_are_archived_only_by_one_that_takes_an_active_stage(solo, stage):
    with pytest.raises(InvalidInput, match="staging or production"):
        solo.move_stage("late", 1, stage, archive_existing=True)


def test_a_stage_that_there_is_not_is_refused(registry, late):
    with pytest.raises(InvalidInput, match="'prod' is no stage"):
        registry.move_stage(late, 1, "prod")


def test_the_newest_of_each_stage_is_found(registry, late):
    registry.create_version(late, source=LINK)
    registry.move_stage(late, 1, "production")

    found = registry.newest_of_stages([late])

    assert {v.stage: v.number for v in found[late]} == {"production": 1, "none": 3}


def test_what_is_needed_is_neither_deleted_nor_renamed(store, objects, tmp_path):
    registry = Registry(
        store=store,
        objects=objects,
        signer=Signer(tmp_path, store=store),
        guard=lambda model, number: "somebody needs it" if number in {1, None} else "",
    )
    registry.create_model("late")
    registry.create_version("late", source=LINK)
    registry.create_version("late", source=LINK)

    with pytest.raises(Refused, match="late@1 cannot be deleted: somebody needs it"):
        registry.delete_version("late", 1)
    with pytest.raises(Refused, match="late cannot be deleted"):
        registry.delete_model("late")
    with pytest.raises(Refused, match="late cannot be renamed"):
        registry.rename_model("late", "delays")
    registry.delete_version("late", 2)
    assert [v.number for v in registry.versions("late")] == [1]


def test_the_tables_are_rebuilt_from_the_events_of_a_whole_life(registry, store, example, clock):
    def later() -> None:
        clock.advance(1_000)

    registry.create_model("late", description="how late", tags={"team": "ops", "x": "y"})
    registry.register("late", half, example=example, description="first")
    later()
    registry.create_version("late", source=LINK, tags={"a": "b"}, run_id="r1")
    registry.create_version("late", source="models:/late/1")
    later()
    registry.describe_model("late", "delays in minutes")
    registry.describe_version("late", 1, "the first")
    registry.untag_model("late", "x")
    registry.tag_version("late", 1, {"c": "d", "e": "f"})
    registry.untag_version("late", 1, "c")
    later()
    registry.move_stage("late", 1, "production")
    registry.move_stage("late", 2, "production", archive_existing=True)
    registry.set_alias("late", "champion", 1)
    registry.set_alias("late", "old", 3)
    registry.set_alias("late", "gone", 2)
    registry.remove_alias("late", "gone")
    later()
    registry.delete_version("late", 3)
    registry.rename_model("late", "delays")
    later()
    registry.create_model("short")
    registry.delete_model("short")
    before = rows(store)

    with store.read() as tx:
        told = list(events.read(tx.connection))
    registry.rebuild(told)

    assert rows(store) == before
    assert registry.verify("delays@champion").description == "the first"
    assert facts_of(store, ModelRenamed)[0].new_name == "delays"


def test_who_rolls_back_takes_the_events_along(registry, store, late):
    with store.read() as tx:
        before = events.count(tx.connection)

    with pytest.raises(InvalidInput):
        tag_and_fail(registry, store)

    with store.read() as tx:
        assert events.count(tx.connection) == before
    assert registry.model(late).tags == {}


def test_what_changes_says_when(registry, clock, late):
    made = registry.numbered(late, 1)
    clock.advance(5)

    registry.describe_version(late, 1, "better")

    assert registry.numbered(late, 1).updated_at == made.updated_at + 5
    assert registry.numbered(late, 2).updated_at == made.updated_at
