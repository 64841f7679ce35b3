"""One server with one model: started, asked, loaded with each case, ended."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.serving.bundles import ServedModel
from tests.benchmarks.serving.load import Measurement, load
from tests.benchmarks.serving.memory import pss_mb
from tests.benchmarks.serving.payloads import PROTOCOLS, Request
from tests.benchmarks.serving.plan import ANSWERS_PER_CONNECTION, LARGE, LONGEST_SECONDS, WARM_UP_SECONDS, Case
from tests.benchmarks.serving.processes import ServerError, family, free_ports, plain_environment, post, running
from tests.benchmarks.serving.results import Results
from tests.benchmarks.serving.servers import HERE, ONE_THREAD, Server


@dataclass(frozen=True)
class Visit:
    """A server, a model, and where they meet.

    Attributes:
        environment: the server's virtual environment.
        work: a folder for the server's log and whatever it writes.
        seconds: of one measurement.
    """

    server: Server
    model: ServedModel
    environment: Path
    work: Path
    seconds: float

    def prepare(self) -> None:
        """What the server needs done once for the model."""
        if not self.server.prepare:
            return
        command = self._filled(self.server.prepare, {})
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=plain_environment())
        if done.returncode:
            raise RuntimeError(f"{self.server.name}: {done.stderr[-2000:]}")

    def measure(self, cases: Iterable[Case], results: Results) -> None:
        """All cases that the server takes part in; one that does not start has each of them void."""
        cases = [case for case in cases if self._takes(case)]
        try:
            self._measure(cases, results)
        except ServerError as error:
            for case in cases:
                results.add_load(self.model.name, self.server.name, case.name, Measurement.failed(str(error)))

    def _measure(self, cases: list[Case], results: Results) -> None:
        first, second = free_ports(2)
        ports = {"port": str(first), "second_port": str(second)}
        settings = self.server.settings
        own = dict(zip(settings, self._filled(settings.values(), ports), strict=True))
        variables = plain_environment() | ONE_THREAD | own
        one_row = self._request(Case(1, 1))
        with running(
            self._filled(self.server.command, ports),
            variables,
            first,
            self.work,
            lambda url: self._ask(url, one_row, 1),
        ) as it:
            found = [self._case(it.url, case, warm=_needs_warming(cases, place)) for place, case in enumerate(cases)]
            memory = pss_mb(process.pid for process in family(it.process)) / self.server.workers
        for case, measurement in zip(cases, found, strict=True):
            results.add_load(self.model.name, self.server.name, case.name, measurement)
        results.add_process(self.model.name, self.server.name, it.cold_start_seconds, memory)

    def _case(self, url: str, case: Case, *, warm: bool) -> Measurement:
        """Check the answer, warm up, measure."""
        request = self._request(case)
        body = self.work / "body"
        body.write_bytes(request.body)
        try:
            one_answer = self._ask(url, request, case.rows)
        except (ServerError, OSError) as error:
            return Measurement.failed(str(error))
        slowest = one_answer * case.connections / self.server.workers
        if warm:
            first = load(url, request, body, case.connections, WARM_UP_SECONDS)
            slowest = LONGEST_SECONDS if first.reason else max(slowest, first.p99_ms / 1000)
        needed = min(LONGEST_SECONDS, slowest * ANSWERS_PER_CONNECTION) if case.rows == LARGE else 0
        return load(url, request, body, case.connections, max(self.seconds, needed))

    def _ask(self, url: str, request: Request, rows: int) -> float:
        """Seconds that the right answer took.

        Raises:
            ServerError: it is another.
            OSError: there is none.
        """
        began = time.perf_counter()
        body, headers = post(url, request)
        took = time.perf_counter() - began
        if not self.server.predicts:
            return took
        try:
            labels = request.labels(body, headers)
        except (ValueError, KeyError, IndexError, TypeError) as error:
            raise ServerError(f"{request.path} answers what is not understood ({error!r}): {body[:120]!r}") from error
        # A label may come as JSON's true or as the text of it.
        if [str(label).lower() for label in labels] != [str(label).lower() for label in self.model.labels[:rows]]:
            raise ServerError(f"{request.path}, {rows} rows: wrong labels, like {labels[:3]}")
        return took

    def _request(self, case: Case) -> Request:
        protocol = self.server.protocol if case.form == "json" else case.form
        return PROTOCOLS[protocol](self.model, case.rows)

    def _takes(self, case: Case) -> bool:
        return case.form in self.server.forms and (self.server.predicts or case.rows < LARGE)

    def _filled(self, texts: Iterable[str], ports: Mapping[str, str]) -> list[str]:
        facts = {
            "bin": str(self.environment / "bin"),
            "peers": str(HERE / "peers"),
            "bundle": str(self.model.bundle),
            "digest": self.model.digest,
            "given": str(self.model.given),
        }
        return [text.format(**facts, **ports) for text in texts]


def _needs_warming(cases: list[Case], place: int) -> bool:
    """Whether the case before warmed up something else: other requests, or too few of large ones at a time."""
    case, before = cases[place], cases[place - 1] if place else None
    return case.rows == LARGE or before is None or before.rows != case.rows
