"""What was measured: one entry a round, summed up as medians."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field

from tests.benchmarks.serving.load import Measurement

BARE = "bare"


@dataclass
class Results:
    """The keys are (model, server, case), and (model, server) for what belongs to the process; `BARE` is a server and a case.

    Attributes:
        cold_start_seconds: from spawning the server to its first right answer.
        pss_mb_per_worker: memory of all of the server's processes by the number of workers.
    """

    loads: dict[tuple[str, str, str], list[Measurement]] = field(default_factory=dict)
    cold_start_seconds: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    pss_mb_per_worker: dict[tuple[str, str], list[float]] = field(default_factory=dict)

    def add_load(self, model: str, server: str, case: str, found: Measurement) -> None:
        """One more round of a case."""
        self.loads.setdefault((model, server, case), []).append(found)

    def add_process(self, model: str, server: str, cold_start_seconds: float, pss_mb_per_worker: float) -> None:
        """One more round of a server."""
        self.cold_start_seconds.setdefault((model, server), []).append(cold_start_seconds)
        self.pss_mb_per_worker.setdefault((model, server), []).append(pss_mb_per_worker)

    def summary(self, model: str, server: str, case: str) -> Measurement | None:
        """Medians over the rounds; void if a round was, and None if the case was not for this server."""
        rounds = self.loads.get((model, server, case))
        if not rounds:
            return None
        if bad := next((one for one in rounds if one.reason), None):
            return bad
        rps, p50_ms, p99_ms = (
            statistics.median(getattr(one, name) for one in rounds) for name in ("rps", "p50_ms", "p99_ms")
        )
        return Measurement(rps, p50_ms, p99_ms)
