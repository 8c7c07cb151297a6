"""The searches that are measured, in the words of the client."""

from __future__ import annotations

QUERIES = {
    "newest 100": {"filter_string": "", "order_by": None},
    "filter on a metric": {"filter_string": "metrics.m3 > 0.5", "order_by": None},
    "param filter by a metric": {
        "filter_string": "params.p3 = 'v4'",
        "order_by": ["metrics.m5 DESC"],
    },
    "tag LIKE": {"filter_string": "tags.t2 LIKE '%7%'", "order_by": None},
}
