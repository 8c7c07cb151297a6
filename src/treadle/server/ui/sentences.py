"""Every fact of the event log in one sentence a person reads; pure.

A kind that has no sentence yet is told by its name and its subject.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treadle.kernel.clock import format_day
from treadle.kernel.errors import noun_of
from treadle.server.ui.formats import number, percent

if TYPE_CHECKING:
    from collections.abc import Callable

    from treadle.storage.events import Event

Facts = dict[str, Any]
LONGEST = 240
NAMED_AT_MOST = 5


def sentence(event: Event) -> str:
    """Say an event in one sentence."""
    told = _SENTENCES.get(event.kind)
    if told is None:
        return plain(event)
    try:
        return shortened(told(event.facts()))
    except (KeyError, TypeError, IndexError):
        # A fact of an older or newer form than this sentence: it is still in the log, told plainly.
        return plain(event)


def plain(event: Event) -> str:
    """Say an event by its kind and its subject."""
    return f"{event.kind.replace('.', ' ').replace('_', ' ')}: {event.subject}"


def shortened(text: str) -> str:
    """Keep a sentence to one that fits a line or two."""
    text = " ".join(text.split())
    return text if len(text) <= LONGEST else text[: LONGEST - 1].rstrip() + "…"


def _counted(count: int, noun: str) -> str:
    return f"{number(count)} {noun_of(count, noun)}"


def _committed(f: Facts) -> str:
    why = f": {f['message']}" if f["message"] else ""
    rows, files = _counted(f["rows"], "row"), _counted(f.get("file_count", 1), "file")
    held = rows if f["table"] else files
    same = f", the same as {f['dataset']}@{f['same_as']}" if f.get("same_as") else ""
    return f"{f['dataset']}@{f['number']} committed, {held}{same}{why}"


def _named(f: Facts) -> str:
    was = f" (was @{f['was']})" if f.get("was") else ""
    return f"{f['dataset']}@{f['name']} is {f['dataset']}@{f['version_number']}{was}"


def _numbers(f: Facts) -> str:
    return _some([f"{f['dataset']}@{number}" for number in f["numbers"]])


def _ingested(f: Facts) -> str:
    counts = f["counts"]
    told = f"{number(counts['new'])} new rows" if counts.get("new") else "nothing new"
    into = f", {f['dataset']}@{f['version']}" if f["version"] else ""
    return f"{f['dataset']} ingested up to {f['watermark']}: {told}{into}"


def _contract(f: Facts) -> str:
    return (
        f"Contract {f['number']} of {f['dataset']} set, {len(f['body'].get('columns', ()))} columns"
    )


def _validated(f: Facts) -> str:
    ref = f"{f['dataset']}@{f['version_number']}"
    word = {"pass": "keeps", "warn": "mostly keeps", "fail": "breaks"}[f["verdict"]]
    # A finding reads "fail rate late: …"; what stands behind the colon says it all.
    first = f["findings"][0].partition(": ")[2] if f["findings"] else ""
    return f"{ref} {word} contract {f['contract_number']}{_after(first)}"


def _quarantined(f: Facts) -> str:
    ref = f"{f['dataset']}@{f['version_number']}"
    return f"{ref} quarantined, {_counted(f['rows'], 'row')} kept out: {f['reason']}"


def _run_started(f: Facts) -> str:
    return f"Run {_run_name(f)} of {f['experiment']} started"


def _run_ended(f: Facts) -> str:
    metrics = [f"{k} {number(v)}" for k, v in sorted(f["metrics"].items()) if "." not in k]
    said = f", {', '.join(metrics[:3])}" if metrics else ""
    return f"Run {f['run_id'][:12]} {f['status']}{said}{_after(f['error'])}"


def _traffic(f: Facts) -> str:
    parts = [f"{v['version']} {v['role']} {percent(v['share'])}" for v in f["variants"]]
    return f"Traffic of {f['name']}: {', '.join(parts) or 'nobody'} ({f['reason']})"


def _predictions(f: Facts) -> str:
    damaged = f", {f['damaged_bytes']} bytes damaged" if f.get("damaged_bytes") else ""
    return f"{number(f['rows'])} predictions of {f['endpoint']} logged{damaged}"


def _labels(f: Facts) -> str:
    word = "joined" if f["state"] == "accepted" else "set aside"
    return (
        f"{number(f['rows'])} labels of {f['endpoint']} {word}, {number(f['joined'])} of them to "
        f"predictions, from {f['source_ref']}"
    )


def _window(f: Facts) -> str:
    head = f"Window {format_day(f['start'])} of {f['monitor']}: {number(f['rows'])} predictions"
    if f["log_loss"] is None:
        return f"{head}, {number(f['labelled'])} labelled, {f['state']}"
    return (
        f"{head}, log-loss {number(f['log_loss'])}, observed/predicted "
        f"{number(f['calibration'])}, {f['state']}"
    )


def _gates(f: Facts) -> str:
    report = f["report"]
    blocked = [r["message"] for r in report["results"] if not r["passed"]]
    if blocked:
        return f"Candidate of run {report['run_id'][:12]} refused: {'; '.join(blocked)}"
    return f"Candidate of run {report['run_id'][:12]} passed all {len(report['results'])} gates"


def _release(f: Facts) -> str:
    release = f["release"]
    who, where = release["candidate"], release["endpoint"]
    words = {
        "shadow": f"{who} answers in shadow on {where}",
        "canary": f"{who} is canary on {where}",
        "live": f"{who} is live on {where}",
        "stopped": f"{who} stopped on {where}",
        "refused": f"{who} not released on {where}",
    }
    return f"{words[release['state']]}{_after(release['reason'] or _verdict(release))}"


def _verdict(release: Facts) -> str:
    told = [s["verdict"] for s in release["stages"] if s.get("verdict")]
    return told[-1] if told else str(release["why"])


def _step(f: Facts) -> str:
    word = "came from the cache" if f["cached"] else f"{f['state']} in {number(f['seconds'])} s"
    return f"Step {f['step']} of {f['pipeline']} {word}{_after(f['error'])}"


def _trial(f: Facts) -> str:
    return f"Trial {f['number']} of study {f['study']}: {number(f['value'])}"


def _alert(f: Facts) -> str:
    alert = f["alert"]
    return f"Alert on {alert['endpoint']}: {alert['title']}{_after(alert['cause'])}"


def _run_name(f: Facts) -> str:
    return str(f["name"] or f["run_id"][:12])


def _merged(f: Facts) -> str:
    came = f"{number(f['inserted'])} records came to evaluation dataset {f['name']}"
    return f"{came}, {number(f['updated'])} were met again" if f["updated"] else came


def _assigned(f: Facts) -> str:
    said = [f"{word} {len(f[word])}" for word in ("added", "removed") if f[word]]
    return f"Experiments of evaluation dataset {f['name']}: {', '.join(said)}"


def _some(refs: list[str]) -> str:
    more = f" and {len(refs) - NAMED_AT_MOST:,} more" if len(refs) > NAMED_AT_MOST else ""
    return ", ".join(refs[:NAMED_AT_MOST]) + more


def _after(text: str) -> str:
    return f": {text}" if text else ""


def _claims(f: Facts) -> str:
    told = [f"{claim} in {number(rows)}" for claim, rows in f["claims"].items()]
    more = len(told) - NAMED_AT_MOST + f["other_claims"]
    return ", ".join(told[:NAMED_AT_MOST]) + (f" and {more:,} more" if more > 0 else "")


def _listed(facts: Facts) -> str:
    return ", ".join([*facts["tags"], *(f"without {key}" for key in facts["removed"])])


_SENTENCES: dict[str, Callable[[Facts], str]] = {
    "dataset.committed": _committed,
    "dataset.branch_set": lambda f: f"Branch {_named(f)}",
    "dataset.branch_deleted": lambda f: f"Branch {f['dataset']}@{f['name']} deleted",
    "dataset.tag_set": lambda f: f"Tag {_named(f)}",
    "dataset.tag_deleted": lambda f: f"Tag {f['dataset']}@{f['name']} deleted",
    "dataset.removed": lambda f: (
        f"{_numbers(f)} removed{', though something names it' if f['forced'] else ''}"
    ),
    "dataset.restored": lambda f: f"{_numbers(f)} restored",
    "dataset.forgotten": lambda f: f"{_numbers(f)} gone for good",
    "dataset.ingested": _ingested,
    "ingestion.set": lambda f: f"Ingestion {f['number']} of {f['dataset']} set",
    "ingestion.removed": lambda f: f"{f['dataset']} is ingested no more",
    "dataset.pushed": lambda f: f"{_some(f['versions']) or f['dataset']} pushed to {f['remote']}",
    "dataset.pulled": lambda f: (
        f"{f['dataset']}@{f['number']} pulled from {f['remote']}, committed by {f['committed_by']}"
    ),
    "remote.added": lambda f: f"Remote {f['name']} is {f['url']}",
    "remote.removed": lambda f: f"Remote {f['name']} forgotten",
    "dataset.withdrawn": lambda f: (
        f"{_some([digest[:12] for digest in f['versions']])} of {f['dataset']} removed from "
        f"{f['remote']}"
    ),
    "remote.swept": lambda f: f"{f['url']} swept: {number(f['size_bytes'])} bytes freed",
    "remote.key_rotated": lambda f: f"{f['url']} is under master key {f['master']}",
    "remote.probed": lambda f: (
        f"{f['url']} {'keeps' if f['is_honest'] else 'does not keep'} who writes first"
    ),
    "contract.set": _contract,
    "dataset.validated": _validated,
    "dataset.quarantined": _quarantined,
    "dataset.rows_quarantined": lambda f: (
        f"{_counted(f['rows'], 'row')} of {f['dataset']}@{f['version_number']} quarantined: "
        f"{f['reason']}"
    ),
    "dataset.rows_decided": lambda f: (
        f"{_counted(f['rows'], 'row')} of {f['dataset']}@{f['version_number']} {f['state']}"
    ),
    "dataset.rows_moved": lambda f: (
        f"{f['dataset']}@{f['released_number']} has the rows that were released"
        if f["released_number"]
        else f"{f['dataset']}@{f['clean_number']} is {f['dataset']}@{f['version_number']} "
        "without the rows that are held"
    ),
    "endpoint.contract_mode_set": lambda f: (
        f"{f['name']}: requests that break the contract: {f['mode']}"
        f"{', ' + f['reason'] if f['reason'] else ''}"
    ),
    "endpoint.contract_broken": lambda f: (
        f"{number(f['broken'])} of {number(f['rows'])} rows to {f['name']} broke the contract, "
        f"{number(f['refused_requests'])} requests refused: {_claims(f)}"
    ),
    "dataset.quarantine_released": lambda f: (
        f"{f['dataset']}@{f['version_number']} released from quarantine"
    ),
    "dataset.quarantine_rejected": lambda f: (
        f"{f['dataset']}@{f['version_number']} rejected for good"
    ),
    "experiment.created": lambda f: f"Experiment {f['name']} begun",
    "run.started": _run_started,
    "run.ended": _run_ended,
    "run.input_logged": lambda f: f"Run {f['run_id'][:12]} uses {f['ref']}",
    "artifact.logged": lambda f: f"Run {f['run_id'][:12]} stored {f['path']}",
    "experiment.renamed": lambda f: f"Experiment {f['before']} is now {f['name']}",
    "experiment.deleted": lambda f: f"Experiment {f['name']} deleted with its runs",
    "experiment.restored": lambda f: f"Experiment {f['name']} restored",
    "experiment.tagged": lambda f: f"Experiment {f['name']} tagged {_listed(f)}",
    "run.updated": lambda f: f"Run {f['name'] or f['run_id'][:12]} is {f['status']}",
    "run.deleted": lambda f: f"Run {f['run_id'][:12]} deleted",
    "run.restored": lambda f: f"Run {f['run_id'][:12]} restored",
    "run.brought": lambda f: f"Run {f['name'] or f['run_id'][:12]} of {f['experiment']} brought in",
    "run.datasets_logged": lambda f: f"Run {f['run_id'][:12]} used {len(f['datasets'])} datasets",
    "run.models_logged": lambda f: f"Run {f['run_id'][:12]} logged {len(f['models'])} models",
    "logged_model.created": lambda f: f"Model {f['name']} logged by run {f['source_run_id'][:12]}",
    "logged_model.finalized": lambda f: f"Logged model {f['id'][:12]} is {f['status']}",
    "logged_model.deleted": lambda f: f"Logged model {f['id'][:12]} deleted",
    "logged_model.brought": lambda f: f"Logged model {f['name']} brought in",
    "tracking.cleaned": lambda f: f"Removed for good: {len(f['runs'])} runs",
    "view.saved": lambda f: f"View {f['name']} of {f['page']} saved",
    "view.removed": lambda f: f"View {f['name']} of {f['page']} removed",
    "traces.deleted": lambda f: f"{f['count']:,} traces deleted",
    "traces.linked": lambda f: f"{len(f['trace_ids'])} traces linked to run {f['run_id'][:12]}",
    "assessment.logged": lambda f: f"{f['name']} said of trace {f['trace_id'][:12]}: {f['value']}",
    "assessment.changed": lambda f: (
        f"{f['name']} of trace {f['trace_id'][:12]} is {f['value']} now"
    ),
    "assessment.deleted": lambda f: f"What was said of trace {f['trace_id'][:12]} was taken back",
    "artifact.stored": lambda f: f"{f['owner']} stored {f['path']}",
    "artifact.deleted": lambda f: f"{_counted(f['files'], 'file')} of {f['owner']} removed",
    "job.queued": lambda f: f"Job {f['job_kind']} queued: {f['target']}",
    "job.lost": lambda f: f"Worker {f['worker']} stopped answering at attempt {f['attempts']}",
    "job.ended": lambda f: f"Job {f['id'][:12]} {f['state']}{_after(f['error'])}",
    "model.created": lambda f: f"Model {f['name']} begun",
    "model.version_registered": lambda f: f"{f['name']}@{f['number']} registered and signed",
    "model.alias_set": lambda f: (
        f"{f['alias']} of {f['name']} is {f['name']}@{f['number']}"
        + (f", was {f['name']}@{f['previous']}" if f["previous"] else "")
    ),
    "model.alias_removed": lambda f: f"{f['name']} has no {f['alias']} any more",
    "model.described": lambda f: f"{f['name']} described",
    "model.renamed": lambda f: f"{f['name']} is now {f['new_name']}, its versions signed again",
    "model.deleted": lambda f: f"Model {f['name']} deleted with all its versions",
    "model.tag_set": lambda f: f"{f['name']} tagged {f['key']}",
    "model.tag_removed": lambda f: f"{f['name']} has no tag {f['key']} any more",
    "model.version_described": lambda f: f"{f['name']}@{f['number']} described",
    "model.version_tag_set": lambda f: f"{f['name']}@{f['number']} tagged {f['key']}",
    "model.version_tag_removed": lambda f: f"{f['name']}@{f['number']} has no tag {f['key']}",
    "model.stage_moved": lambda f: f"{f['name']}@{f['number']} moved to {f['stage']}",
    "model.version_deleted": lambda f: f"{f['name']}@{f['number']} deleted",
    "webhook.created": lambda f: f"Webhook {f['name']} made for {f['host']}",
    "webhook.changed": lambda f: f"Webhook {f['name']} changed",
    "webhook.deleted": lambda f: f"Webhook {f['name']} deleted",
    "endpoint.created": lambda f: f"Endpoint {f['name']} made for model {f['model']}",
    "endpoint.traffic_set": _traffic,
    "predictions.logged": _predictions,
    "labels.joined": _labels,
    "labels.state_changed": lambda f: f"Labels of {f['endpoint']} {f['state']}: {f['reason']}",
    "monitor.created": lambda f: (
        f"Monitor {f['monitor']['name']} watches {f['monitor']['endpoint']}"
    ),
    "monitor.reference_set": lambda f: (
        f"Monitor {f['monitor']} measures against {f['reference']['version']}"
    ),
    "monitor.window_evaluated": _window,
    "alert.opened": _alert,
    "alert.closed": lambda f: f"Alert on {f['monitor']} closed: {f['reason']}",
    "gate.evaluated": _gates,
    "release.moved": _release,
    "retrain.decided": lambda f: f"Retraining for {f['endpoint']}: {f['reason']}",
    "retrain.ended": lambda f: (
        f"Challenger for {f['endpoint']}: {f['version'] or 'none'}, {f['outcome']}"
    ),
    "policy.set": lambda f: (
        f"Policy of {f['policy']['endpoint']} set, model {f['policy']['model']}"
    ),
    "pipeline.started": lambda f: f"Pipeline {f['pipeline']} started, {len(f['steps'])} steps",
    "pipeline.finished": lambda f: f"Pipeline {f['pipeline']} {f['state']}{_after(f['error'])}",
    "step.finished": _step,
    "study.created": lambda f: f"Study {f['study']} begun",
    "trial.finished": _trial,
    "evaluation.created": lambda f: f"Evaluation dataset {f['name']} begun",
    "evaluation.deleted": lambda f: (
        f"Evaluation dataset {f['name']} deleted with {number(f['records'])} records"
    ),
    "evaluation.tagged": lambda f: f"Evaluation dataset {f['name']} tagged {_listed(f)}",
    "evaluation.merged": _merged,
    "evaluation.records_removed": lambda f: (
        f"{number(f['removed'])} records of evaluation dataset {f['name']} removed"
    ),
    "evaluation.assigned": _assigned,
    "evaluation.frozen": lambda f: f"Evaluation dataset {f['name']} frozen as {f['version']}",
}


def known_kinds() -> tuple[str, ...]:
    """Every kind that has a sentence."""
    return tuple(_SENTENCES)
