"""What Prometheus reads of an inference process, in its text format."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from treadle.serving.contract_log.entities import Outcome

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_FAMILIES = (
    ("treadle_contract_requests_total", "Requests judged by the contract, by what became of them."),
    ("treadle_contract_rows_total", "Rows of these requests."),
    ("treadle_contract_broken_claims_total", "Claims that rows of these requests broke."),
)


def exposition(totals: Mapping[tuple[str, Outcome], tuple[int, int, int]]) -> bytes:
    """Return counters since the process began; labels are endpoints and three outcomes."""
    lines = []
    for place, (family, told) in enumerate(_FAMILIES):
        lines += [f"# HELP {family} {told}", f"# TYPE {family} counter"]
        for (endpoint, outcome), numbers in sorted(totals.items()):
            name = endpoint.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
            lines.append(f'{family}{{endpoint="{name}",outcome="{outcome}"}} {numbers[place]}')
    return ("\n".join(lines) + "\n").encode()
