"""The verbs of traces, their spans, and what is said about them.

Each verb is a plain function in the module of its noun; here they are gathered under one name.
"""

from __future__ import annotations

from treadle.tracing.service import assessments as of_assessments
from treadle.tracing.service import ingest, searches
from treadle.tracing.service import traces as of_traces
from treadle.tracing.service.doors import Doors


class Tracing(Doors):
    """Traces of calls. May be shared by threads; every verb is one transaction."""

    log_trace = ingest.log_trace
    log_spans = ingest.log_spans

    trace = of_traces.trace
    traces = of_traces.traces
    spans = of_traces.spans
    spans_of = of_traces.spans_of
    runs_of = of_traces.runs_of
    tag_trace = of_traces.tag_trace
    untag_trace = of_traces.untag_trace
    link_traces = of_traces.link_traces
    link_prompts = of_traces.link_prompts
    delete_traces = of_traces.delete_traces
    search_traces = searches.search_traces

    log_assessment = of_assessments.log_assessment
    assessment = of_assessments.assessment
    change_assessment = of_assessments.change_assessment
    delete_assessment = of_assessments.delete_assessment
