"""Versions made of files that are there already: which sources are taken, and what is signed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.errors import InvalidInput, NotFound, Refused
from treadle.governance.lineage import Lineage
from treadle.registry.facts import VersionRegistered
from treadle.registry.service import Registry
from treadle.registry.shelf import TrackingShelf
from treadle.registry.sources import check_path, check_scheme, unwrapped
from treadle.storage import events
from treadle.storage.keys import Signer
from treadle.storage.stores import drafts_of
from treadle.tracking.artifacts import Artifacts
from treadle.tracking.capture import Capture
from treadle.tracking.entities import LoggedDataset
from treadle.tracking.service import Tracking

MLMODEL = b"""\
flavors:
  python_function:
    loader_module: mlflow.sklearn
  sklearn:
    pickled_model: model.pkl
mlflow_version: 3.17.2
signature:
  inputs: '[{"type": "long", "name": "hour", "required": true}, {"type": "double", "name":
    "temp", "required": true}]'
  outputs: '[{"type": "long", "required": true}]'
"""
CLIMBING = (
    "s3://bucket/../x",
    "s3://bucket/a/..",
    "s3://bucket/%2e%2e/x",
    "s3://bucket/%2E%2e/x",
    "s3://bucket/.%2e/x",
    "s3://bucket/%252e%252e/x",
    "s3://bucket/%25252e%25252e/x",
    "s3://bucket/..%2fx",
    "s3://bucket/..%5cx",
    "s3://bucket/..\\x",
    "s3://bucket/a/./x",
    "s3://bucket/x%00",
    "s3://bucket/x\x00",
    "s3://bucket/x%0ay",
    "s3://bucket",
    "dbfs:x",
    "s3://[bucket/x",
)
LOCAL = (
    "/etc/passwd",
    "etc/passwd",
    "./x",
    "../x",
    "%2e%2e/x",
    "%2fetc",
    "\\etc",
    "C:\\x",
    "file:/etc",
    "file:etc",
    "file:///etc/passwd",
    "FILE:///etc/passwd",
    "File://localhost/etc",
    "file://remote/etc",
    "fi\nle:/etc/passwd",
    " file:///etc",
    "",
)
HOSTED = ("http://169.254.169.254/x", "HTTPS://h/x", "ftp://h/x", "hdfs://h/x", "abfss://c@h/x")


@pytest.fixture
def tracking(solo_store, objects):
    return Tracking(store=solo_store, objects=objects, capture=lambda: Capture(tags={}, files={}))


@pytest.fixture
def solo(solo_store, objects, tracking, tmp_path):
    """A registry that knows what runs hold."""
    made = Registry(
        store=solo_store,
        objects=objects,
        signer=Signer(tmp_path, store=solo_store),
        shelf=TrackingShelf(
            tracking,
            artifacts=lambda: Artifacts(
                store=solo_store,
                objects=objects,
                drafts=drafts_of(objects),
                version_files=lambda version_id: made.version_by_id(version_id).files,
            ),
        ),
    )
    made.create_model("late")
    return made


@pytest.fixture
def run(tracking):
    """A run with the files of a model."""
    started = tracking.start_run(experiment="delays", name="by mlflow")
    tracking.log_artifact(started.id, "model/MLmodel", MLMODEL)
    tracking.log_artifact(started.id, "model/model.pkl", b"a pickle")
    tracking.log_artifact(started.id, "notes.txt", b"not of the model")
    return started


@pytest.fixture
def root(tracking, run):
    return f"mlflow-artifacts:/{tracking.run(run.id).experiment_id}/{run.id}/artifacts"


def test_the_files_of_a_run_are_signed_as_they_are(solo, run, root):
    version = solo.create_version("late", source=f"{root}/model", run_id=run.id)

    assert [file.path for file in version.files] == ["MLmodel", "model.pkl"]
    assert (version.flavor, version.run_id) == ("mlflow.sklearn", run.id)
    assert [(f.name, f.type) for f in version.signature.inputs] == [
        ("hour", "int64"), ("temp", "double"),
    ]  # fmt: skip
    assert version.metadata["libraries"] == {"mlflow": "3.17.2"}
    assert solo.verify("late@1") == version


def test_the_same_run_is_named_in_each_form(solo, run, root):
    forms = [f"{root}/model", f"{root}/model/", f"runs:/{run.id}/model"]

    made = [solo.create_version("late", source=form, run_id=run.id) for form in forms]

    assert len({version.files for version in made}) == 1


def test_what_the_run_logs_later_is_not_in_the_version(solo, tracking, run, root):
    version = solo.create_version("late", source=f"{root}/model", run_id=run.id)

    tracking.log_artifact(run.id, "model/model.pkl", b"planted")

    assert solo.verify("late@1").files == version.files
    again = solo.create_version("late", source=f"{root}/model", run_id=run.id)
    assert again.files != version.files


def test_a_copy_has_the_files_and_the_run_of_its_original(solo, run, root):
    original = solo.create_version("late", source=f"{root}/model", run_id=run.id)
    solo.set_alias("late", "champion", 1)
    solo.move_stage("late", 1, "staging")
    solo.create_model("copy")

    sources = ["models:/late/1", "models:/late@champion", "models:/late/latest"]
    made = [solo.create_version("copy", source=s) for s in [*sources, "models:/late/Staging"]]

    assert {(v.files, v.run_id, v.flavor) for v in made} == {
        (original.files, run.id, "mlflow.sklearn")
    }
    assert {v.source for v in made} == {"models:/late/1"}
    assert solo.verify("copy@1").signature == original.signature


@pytest.mark.parametrize(
    "source", ["models:/none/1", "models:/late/9", "models:/late@none", "models:/late/Production"]
)
def test_a_copy_of_nothing_is_refused(solo, source):
    with pytest.raises(NotFound):
        solo.create_version("late", source=source)


def test_a_copy_that_claims_another_run_is_refused(solo):
    solo.create_version("late", source="s3://bucket/x", run_id="r1")

    with pytest.raises(InvalidInput, match="A copy has the run"):
        solo.create_version("late", source="models:/late/1", run_id="r2")


def test_a_logged_model_brings_its_run_and_is_told_of_the_version(solo, tracking, run):
    experiment = tracking.run(run.id).experiment_id
    model = tracking.create_logged_model(experiment, name="m", source_run_id=run.id)

    version = solo.create_version("late", source=f"models:/{model.id}", logged_model_id=model.id)

    assert (version.run_id, version.logged_model_id) == (run.id, model.id)
    told = tracking.logged_model(model.id).tags["mlflow.modelVersions"]
    assert told == '[{"name": "late", "version": 1}]'


@pytest.mark.parametrize("model_id", ["", "m-" + "1" * 32])
def test_a_logged_model_must_be_the_one_that_is_named(solo, model_id):
    with pytest.raises(InvalidInput, match="cannot be the source"):
        solo.create_version(
            "late", source="models:/m-" + "0" * 32, logged_model_id=model_id or None
        )


def test_a_source_in_our_store_must_be_of_the_run_that_is_named(solo, tracking, run, root):
    other = tracking.start_run(experiment="delays")
    source = f"{root}/model"

    for run_id in (None, other.id, "0" * 32):
        with pytest.raises(InvalidInput, match="cannot be the source"):
            solo.create_version("late", source=source, run_id=run_id)
        with pytest.raises(InvalidInput, match="cannot be the source"):
            solo.create_version("late", source=f"runs:/{run.id}/model", run_id=run_id)
    assert solo.versions("late") == ()


@pytest.mark.parametrize("tail", ["/..", "/../../x", "/%2e%2e/x", "/%252e%252e/x", "/..%5cx"])
def test_a_source_does_not_climb_out_of_its_run(solo, run, root, tail):
    with pytest.raises(InvalidInput, match="cannot be the source"):
        solo.create_version("late", source=root + tail, run_id=run.id)


@pytest.mark.parametrize("source", LOCAL)
def test_a_file_of_this_machine_is_refused_however_it_is_spelled(solo, run, source):
    for run_id in (None, run.id):
        with pytest.raises(InvalidInput, match="cannot be the source"):
            solo.create_version("late", source=source, run_id=run_id)


@pytest.mark.parametrize("source", CLIMBING)
def test_a_source_that_climbs_is_refused_in_every_encoding(solo, source):
    with pytest.raises(InvalidInput, match="cannot be the source"):
        solo.create_version("late", source=source)


@pytest.mark.parametrize("source", [*HOSTED, "mlflow-artifacts://h:1/0/x/artifacts"])
def test_a_source_that_chooses_the_host_is_refused(solo, source):
    with pytest.raises(InvalidInput, match="chooses the host"):
        solo.create_version("late", source=source)


@pytest.mark.parametrize("source", ["s3://bucket/x", "gs://b/x", "dbfs:/x", "azureml:/x"])
def test_a_foreign_place_stays_a_link_that_nobody_follows(solo, source):
    version = solo.create_version("late", source=source)

    assert (version.source, version.files, version.flavor) == (source, (), "mlflow")
    assert solo.verify("late@1") == version
    with pytest.raises(Refused, match="only a link"):
        solo.load("late@1")


def test_a_source_wrapped_over_and_over_is_refused():
    with pytest.raises(InvalidInput, match="too often"):
        unwrapped("s3://b/%" + "25" * 50 + "2e")


@given(st.text(max_size=60))
def test_what_passes_has_a_scheme_and_a_path_that_stays_below(source):
    try:
        check_scheme(source)
        check_path(source)
    except InvalidInput:
        return
    plain = unwrapped(source)
    assert ":" in source
    assert not plain.lower().startswith(("file:", "/"))
    assert ".." not in plain.replace("\\", "/").split("/")


@pytest.mark.parametrize("source", ["dummy-source", "prompt-template"])
def test_a_prompt_has_a_placeholder_for_a_source(solo, source):
    tags = {"mlflow.prompt.is_prompt": "true", "mlflow.prompt.text": "Hello"}

    version = solo.create_version("late", source=source, tags=tags)

    assert (version.flavor, version.files, version.is_prompt) == ("prompt", (), True)
    with pytest.raises(InvalidInput, match="cannot be the source"):
        solo.create_version("late", source="s3://bucket/x", tags=tags)


def test_a_broken_mlmodel_is_still_signed(solo, tracking, run):
    tracking.log_artifact(run.id, "odd/MLmodel", b"\xff\xfe: [")

    version = solo.create_version("late", source=f"runs:/{run.id}/odd", run_id=run.id)

    assert (version.flavor, version.signature.inputs) == ("mlflow", ())
    assert solo.verify("late@1") == version


def test_a_version_of_mlflow_is_in_the_log_with_all_of_it(solo, solo_store, run):
    version = solo.create_version("late", source=f"runs:/{run.id}/model", run_id=run.id)

    with solo_store.read() as tx:
        told = list(events.read(tx.connection, kinds=[VersionRegistered.kind]))
    assert told[-1].as_fact(VersionRegistered).version == version


def test_the_lineage_of_such_a_version_reaches_its_run(solo, tracking, run):
    tracking.log_input(run.id, kind="file", ref="rows.csv", digest="d" * 64)
    solo.create_version("late", source=f"runs:/{run.id}/model", run_id=run.id)
    lineage = Lineage(
        data=None,
        tracking=tracking,
        registry=solo,
        pipelines=_NoPipelines(),
        serving=None,
        evaluation=None,
    )

    tracking.log_datasets(run.id, [LoggedDataset(name="rows", digest="abc", source="s3://b/rows")])
    tracking.tag_run(run.id, {"mlflow.source.git.commit": "c0ffee"})

    node = lineage.of_model_version("late@1")

    assert "from runs:/" in node.detail
    assert "code c0ffee" in node.made_from[-1].detail
    assert [n.name for n in node.made_from] == ["MLmodel", "model.pkl", run.id]
    assert [n.name for n in node.made_from[-1].made_from] == ["rows.csv", "rows"]


class _NoPipelines:
    """No run here is a pipeline's."""

    def of_run(self, run_id):
        del run_id
