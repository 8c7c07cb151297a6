"""The models of the desired state, in memory; they follow that state as it changes."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from treadle.kernel.errors import NotFound, TreadleError, Unavailable
from treadle.serving.desired import Desired, DesiredFile
from treadle.serving.kept import identity
from treadle.serving.request_checks import RequestChecks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from treadle.registry.entities import ModelVersion
    from treadle.registry.loaded import LoadedModel
    from treadle.serving.contract_log.keeper import ContractKeeper
    from treadle.serving.entities import Endpoint
    from treadle.serving.service import Serving
    from treadle.serving.training_contracts import RequestContract

POLL_S = 0.15
# A version that cannot be loaded is tried again, but loading is not cheap.
RETRY_S = 2.0

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Served:
    """An endpoint with its models in memory, by version, and what it asks of requests."""

    endpoint: Endpoint
    models: Mapping[str, LoadedModel]
    checks: RequestChecks | None = None


class ServedModels:
    """Every endpoint with its models.

    **Swap**: all that is served is one reference, replaced when everything new is loaded; who took
    the old one goes on with it. **Independence**: what is loaded stays when the metadata store is
    down; after a restart the state last known to this home is loaded instead.
    """

    def __init__(
        self, serving: Serving, *, file: Path, keeper: ContractKeeper, poll_s: float = POLL_S
    ) -> None:
        self._serving = serving
        self._keeper = keeper
        self._file = DesiredFile(file)
        self._poll_s = poll_s
        self._served: Mapping[str, Served] = {}
        self._endpoints: tuple[Endpoint, ...] | None = None
        self._seen: tuple[Mapping[str, int], Mapping[str, int]] | None = None
        self._retry_at = 0.0
        self._complaint = ""
        self.problems: Mapping[str, str] = {}
        """Why an endpoint is not as it should be, by its name."""
        self._stop = threading.Event()
        self._poller = threading.Thread(target=self._poll, name="desired-state", daemon=True)

    def start(self) -> None:
        """Load the desired state and follow it from now on, in the background."""
        self._poller.start()

    def stop(self) -> None:
        """Follow no longer; what is loaded stays."""
        self._stop.set()
        if self._poller.is_alive():
            self._poller.join()

    @property
    def ready(self) -> bool:
        """Whether every endpoint that has traffic can answer."""
        if self._endpoints is None:
            return False
        return all(e.name in self._served for e in self._endpoints if e.variants)

    def find(self, name: str) -> Served:
        """Return a loaded endpoint. Raises NotFound, or Unavailable while it is loaded."""
        found = self._served.get(name)
        if found is not None:
            return found
        wanted = {e.name: e for e in self._endpoints or ()}
        if self._endpoints is None:
            raise Unavailable("The models are being loaded.", hint="Ask again in a moment.")
        if name not in wanted:
            raise NotFound("model", name, known=wanted)
        if not wanted[name].variants:
            raise NotFound("model", name, hint="The endpoint is there, but has no traffic yet.")
        raise Unavailable(f"Model {name!r} could not be loaded: {self.problems.get(name, '')}")

    def refresh(self) -> None:
        """Look at the desired state now and load what changed."""
        if self.problems and time.monotonic() < self._retry_at:
            return
        try:
            contracts = self._serving.contracts
            marks = self._serving.revisions(), contracts.numbers()
            if marks == self._seen:
                return
            endpoints = self._serving.endpoints()
        except TreadleError as error:
            self._fall_back(error)
            return
        self._complaint = ""
        self._adopt(Desired(endpoints=endpoints), contract_of=self._contract_of)
        if not self.problems:  # with a problem nothing was seen: the next look tries again
            self._seen = {e.name: e.revision for e in endpoints}, marks[1]
            models = {r: m for s in self._served.values() for r, m in s.models.items()}
            versions = tuple(m.version for m in models.values())
            known = {n: s.checks.contract for n, s in self._served.items() if s.checks}
            self._file.write(Desired(endpoints=endpoints, versions=versions, contracts=known))

    def _poll(self) -> None:
        while not self._stop.is_set():
            try:
                self.refresh()
            except Exception as error:  # noqa: BLE001 - whatever it was, the old state must go on
                self._complain(f"Cannot follow the desired state: {error!r}", cause=error)
            self._stop.wait(self._poll_s)

    def _fall_back(self, error: TreadleError) -> None:
        self._complain(f"The desired state cannot be read, serving what was last known: {error}")
        known = self._file.read() if self._endpoints is None or self.problems else None
        if known is not None:
            self._adopt(known, contract_of=lambda served: known.contracts.get(served.endpoint.name))

    def _contract_of(self, served: Served) -> RequestContract | None:
        live = next((v for v in served.endpoint.answering if v.role == "live"), None)
        return self._serving.contracts.of(served.models[live.version].version) if live else None

    def _checks(
        self, served: Served, contract_of: Callable[[Served], RequestContract | None]
    ) -> RequestChecks | None:
        mode = served.endpoint.contract
        contract = None if mode == "off" else contract_of(served)
        if contract is None:
            return None
        checks = RequestChecks(
            contract, mode=mode, endpoint=served.endpoint.name, keeper=self._keeper
        )
        before = self._served.get(served.endpoint.name)
        if before is not None and before.checks is not None:
            checks.carry_on(before.checks)
        return checks

    def _adopt(
        self, desired: Desired, *, contract_of: Callable[[Served], RequestContract | None]
    ) -> None:
        remembered = {v.ref: v for v in desired.versions}
        served: dict[str, Served] = {}
        problems: dict[str, str] = {}
        for endpoint in desired.endpoints:
            try:
                models = self._models(endpoint, remembered=remembered)
                made = Served(endpoint=endpoint, models=models)
                checks = self._checks(made, contract_of) if models else None
            except Exception as error:  # noqa: BLE001 - a pickle may raise anything; see problems
                problems[endpoint.name] = str(error)
                _LOG.exception("Endpoint %s stays as it was.", endpoint.name)
                if endpoint.name in self._served:
                    served[endpoint.name] = self._served[endpoint.name]
                continue
            if models:
                served[endpoint.name] = replace(made, checks=checks)
        self._served, self.problems, self._endpoints = served, problems, desired.endpoints
        self._retry_at = time.monotonic() + RETRY_S

    def _models(
        self, endpoint: Endpoint, *, remembered: Mapping[str, ModelVersion]
    ) -> dict[str, LoadedModel]:
        registry = self._serving.registry
        loaded = {identity(m.version): m for s in self._served.values() for m in s.models.values()}
        wanted: dict[str, LoadedModel] = {}
        for ref in (v.version for v in endpoint.variants):
            version = remembered.get(ref) or registry.version(ref)
            wanted[ref] = loaded.get(identity(version)) or registry.load_version(version)
        return wanted

    def _complain(self, text: str, *, cause: BaseException | None = None) -> None:
        if text != self._complaint:  # a store that is down for an hour is one line, not 24,000
            self._complaint = text
            _LOG.warning(text, exc_info=cause)
