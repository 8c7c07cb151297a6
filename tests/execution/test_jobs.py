from __future__ import annotations

import threading

import pytest

from treadle.execution.entities import Load, Work
from treadle.kernel.actors import acting_as
from treadle.kernel.errors import Conflict, InvalidInput, NotFound
from treadle.storage import events

WORK = Work(target="somewhere:something", arguments={"number": 1})
SECOND = 1_000_000


def kinds_of(store) -> list[str]:
    with store.read() as tx:
        return [event.kind for event in events.read(tx.connection)]


def test_a_queued_job_is_leased_once(jobs):
    job = jobs.enqueue(WORK)

    first, second = jobs.lease("ann"), jobs.lease("bob")

    assert (first.id, first.work, first.lease_owner, first.attempts) == (job.id, WORK, "ann", 1)
    assert second is None


def test_jobs_are_leased_in_the_order_they_came(jobs):
    queued = [jobs.enqueue(WORK).id for _ in range(5)]

    leased = [jobs.lease("ann").id for _ in range(5)]

    assert leased == queued


def test_many_workers_at_once_lease_each_job_once(jobs):
    queued = {jobs.enqueue(WORK).id for _ in range(24)}
    leased: list[str] = []

    def take_all(name):
        while (job := jobs.lease(name)) is not None:
            leased.append(job.id)

    threads = [threading.Thread(target=take_all, args=(f"worker-{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    # Another's locked row is passed over, so a worker may go home early; the last one takes all.
    take_all("late")
    assert sorted(leased) == sorted(queued)


def test_a_finished_job_keeps_its_result_and_log(jobs):
    job = jobs.enqueue(WORK)
    jobs.lease("ann")

    jobs.finish(job.id, worker="ann", result={"rows": 3}, log="three rows\n")

    done = jobs.job(job.id)
    assert (done.state, done.result, done.log, done.lease_owner) == (
        "done",
        {"rows": 3},
        "three rows\n",
        None,
    )


def test_the_actor_who_asked_is_kept(jobs):
    with acting_as("user:ann"):
        jobs.enqueue(WORK)

    assert jobs.lease("worker").actor == "user:ann"


def test_a_failed_job_waits_before_it_is_tried_again(jobs, clock):
    job = jobs.enqueue(WORK)
    jobs.lease("ann")

    jobs.fail(job.id, worker="ann", error="Traceback\nOSError: down")

    assert jobs.job(job.id).state == "queued"
    assert jobs.lease("ann") is None
    clock.advance(SECOND)
    assert jobs.lease("ann").attempts == 2


def test_a_job_fails_for_good_after_its_last_attempt(jobs, clock):
    job = jobs.enqueue(WORK, max_attempts=2)
    for _ in range(2):
        jobs.lease("ann")
        jobs.fail(job.id, worker="ann", error="Traceback\nOSError: down")
        clock.advance(60 * SECOND)

    failed = jobs.job(job.id)
    assert (failed.state, failed.attempts) == ("failed", 2)
    assert failed.error == "Traceback\nOSError: down"


def test_a_hopeless_failure_is_final(jobs):
    job = jobs.enqueue(WORK, max_attempts=5)
    jobs.lease("ann")

    failed = jobs.fail(job.id, worker="ann", error="no way", retry=False)

    assert (failed.state, failed.attempts) == ("failed", 1)


def test_an_expired_lease_goes_to_the_next_worker(jobs, clock):
    job = jobs.enqueue(WORK)
    jobs.lease("ann", lease_s=10)
    clock.advance(10 * SECOND)

    again = jobs.lease("bob")

    assert (again.id, again.lease_owner, again.attempts) == (job.id, "bob", 2)


def test_a_heartbeat_keeps_the_lease(jobs, clock):
    job = jobs.enqueue(WORK)
    jobs.lease("ann", lease_s=10)
    clock.advance(9 * SECOND)

    kept = jobs.heartbeat(job.id, worker="ann", lease_s=10, log="half way\n")

    clock.advance(9 * SECOND)
    assert kept
    assert jobs.lease("bob") is None
    assert jobs.job(job.id).log == "half way\n"


def test_who_lost_the_lease_is_told_and_cannot_finish(jobs, clock):
    job = jobs.enqueue(WORK)
    jobs.lease("ann", lease_s=10)
    clock.advance(10 * SECOND)
    jobs.lease("bob")

    assert not jobs.heartbeat(job.id, worker="ann")
    assert not jobs.holds(job.id, worker="ann")
    with pytest.raises(Conflict, match="no longer holds"):
        jobs.finish(job.id, worker="ann", result=1)
    with pytest.raises(Conflict, match="no longer holds"):
        jobs.fail(job.id, worker="ann", error="late")
    assert jobs.holds(job.id, worker="bob")


def test_a_job_that_kills_every_worker_fails(jobs, clock):
    job = jobs.enqueue(WORK, max_attempts=2)
    for worker in ("ann", "bob"):
        jobs.lease(worker, lease_s=10)
        clock.advance(10 * SECOND)

    assert jobs.requeue_expired() == ("bob",)
    failed = jobs.job(job.id)
    assert failed.state == "failed"
    assert failed.error == "Its worker died at each of 2 attempts (the last: bob)."


def test_jobs_of_a_dead_worker_are_requeued_at_once(jobs):
    job = jobs.enqueue(WORK)
    jobs.lease("ann")

    assert jobs.forget_worker("ann") == 1
    assert jobs.lease("bob").id == job.id


def test_a_released_job_costs_no_attempt(jobs):
    job = jobs.enqueue(WORK)
    jobs.lease("ann")

    jobs.release(job.id, worker="ann", log="until here\n")

    given_back = jobs.job(job.id)
    assert (given_back.state, given_back.attempts, given_back.log) == ("queued", 0, "until here\n")


def test_a_cancelled_job_is_never_leased(jobs):
    job = jobs.enqueue(WORK)

    jobs.cancel(job.id)

    assert jobs.job(job.id).state == "cancelled"
    assert jobs.lease("ann") is None


def test_cancelling_takes_the_lease_away(jobs):
    job = jobs.enqueue(WORK)
    jobs.lease("ann")

    jobs.cancel(job.id)

    assert not jobs.holds(job.id, worker="ann")
    with pytest.raises(Conflict, match="it is cancelled"):
        jobs.finish(job.id, worker="ann", result=1)


def test_cancelling_what_is_done_changes_nothing(jobs):
    job = jobs.enqueue(WORK)
    jobs.lease("ann")
    jobs.finish(job.id, worker="ann", result=1)

    assert jobs.cancel(job.id).state == "done"


def test_the_same_key_is_the_same_job_until_it_fails(jobs):
    queued = jobs.enqueue(WORK, key="features")
    assert jobs.enqueue(WORK, key="features").id == queued.id

    jobs.lease("ann")
    assert jobs.enqueue(WORK, key="features").id == queued.id

    jobs.fail(queued.id, worker="ann", error="no", retry=False)
    assert jobs.enqueue(WORK, key="features").id != queued.id


def test_a_key_that_is_done_gives_the_finished_job(jobs):
    job = jobs.enqueue(WORK, key="features")
    jobs.lease("ann")
    jobs.finish(job.id, worker="ann", result="digest")

    again = jobs.enqueue(WORK, key="features")

    assert (again.id, again.state, again.result) == (job.id, "done", "digest")


def test_many_at_once_with_one_key_make_one_job(jobs):
    made: list[str] = []
    start = threading.Barrier(4)

    def enqueue():
        start.wait()
        made.append(jobs.enqueue(WORK, key="one").id)

    threads = [threading.Thread(target=enqueue) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(made)) == 1
    assert jobs.jobs().total == 1


def test_the_load_counts_what_waits_and_what_runs(jobs, clock):
    for _ in range(3):
        jobs.enqueue(WORK)
    jobs.lease("ann", lease_s=10)
    assert jobs.load() == Load(ready=2, running=1, expired=0)

    clock.advance(10 * SECOND)
    assert jobs.load() == Load(ready=2, running=1, expired=1)


def test_jobs_are_listed_newest_first_by_state_and_kind(jobs):
    first = jobs.enqueue(WORK, kind="step")
    second = jobs.enqueue(WORK, kind="step")
    jobs.enqueue(WORK, kind="other")

    page = jobs.jobs(state="queued", kind="step", limit=1)

    assert ([job.id for job in page.items], page.total, page.next_offset) == ([second.id], 2, 1)
    assert [job.id for job in jobs.jobs(kind="step", offset=1).items] == [first.id]


def test_every_end_is_a_fact(jobs, store):
    job = jobs.enqueue(WORK)
    jobs.lease("ann")
    jobs.forget_worker("ann")
    jobs.lease("bob")
    jobs.finish(job.id, worker="bob", result=1)

    assert kinds_of(store) == ["job.queued", "job.lost", "job.ended"]


def test_unknown_jobs_are_not_found(jobs):
    with pytest.raises(NotFound):
        jobs.job("nope")
    with pytest.raises(NotFound):
        jobs.cancel("nope")


def test_no_attempts_are_refused(jobs):
    with pytest.raises(InvalidInput, match="at least 1"):
        jobs.enqueue(WORK, max_attempts=0)


def test_a_long_error_keeps_its_end(jobs):
    job = jobs.enqueue(WORK)
    jobs.lease("ann")

    failed = jobs.fail(job.id, worker="ann", error="x" * 99_999 + "the end", retry=False)

    assert len(failed.error) < 20_000
    assert failed.error.endswith("the end")
