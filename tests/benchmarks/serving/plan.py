"""What is measured, how often and for how long; the environment can make it quick."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

MODELS = ("iris", "forest", "boosting")
ROUNDS = 3
SECONDS = 2.0
WARM_UP_SECONDS = 1
# With large requests a measurement is prolonged until a slow server has answered each connection this often, within the
# limit: what it has in hand at the end would count against it, and against it alone.
ANSWERS_PER_CONNECTION = 3
LONGEST_SECONDS = 15.0
LARGE = 10_000


@dataclass(frozen=True)
class Case:
    """One load: `rows` in each request, sent over `connections` at a time, as `form` (see `payloads`)."""

    rows: int
    connections: int
    form: str = "json"

    @property
    def name(self) -> str:
        """Like ``rows1_conn16``; large requests come in several forms and name theirs: ``rows10000_conn16_arrow``."""
        return f"rows{self.rows}_conn{self.connections}" + (f"_{self.form}" if self.rows == LARGE else "")


GRID = (
    Case(1, 1),
    Case(1, 16),
    Case(1, 64),
    Case(100, 16),
    Case(LARGE, 1),
    Case(LARGE, 16),
    Case(LARGE, 16, "arrow"),
    Case(LARGE, 16, "binary"),
)
REST_OF_GRID = (Case(100, 1), Case(100, 64), Case(LARGE, 64))


@dataclass(frozen=True)
class Plan:
    """A run's choices."""

    models: tuple[str, ...]
    servers: tuple[str, ...] | None
    cases: tuple[Case, ...]
    rounds: int
    seconds: float

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Plan:
        """From ``SLIPWAY_BENCH_*``; what is not set is as in the default run."""

        def words(name: str) -> tuple[str, ...]:
            return tuple(environment.get(f"SLIPWAY_BENCH_{name}", "").replace(",", " ").split())

        cases = GRID + (REST_OF_GRID if words("FULL") else ())
        return cls(
            models=words("MODELS") or MODELS,
            servers=words("SERVERS") or None,
            cases=tuple(case for case in cases if case.name in (words("CASES") or {case.name})),
            rounds=int(environment.get("SLIPWAY_BENCH_ROUNDS", ROUNDS)),
            seconds=float(environment.get("SLIPWAY_BENCH_SECONDS", SECONDS)),
        )
