"""The queue of jobs: who may work on what, until when, and what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from treadle.execution import store as sql
from treadle.execution.entities import Job, Load, Work
from treadle.execution.facts import JobEnded, JobLost, JobQueued
from treadle.execution.targets import check_target
from treadle.kernel.actors import current_actor
from treadle.kernel.clock import Clock, SystemClock
from treadle.kernel.digests import canonical_json
from treadle.kernel.errors import Conflict, InvalidInput, NotFound
from treadle.kernel.ids import new_id
from treadle.kernel.paging import Page, page_of

if TYPE_CHECKING:
    from treadle.storage.ports import MetadataStore
    from treadle.storage.transaction import Transaction

SECOND_US = 1_000_000
LEASE_S = 30.0
# The first retry comes at once after a blip, the later ones leave a dead service time to return.
RETRY_BASE_S = 0.5
RETRY_LIMIT_S = 60.0
ERROR_LIMIT = 16_000
TURN_SHARE = 0.9


class Jobs:
    """The queue. Leases and retries run by the machine's clock, facts by the project's."""

    def __init__(self, *, store: MetadataStore, clock: Clock | None = None) -> None:
        self._store = store
        self._clock = clock or SystemClock()

    def enqueue(
        self, work: Work, *, kind: str = "work", key: str | None = None, max_attempts: int = 3
    ) -> Job:
        """Put work in the queue and return its job.

        With a key that is already queued, running or done, return that job instead. Raises
        InvalidInput when the target is not a function's name or the arguments are not JSON.
        """
        check_target(work.target)
        plain = Work(target=work.target, arguments=as_json(work.arguments, what="arguments"))
        if max_attempts < 1:
            raise InvalidInput(f"max_attempts is {max_attempts}.", hint="Give it at least 1.")
        with self._store.write() as tx:
            known = sql.job_of_key(tx, key) if key else None
            return known or self._insert(tx, plain, kind=kind, key=key, max_attempts=max_attempts)

    def lease(self, worker: str, *, lease_s: float = LEASE_S) -> Job | None:
        """Take the oldest job that may start, or None. The worker must send heartbeats for it."""
        with self._store.read() as tx:  # an idle worker only ever reads
            if not sql.is_work_waiting(tx, now=self._clock.now()):
                return None
        with self._store.write() as tx:
            now = self._clock.now()  # the turn to write may have been long in coming
            self._requeue(tx, sql.expired(tx, now=now))
            job = sql.next_ready(tx, now=now)
            if job is None:
                return None
            leased = {
                "state": "running",
                "attempts": job.attempts + 1,
                "lease_owner": worker,
                "lease_until": now + round(lease_s * SECOND_US),
                "started_at": now,
                "log": "",
            }
            sql.update_job(tx, job.id, **leased)
            return msgspec.structs.replace(job, **leased)

    def holds(self, job_id: str, *, worker: str) -> bool:
        """Say whether a job is still the worker's to do."""
        with self._store.read() as tx:
            return sql.is_leased(tx, job_id, worker=worker)

    def heartbeat(
        self, job_id: str, *, worker: str, lease_s: float = LEASE_S, log: str | None = None
    ) -> bool:
        """Keep the lease and store the log so far; False when the job is no longer the worker's."""
        values: dict[str, Any] = {"lease_until": self._clock.now() + round(lease_s * SECOND_US)}
        if log is not None:
            values["log"] = log
        with self._store.write() as tx:
            return sql.update_leased(tx, job_id, worker=worker, **values)

    def finish(self, job_id: str, *, worker: str, result: object, log: str = "") -> Job:
        """Record what the work returned. Raises Conflict when the lease was lost meanwhile."""
        plain = as_json(result, what="result")
        return self._settle(job_id, worker=worker, state="done", result=plain, error="", log=log)

    def fail(
        self, job_id: str, *, worker: str, error: str, log: str = "", retry: bool = True
    ) -> Job:
        """Record that the work raised; it is tried again later unless that is hopeless."""
        with self._store.write() as tx:
            job = self._held(tx, job_id, worker=worker)
            if retry and job.attempts < job.max_attempts:
                self._wait(tx, job, delay_s=_delay(job.attempts), error=error, log=log)
                return self.job(job_id)
            return self._settle(job_id, worker=worker, state="failed", error=error, log=log)

    def release(self, job_id: str, *, worker: str, log: str = "") -> None:
        """Give a job back unharmed, as a worker does that is asked to stop."""
        with self._store.write() as tx:
            job = self._held(tx, job_id, worker=worker)
            self._wait(tx, job, delay_s=0, error=job.error, log=log, attempts=job.attempts - 1)

    def cancel(self, job_id: str) -> Job:
        """Stop a job, or keep it from starting; does nothing when it is over."""
        with self._store.write() as tx:
            job = sql.lock_job(tx, job_id)
            if job is None:
                raise NotFound("job", job_id)
            if not job.progress.is_over:
                self._end(tx, job, state="cancelled", error="")
            return self.job(job_id)

    def requeue_expired(self) -> tuple[str, ...]:
        """Put jobs whose worker stopped answering back in the queue; return those workers."""
        with self._store.write() as tx:
            lost = sql.expired(tx, now=self._clock.now())
            self._requeue(tx, lost)
        return tuple(job.lease_owner or "" for job in lost)

    def forget_worker(self, worker: str) -> int:
        """Put the jobs of a worker that is known to be dead back in the queue."""
        with self._store.write() as tx:
            return self._requeue(tx, sql.leased_by(tx, worker))

    def job(self, job_id: str) -> Job:
        """Return a job with its log. Raises NotFound."""
        with self._store.read() as tx:
            job = sql.read_job(tx, job_id)
        if job is None:
            raise NotFound("job", job_id)
        return job

    def jobs(
        self,
        *,
        state: str | None = None,
        kind: str | None = None,
        limit: int = 100,
        offset: int = 0,
    ) -> Page[Job]:
        """Return a page of jobs, newest first; their logs are left out, `job` has them."""
        with self._store.read() as tx:
            items, total = sql.list_jobs(tx, state=state, kind=kind, limit=limit, offset=offset)
        return page_of(items, total=total, offset=offset)

    def load(self) -> Load:
        """Count the jobs that may start now, those that run, and those whose lease ran out."""
        with self._store.read() as tx:
            return sql.load(tx, now=self._clock.now())

    def is_idle(self) -> bool:
        """Say whether no job runs and none waits, also not for a later attempt."""
        with self._store.read() as tx:
            return not sql.is_any_open(tx)

    def take_turn(self, name: str, *, every_s: float) -> bool:
        """Say whether it is the caller's turn at what is done once in so many seconds.

        Of several processes that ask, one gets each turn. By the machine's clock.
        """
        with self._store.write() as tx:
            now = self._clock.now()
            # A little early counts: who took the last turn wakes up no later than the others.
            until = now + round(every_s * SECOND_US * TURN_SHARE)
            return sql.take_turn(tx, name, now=now, until=until)

    def _insert(
        self, tx: Transaction, work: Work, *, kind: str, key: str | None, max_attempts: int
    ) -> Job:
        now = self._clock.now()
        job = Job(
            id=new_id(),
            kind=kind,
            key=key,
            work=work,
            state="queued",
            actor=current_actor(),
            attempts=0,
            max_attempts=max_attempts,
            ready_at=now,
            created_at=now,
        )
        if not sql.insert_job(tx, job):  # another process was faster with the same key
            other = sql.job_of_key(tx, key or "")
            return other or self._insert(tx, work, kind=kind, key=key, max_attempts=max_attempts)
        tx.emit(
            JobQueued(
                id=job.id, job_kind=kind, target=work.target, key=key, max_attempts=max_attempts
            )
        )
        return job

    def _held(self, tx: Transaction, job_id: str, *, worker: str) -> Job:
        job = sql.lock_job(tx, job_id)
        if job is None:
            raise NotFound("job", job_id)
        if job.state != "running" or job.lease_owner != worker:
            raise Conflict(
                f"Worker {worker} no longer holds job {job_id}: it is {job.state}.",
                hint="Its lease ran out or it was cancelled; drop the result.",
                job=job_id,
            )
        return job

    def _settle(self, job_id: str, *, worker: str, state: Any, log: str, **ended: Any) -> Job:
        with self._store.write() as tx:
            job = self._held(tx, job_id, worker=worker)
            self._end(tx, job, state=state, log=log, **ended)
            return self.job(job_id)

    def _end(self, tx: Transaction, job: Job, *, state: Any, error: str, **values: Any) -> None:
        error = _bounded(error)
        ended = {"state": state, "error": error, "ended_at": self._clock.now(), **values}
        sql.update_job(tx, job.id, lease_owner=None, lease_until=None, **ended)
        # The log of events is for ever: it gets the last line, the job keeps the traceback.
        last_line = error.strip().rpartition("\n")[2]
        tx.emit(JobEnded(id=job.id, state=state, attempts=job.attempts, error=last_line))

    def _requeue(self, tx: Transaction, lost: list[Job]) -> int:
        for job in lost:
            worker = job.lease_owner or ""
            tx.emit(JobLost(id=job.id, worker=worker, attempts=job.attempts))
            if job.attempts < job.max_attempts:
                self._wait(tx, job, delay_s=0, error=job.error)
            else:
                died = f"Its worker died at each of {job.attempts} attempts (the last: {worker})."
                self._end(tx, job, state="failed", error=died)
        return len(lost)

    def _wait(
        self, tx: Transaction, job: Job, *, delay_s: float, error: str, **values: Any
    ) -> None:
        sql.update_job(
            tx,
            job.id,
            state="queued",
            ready_at=self._clock.now() + round(delay_s * SECOND_US),
            lease_owner=None,
            lease_until=None,
            error=_bounded(error),
            **values,
        )


def as_json(value: object, *, what: str) -> Any:
    """Return a value as it is after a trip through JSON, or raise InvalidInput."""
    try:
        return msgspec.json.decode(canonical_json(value))
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidInput(
            f"The {what} of work must be JSON: {error}.",
            hint="Store large or typed values as objects and hand over their digests.",
        ) from error


def _delay(attempts: int) -> float:
    return min(RETRY_BASE_S * 4.0 ** (attempts - 1), RETRY_LIMIT_S)


def _bounded(error: str) -> str:
    # The end of a traceback says what went wrong.
    kept = error if len(error) <= ERROR_LIMIT else "…\n" + error[-ERROR_LIMIT:]
    return kept.replace("\x00", "\N{REPLACEMENT CHARACTER}")
