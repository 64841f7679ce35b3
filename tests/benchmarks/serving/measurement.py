"""The rounds: in each, every server of every model in turn is started, asked, loaded and ended; never two at a time."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tests.benchmarks.serving.bare import bare_rate
from tests.benchmarks.serving.bundles import ServedModel
from tests.benchmarks.serving.load import Measurement, load
from tests.benchmarks.serving.memory import pss_mb
from tests.benchmarks.serving.payloads import PROTOCOLS, Request
from tests.benchmarks.serving.plan import ANSWERS_PER_CONNECTION, LARGE, LONGEST_SECONDS, Case, Plan
from tests.benchmarks.serving.processes import (
    Running,
    ServerError,
    family,
    free_ports,
    plain_environment,
    post,
    running,
)
from tests.benchmarks.serving.servers import HERE, ONE_THREAD, Server

WARM_UP_SECONDS = 1
BARE = "bare"


@dataclass
class Results:
    """Everything measured, one entry a round; the keys are (model, server) and (model, server, case)."""

    loads: dict[tuple[str, str, str], list[Measurement]] = field(default_factory=dict)
    cold_start_seconds: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    pss_mb_per_worker: dict[tuple[str, str], list[float]] = field(default_factory=dict)

    def summary(self, model: str, server: str, case: str) -> Measurement | None:
        """Medians over the rounds; void if a round was, and None if the case was not for this server."""
        rounds = self.loads.get((model, server, case))
        if not rounds:
            return None
        if bad := next((one for one in rounds if one.void), None):
            return bad
        return Measurement(*(statistics.median(getattr(one, name) for one in rounds) for name in _MEASURES))


_MEASURES = ("rps", "p50_ms", "p99_ms")


@dataclass(frozen=True)
class Bench:
    """What a run works with: folders, environments by name, and where progress is told."""

    plan: Plan
    folder: Path
    environments: dict[str, Path]
    progress: Callable[[str], None]
    results: Results = field(default_factory=Results)

    def run(self, models: Iterable[ServedModel], servers: Iterable[Server]) -> Results:
        """All rounds."""
        for number in range(self.plan.rounds):
            for model in models:
                for server in servers:
                    self.progress(f"round {number + 1} of {self.plan.rounds}, {model.name}: {server.name}")
                    self._server(model, server)
                self._bare(model)
        return self.results

    def prepare(self, model: ServedModel, server: Server) -> None:
        """What a server needs done once for a model."""
        if server.prepare:
            import subprocess

            command = self._filled(model, server, server.prepare)
            done = subprocess.run(command, capture_output=True, text=True, check=False, env=plain_environment())
            if done.returncode:
                raise RuntimeError(f"{server.name}: {done.stderr[-2000:]}")

    def _server(self, model: ServedModel, server: Server) -> None:
        cases = [case for case in self.plan.cases if _takes(server, case)]
        port, second_port = free_ports(2)
        ports = {"port": str(port), "second_port": str(second_port)}
        command = self._filled(model, server, server.command, **ports)
        values = self._filled(model, server, tuple(server.settings.values()), **ports)
        variables = plain_environment() | ONE_THREAD | dict(zip(server.settings, values, strict=True))
        one_row = PROTOCOLS[server.protocol](model, 1)
        work = self.folder / "work" / server.name
        try:
            with running(command, variables, port, work, lambda url: self._ask(model, server, url, one_row, 1)) as it:
                self._note(self.results.cold_start_seconds, model, server, it.cold_start_seconds)
                for case in cases:
                    self.results.loads.setdefault((model.name, server.name, case.name), []).append(
                        self._case(model, server, it, case)
                    )
                pss = pss_mb(process.pid for process in family(it.process)) / server.workers
                self._note(self.results.pss_mb_per_worker, model, server, pss)
        except ServerError as error:
            self.progress(f"  {server.name} {error}")
            for case in cases:
                void = Measurement(0, 0, 0, 1, str(error))
                self.results.loads.setdefault((model.name, server.name, case.name), []).append(void)

    def _case(self, model: ServedModel, server: Server, it: Running, case: Case) -> Measurement:
        """Check the answer, warm up, measure."""
        protocol = server.protocol if case.form == "json" else case.form
        request = PROTOCOLS[protocol](model, case.rows)
        body = self.folder / "work" / "body"
        body.write_bytes(request.body)
        try:
            seconds = self._ask(model, server, it.url, request, case.rows)
        except (ServerError, OSError) as error:
            return Measurement(0, 0, 0, 1, str(error))
        seconds = seconds * case.connections / server.workers * ANSWERS_PER_CONNECTION
        load(it.url, request, body, case.connections, WARM_UP_SECONDS)
        return load(it.url, request, body, case.connections, min(LONGEST_SECONDS, max(self.plan.seconds, seconds)))

    def _ask(self, model: ServedModel, server: Server, url: str, request: Request, rows: int) -> float:
        """Seconds that the right answer took."""
        began = time.perf_counter()
        body, headers = post(url, request)
        took = time.perf_counter() - began
        if not server.grows:
            return took
        try:
            labels = request.labels(body, headers)
        except (ValueError, KeyError, IndexError, TypeError) as error:
            raise ServerError(f"answers what is not understood ({error!r}): {body[:120]!r}") from error
        # A label may come as JSON's true or as the text of it.
        if [str(label).lower() for label in labels] != [str(label).lower() for label in model.labels[:rows]]:
            raise ServerError(f"{request.path} with {rows} rows: the labels are wrong, like {labels[:3]}")
        return took

    def _bare(self, model: ServedModel) -> None:
        if any(case.form != "json" for case in self.plan.cases):
            rate = bare_rate(self.environments["slipway"], model, self.folder / "work", self.plan.seconds)
            self.results.loads.setdefault((model.name, BARE, BARE), []).append(Measurement(rate, 0, 0))

    def _filled(self, model: ServedModel, server: Server, texts: tuple[str, ...], **ports: str) -> list[str]:
        facts = {
            "bin": str(self.environments[server.environment] / "bin"),
            "peers": str(HERE / "peers"),
            "bundle": str(model.bundle),
            "digest": model.digest,
            "given": str(model.given),
        }
        return [text.format(**facts, **ports) for text in texts]

    @staticmethod
    def _note(table: dict[tuple[str, str], list[float]], model: ServedModel, server: Server, value: float) -> None:
        table.setdefault((model.name, server.name), []).append(value)


def _takes(server: Server, case: Case) -> bool:
    return case.form in server.forms and (server.grows or case.rows < LARGE)
