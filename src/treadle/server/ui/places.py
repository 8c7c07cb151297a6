"""Where things are shown: the addresses of the pages, made in one place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from treadle.server.ui.widgets import Link

if TYPE_CHECKING:
    from collections.abc import Mapping

    from treadle.storage.events import Event


def dataset_place(name: str) -> str:
    """Return the page of a dataset."""
    return f"/data/{_part(name)}"


def dataset_version_place(ref: str) -> str:
    """Return the page of a dataset version (`flights@3`)."""
    name, _, version = ref.partition("@")
    return f"/data/{_part(name)}/{_part(version or 'latest')}"


def profile_place(ref: str) -> str:
    """Return the page of a dataset version's profile."""
    return f"{dataset_version_place(ref)}/profile"


def dataset_diff_place(name: str, before: str = "", after: str = "") -> str:
    """Return the page that shows what two versions of a dataset differ in."""
    place = f"{dataset_place(name)}/diff"
    return asking(place, {"from": before, "to": after}) if after else place


def contract_place(name: str) -> str:
    """Return the page of a dataset's contract."""
    return f"/data/{_part(name)}/contract"


def quarantines_place(name: str) -> str:
    """Return the page of what is in quarantine of a dataset."""
    return f"/data/{_part(name)}/quarantines"


def quarantine_place(name: str, identifier: str) -> str:
    """Return where a quarantine takes the forms that decide on it."""
    return f"{quarantines_place(name)}/{_part(identifier)}"


def evaluation_place(dataset_id: str = "") -> str:
    """Return the page of an evaluation dataset, or of all of them."""
    return f"/evaluation/{_part(dataset_id)}" if dataset_id else "/evaluation"


def experiment_place(experiment_id: str) -> str:
    """Return where an experiment takes its forms; what it shows are its runs."""
    return f"/experiments/{_part(experiment_id)}"


def run_place(run_id: str) -> str:
    """Return the page of a run."""
    return f"/runs/{_part(run_id)}"


def trace_place(trace_id: str) -> str:
    """Return the page of a trace."""
    return f"/traces/{_part(trace_id)}"


def artifact_place(run_id: str, path: str) -> str:
    """Return the address at which a file of a run is saved."""
    return f"{raw_place(run_id, path)}?download=1"


def raw_place(run_id: str, path: str) -> str:
    """Return the address of a file of a run as what it is, for pages to show it in place."""
    return f"/api/v1/runs/{_part(run_id)}/artifacts/{quote(path)}"


def model_place(name: str) -> str:
    """Return the page of a model."""
    return f"/models/{_part(name)}"


def version_compare_place(name: str) -> str:
    """Return the page that puts versions of a model side by side."""
    return f"/models/{_part(name)}/compare"


def version_place(ref: str) -> str:
    """Return the page of a model version (`late@3`)."""
    name, _, number = ref.rpartition("@")
    return f"/models/{_part(name)}/{_part(number)}"


def endpoint_place(name: str) -> str:
    """Return the page of an endpoint."""
    return f"/endpoints/{_part(name)}"


def release_place(endpoint: str, release_id: str) -> str:
    """Return where a release stands on the page of its endpoint."""
    return f"/endpoints/{_part(endpoint)}#release-{release_id}"


def monitor_place(name: str) -> str:
    """Return the page of a monitor."""
    return f"/monitors/{_part(name)}"


def version_link(ref: str) -> Link | None:
    """Return a model version as a link; None for an empty text."""
    return Link(ref, version_place(ref)) if ref else None


def asking(path: str, given: Mapping[str, object]) -> str:
    """Return an address with a query; what is empty is left out, a tuple is said once for each."""
    kept = {name: value for name, value in given.items() if value not in {None, "", 0, ()}}
    return f"{path}?{urlencode(kept, doseq=True)}" if kept else path


def subject_link(subject: str) -> Link | None:
    """Return where the subject of an event is shown, or None when it has no page."""
    noun, _, name = subject.partition("/")
    makers = {
        "dataset": dataset_place,
        "run": run_place,
        "trace": trace_place,
        "traces": lambda text: asking("/traces", {"experiment": text}),
        "experiment": lambda text: asking("/runs", {"experiment": text}),
        "model": model_place,
        "endpoint": endpoint_place,
        "evaluation": evaluation_place,
        "monitor": monitor_place,
    }
    if noun not in makers or not name:
        return None
    return Link(name[:12] if noun in {"run", "evaluation"} else name, makers[noun](name))


def event_place(event: Event) -> str:
    """Return the page that shows best what an event is about; the event itself when none does."""
    found = subject_link(event.subject)
    general = found.href if found else f"/events#event-{event.seq}"
    try:
        return _exact_place(event.kind, event.facts()) or general
    except (KeyError, TypeError):  # of an older or newer form
        return general


def _exact_place(kind: str, facts: Mapping[str, Any]) -> str:
    if kind in {"dataset.committed", "dataset.pulled"}:
        return dataset_version_place(f"{facts['dataset']}@{facts['number']}")
    if kind == "model.version_registered":
        return version_place(f"{facts['name']}@{facts['number']}")
    if kind == "release.moved":
        return release_place(facts["release"]["endpoint"], facts["release"]["id"])
    return ""


def _part(text: str) -> str:
    return quote(text, safe="@")
