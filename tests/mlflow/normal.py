"""Make answers of two servers comparable: what each may choose freely gets a common name."""

from __future__ import annotations

import re
from typing import Any

RECENT_MS = 1_500_000_000_000
_ID_FIELDS = {
    "experiment_id": "experiment",
    "run_id": "run",
    "run_uuid": "run",
    "model_id": "model",
    "source_run_id": "run",
    "webhook_id": "webhook",
}
_HEX = re.compile(r"(m-)?[0-9a-f]{32}")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_FRIENDLY = re.compile(r"[a-z]+-[a-z]+-\d{1,4}")
_PLACE = re.compile(r"(mlflow-artifacts:(//[^/]+)?/)(\d+|[0-9a-f]{32})(?=/|$)")
# The genuine server counts experiments.
_NUMBERED = re.compile(r"(\bid=|with id |[Ee]xperiment |[Vv]alue \\?\")\d+\b")
_TOKEN = "next_page_token"


def normal(value: Any, *, addresses: tuple[str, ...]) -> Any:
    """Return an answer without ids, recent instants, friendly names, addresses and page tokens."""
    return _normal(value, "", addresses)


def _normal(value: Any, field: str, addresses: tuple[str, ...]) -> Any:
    if isinstance(value, dict):
        found = {key: _normal(each, key, addresses) for key, each in value.items()}
        if isinstance(found.get("data"), dict) and "metrics" in found["data"]:
            found["data"]["metrics"].sort(key=repr)
        return found
    if isinstance(value, list):
        items = [_normal(each, field, addresses) for each in value]
        # Params, tags and latest metrics of a run have no order of their own.
        return sorted(items, key=repr) if field in {"params", "tags"} else items
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, (int, float)):
        return "<recent>" if value > RECENT_MS and value < RECENT_MS * 2 else float(value)
    return _text(value, field, addresses)


def _text(text: str, field: str, addresses: tuple[str, ...]) -> str:
    if field in _ID_FIELDS:
        return text if text in {"", "0"} else f"<{_ID_FIELDS[field]}>"
    if field == _TOKEN:
        return "<token>" if text else ""
    for address in addresses:
        text = text.replace(address, "<server>")
    text = _PLACE.sub(r"\1<experiment>", text)
    text = _HEX.sub("<id>", _UUID.sub("<id>", text))
    text = _NUMBERED.sub(r"\1<id>", text)
    return "<friendly>" if _FRIENDLY.fullmatch(text) else text
