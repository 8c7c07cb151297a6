"""What is said about traces: feedback and expectations, changed, overridden and taken back."""

import hashlib

import mlflow
from mlflow.entities import AssessmentError, AssessmentSource, Expectation, Feedback
from steps import get, http, post

DIFFERENCES = {
    "of_nothing": "words: ours say it in other words",
}
DIFFERENCES_36 = {
    "search_by_it": "3.6 compares numbers as texts",
    "search_null": "3.6 cannot ask whether something is there",
}


def _trace(client, name, n=0):
    experiment = client.create_experiment(f"{name}.{n}")
    trace_id = "tr-" + hashlib.md5(f"{name}{n}".encode(), usedforsecurity=False).hexdigest()
    place = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment}}
    info = {
        "trace_id": trace_id,
        "trace_location": place,
        "request_time": "2024-05-06T07:08:09Z",
        "state": "OK",
    }
    post("/api/3.0/mlflow/traces", {"trace": {"trace_info": info}})
    return experiment, trace_id


def _said(found):
    """Return an assessment as values; ids and times are each server's own."""
    error = found.error.to_dictionary() if getattr(found, "error", None) else None
    return {
        "kind": type(found).__name__,
        "name": found.name,
        "value": found.value,
        "error": error,
        "source": [found.source.source_type, found.source.source_id],
        "rationale": found.rationale,
        "metadata": found.metadata,
        "span": found.span_id,
        "overrides": bool(getattr(found, "overrides", None)),
        "valid": getattr(found, "valid", None),
        "id": found.assessment_id[:2],
    }


def feedback(client, name):
    _, trace_id = _trace(client, name)
    human = AssessmentSource(source_type="HUMAN", source_id="ann")
    made = [
        mlflow.log_feedback(trace_id=trace_id, name="good", value=True, source=human),
        mlflow.log_feedback(
            trace_id=trace_id, name="score", value=0.25, rationale="so", metadata={"a": "b"}
        ),
        mlflow.log_feedback(trace_id=trace_id, name="list", value=[1, "x"]),
        mlflow.log_feedback(trace_id=trace_id, name="dict", value={"a": 1.5}),
        mlflow.log_feedback(
            trace_id=trace_id, name="text", value="yes", span_id="0123456789abcdef"
        ),
        mlflow.log_feedback(
            trace_id=trace_id,
            name="failed",
            error=AssessmentError(error_code="TIMEOUT", error_message="too slow"),
        ),
    ]
    found = mlflow.get_trace(trace_id)
    del found
    got = [mlflow.get_assessment(trace_id, each.assessment_id) for each in made]
    return [_said(each) for each in made + got]


def expectations(client, name):
    _, trace_id = _trace(client, name)
    made = [
        mlflow.log_expectation(trace_id=trace_id, name=f"e{n}", value=value)
        for n, value in enumerate(("text", 3, 2.5, False, ["a"], {"b": [1, {"c": None}]}))
    ]
    got = [mlflow.get_assessment(trace_id, each.assessment_id) for each in made]
    return [_said(each) for each in got]


def change(client, name):
    _, trace_id = _trace(client, name)
    made = mlflow.log_feedback(
        trace_id=trace_id, name="good", value=True, rationale="so", metadata={"a": "b"}
    )
    changed = mlflow.update_assessment(
        trace_id, made.assessment_id, Feedback(name="better", value=False, metadata={"c": "d"})
    )
    expected = mlflow.log_expectation(trace_id=trace_id, name="e", value="x")
    other = mlflow.update_assessment(
        trace_id, expected.assessment_id, Expectation(name="e", value={"y": 1})
    )
    return [_said(changed), _said(other)]


def override_and_take_back(client, name):
    _, trace_id = _trace(client, name)
    first = mlflow.log_feedback(trace_id=trace_id, name="good", value=True)
    second = mlflow.override_feedback(
        trace_id=trace_id, assessment_id=first.assessment_id, value=False, rationale="no"
    )
    after = mlflow.get_assessment(trace_id, first.assessment_id)
    mlflow.delete_assessment(trace_id=trace_id, assessment_id=second.assessment_id)
    mlflow.delete_assessment(trace_id=trace_id, assessment_id=second.assessment_id)
    back = mlflow.get_assessment(trace_id, first.assessment_id)
    return [_said(second), _said(after), _said(back)]


def in_a_trace(client, name):
    _, trace_id = _trace(client, name)
    mlflow.log_feedback(trace_id=trace_id, name="good", value=True)
    mlflow.log_expectation(trace_id=trace_id, name="e", value="x")
    info = get(f"/api/3.0/mlflow/traces/{trace_id}")["json"]["trace"]["trace_info"]
    return [
        [[a["assessment_name"], a.get("feedback"), a.get("expectation"), a["valid"]]
         for a in info["assessments"]]
    ]  # fmt: skip


def wrongly(client, name):
    _, trace_id = _trace(client, name)
    made = mlflow.log_feedback(trace_id=trace_id, name="good", value=True).assessment_id
    path = f"/api/3.0/mlflow/traces/{trace_id}/assessments"
    no_kind = {"assessment": {"assessment_name": "x", "source": {"source_type": "HUMAN"}}}
    expected = {"assessment": {"expectation": {"value": 1}}, "update_mask": "expectation"}
    return [
        post(path, {}),
        post(path, no_kind),
        get(f"{path}/a-unknown"),
        http("PATCH", f"{path}/a-unknown", json=expected),
        http("PATCH", f"{path}/{made}", json=expected),
        http("DELETE", f"{path}/a-unknown"),
    ]


def of_nothing(client, name):
    path = "/api/3.0/mlflow/traces/tr-nothing/assessments"
    said = {"assessment_name": "x", "source": {"source_type": "HUMAN"}, "feedback": {"value": 1}}
    stamp = {"create_time": "2024-05-06T07:08:09Z", "last_update_time": "2024-05-06T07:08:09Z"}
    return [post(path, {"assessment": {**said, **stamp}}), get(f"{path}/a-1")]


def _world(client, name):
    experiment, trace_id = _trace(client, name)
    mlflow.log_feedback(trace_id=trace_id, name="good", value=True)
    mlflow.log_feedback(trace_id=trace_id, name="score", value=0.25)
    mlflow.log_feedback(trace_id=trace_id, name="word", value="yes")
    mlflow.log_expectation(trace_id=trace_id, name="answer", value="42")
    return experiment


def _count(client, experiment, where):
    return len(client.search_traces([experiment], filter_string=where, include_spans=False))


def search_by_it(client, name):
    experiment = _world(client, name)
    return [
        _count(client, experiment, where)
        for where in (
            "feedback.good = 'true'",
            "feedback.good = 'false'",
            "feedback.good != 'false'",
            "feedback.word = 'yes'",
            "feedback.word != 'yes'",
            "feedback.word LIKE '%es%'",
            "feedback.none = 'yes'",
            "expectation.answer = '42'",
            "expectation.word = 'yes'",
            "feedback.score > 0.2",
            "feedback.score <= 0.2",
            "feedback.word > 0.2",
        )
    ]


def search_null(client, name):
    experiment = _world(client, name)
    return [
        _count(client, experiment, where)
        for where in ("feedback.good IS NULL", "feedback.good IS NOT NULL", "feedback.none IS NULL")
    ]
