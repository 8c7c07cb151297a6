"""The contract of an Executor, as tests.

Subclass it and supply the `executor` fixture:

class TestMyExecutor(ExecutorContract):
    @pytest.fixture
    def executor(self) -> MyExecutor:
        return MyExecutor()

One executor may serve all tests: they use keys of their own.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from treadle.execution.entities import Work
from treadle.kernel.errors import InvalidInput, NotFound
from treadle.kernel.ids import new_id

if TYPE_CHECKING:
    from treadle.execution.entities import Progress
    from treadle.execution.ports import Executor

PATIENCE_S = 60.0
LOOK_S = 0.01


class ExecutorContract:
    """What every Executor promises."""

    def test_work_that_returns_is_done_with_its_result(self, executor: Executor) -> None:
        handle = executor.submit(work("add", first=2, second=3))

        assert outcome(executor, handle).state == "done"
        assert outcome(executor, handle).result == 5

    def test_work_may_return_nothing(self, executor: Executor) -> None:
        handle = executor.submit(work("say", text="hello"))

        assert outcome(executor, handle).state == "done"
        assert outcome(executor, handle).result is None

    def test_arguments_and_results_keep_their_shape(self, executor: Executor) -> None:
        value = {"list": [1, 2.5, None, True], "text": "Zürich", "nested": {"a": {"b": []}}}

        handle = executor.submit(work("echo", value=value))

        assert outcome(executor, handle).result == value

    def test_pieces_of_work_get_their_own_results(self, executor: Executor) -> None:
        handles = [executor.submit(work("add", first=n, second=n)) for n in range(5)]

        results = [outcome(executor, handle).result for handle in handles]

        assert results == [0, 2, 4, 6, 8]

    def test_work_that_raises_has_failed_with_its_traceback(self, executor: Executor) -> None:
        handle = executor.submit(work("stumble", over="a stone"), max_attempts=1)

        error = outcome(executor, handle).error

        assert outcome(executor, handle).state == "failed"
        assert "Traceback" in error
        assert error.endswith("ArithmeticError: stumbled over a stone")

    def test_work_that_raises_is_tried_again(self, executor: Executor) -> None:
        handle = executor.submit(work("stumble", over="a stone"), max_attempts=2)

        assert outcome(executor, handle).attempts == 2

    def test_hopeless_work_is_tried_once(self, executor: Executor) -> None:
        handle = executor.submit(work("despair"), max_attempts=3)

        assert outcome(executor, handle).state == "failed"
        assert outcome(executor, handle).attempts == 1

    def test_work_cannot_end_the_one_that_does_it(self, executor: Executor) -> None:
        handle = executor.submit(work("leave"), max_attempts=3)
        after = executor.submit(work("add", first=1, second=1))

        assert outcome(executor, handle).state == "failed"
        assert outcome(executor, after).result == 2

    def test_an_unknown_function_is_named_with_the_near_miss(self, executor: Executor) -> None:
        handle = executor.submit(work("ad", first=1, second=1), max_attempts=3)

        assert outcome(executor, handle).attempts == 1
        assert "'ad'" in outcome(executor, handle).error
        assert "'add'" in outcome(executor, handle).error

    def test_an_unknown_module_is_named(self, executor: Executor) -> None:
        handle = executor.submit(Work(target="no_such_module:run"))

        assert outcome(executor, handle).state == "failed"
        assert "no_such_module" in outcome(executor, handle).error

    def test_a_result_that_is_not_json_is_a_failure_that_says_so(self, executor: Executor) -> None:
        handle = executor.submit(work("return_an_object"))

        assert outcome(executor, handle).state == "failed"
        assert "must be JSON" in outcome(executor, handle).error

    def test_arguments_that_are_not_json_are_refused(self, executor: Executor) -> None:
        with pytest.raises(InvalidInput, match="must be JSON"):
            executor.submit(work("echo", value=object()))

    def test_a_target_that_names_no_function_is_refused(self, executor: Executor) -> None:
        with pytest.raises(InvalidInput, match="does not name a function"):
            executor.submit(Work(target="just words"))

    def test_what_work_prints_is_kept(self, executor: Executor) -> None:
        handle = executor.submit(work("say", text="grüezi"))
        outcome(executor, handle)

        assert "grüezi on stdout" in executor.logs(handle)
        assert "grüezi on stderr" in executor.logs(handle)

    def test_logs_of_one_piece_of_work_are_not_in_anothers(self, executor: Executor) -> None:
        loud = executor.submit(work("say", text="loud"))
        quiet = executor.submit(work("keep_silent"))
        outcome(executor, loud)
        outcome(executor, quiet)

        assert executor.logs(quiet) == ""

    def test_of_a_flood_of_words_the_end_is_kept(self, executor: Executor) -> None:
        handle = executor.submit(work("chatter", lines=50_000))
        outcome(executor, handle)

        log = executor.logs(handle)

        assert len(log) < 70_000
        assert log.endswith("line 49999\n")
        assert "bytes before this were dropped" in log

    def test_the_same_key_is_the_same_work(self, executor: Executor) -> None:
        key = new_id()
        first = executor.submit(work("add", first=1, second=1), key=key)
        outcome(executor, first)

        again = executor.submit(work("add", first=1, second=1), key=key)

        assert again == first

    def test_a_key_whose_work_failed_is_free_again(self, executor: Executor) -> None:
        key = new_id()
        failed = executor.submit(work("despair"), key=key)
        outcome(executor, failed)

        again = executor.submit(work("add", first=1, second=1), key=key)

        assert again != failed
        assert outcome(executor, again).result == 2

    def test_cancelling_what_is_over_changes_nothing(self, executor: Executor) -> None:
        handle = executor.submit(work("add", first=1, second=1))
        outcome(executor, handle)

        executor.cancel(handle)

        assert outcome(executor, handle).state == "done"

    def test_unknown_handles_are_not_found(self, executor: Executor) -> None:
        for verb in (executor.poll, executor.cancel, executor.logs):
            with pytest.raises(NotFound):
                verb("0" * 32)

    def test_work_knows_what_it_belongs_to(self, executor: Executor) -> None:
        handle = executor.submit(work("tell_job_id"))

        assert outcome(executor, handle).result == handle


def work(name: str, **arguments: object) -> Work:
    """Return work for one of the functions of `treadle.testing.sample_work`."""
    return Work(target=f"treadle.testing.sample_work:{name}", arguments=arguments)


def outcome(executor: Executor, handle: str, *, patience_s: float = PATIENCE_S) -> Progress:
    """Wait until work is over and return what became of it."""
    deadline = time.monotonic() + patience_s
    progress = executor.poll(handle)
    while not progress.is_over:
        assert time.monotonic() < deadline, f"still {progress.state} after {patience_s} s"
        time.sleep(LOOK_S)
        progress = executor.poll(handle)
    return progress
