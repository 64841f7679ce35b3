"""What a cluster says of its objects during a rollout, in `statuses/`, and what is to be said of it.

`PYTHONPATH=plugins python -m tests.unit.rollout.kubernetes.judgement.recorded` prints every failure with its text.
"""

from __future__ import annotations

import functools
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from slipway.rollout.kubernetes.judgement.progress import Complete, Failed, Observed, Progressing, Verdict, judge

FOLDER = Path(__file__).parent / "statuses"
VERDICTS = {"Progressing": Progressing, "Complete": Complete, "Failed": Failed}


@dataclass(frozen=True)
class Recorded:
    """One recorded state: its file, its name, what the cluster says and what is to be said of it."""

    file: str
    name: str
    state: dict[str, Any]
    expected: Verdict

    @property
    def observed(self) -> Observed:
        return observed(self.state)

    @property
    def now(self) -> datetime:
        return datetime.fromisoformat(self.state["now"])

    @property
    def version_id(self) -> str:
        return self.state["version_id"]

    def judge(self) -> Verdict:
        return judge(self.observed, version_id=self.version_id, now=self.now)


def observed(state: dict[str, Any]) -> Observed:
    """The objects of a state."""
    replica_sets, pods = (list(state.get(key, {}).values()) for key in ("replica_sets", "pods"))
    return Observed(state.get("deployment"), replica_sets, pods, state.get("events", []))


def merged(target: Any, patch: Any) -> Any:
    """A JSON merge patch (RFC 7386), applied; nothing is shared with the target's objects."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


@functools.cache
def snapshots() -> dict[str, dict[str, Any]]:
    """A rolling update at its start and at its end."""
    base = yaml.safe_load((FOLDER / "base.yaml").read_text())
    return {"start": base["start"], "done": merged(base["start"], base["done"])}


@functools.cache
def all_recorded() -> tuple[Recorded, ...]:
    """Every recorded state."""
    found = []
    for path in sorted(FOLDER.glob("*.yaml")):
        if path.stem != "base":
            for case in yaml.safe_load_all(path.read_text()):
                verdict = dict(case["expected"])
                expected = VERDICTS[verdict.pop("verdict")](**verdict)
                state = merged(snapshots()[case["from"]], case["differs"])
                found.append(Recorded(path.stem, case["case"], state, expected))
    return tuple(found)


def table() -> str:
    """Every failure with its text, as a person gets it."""
    lines = ["| reason | case | text |", "|---|---|---|"]
    for case in all_recorded():
        failed = case.judge()
        if isinstance(failed, Failed):
            said = f"{failed.on}: {failed.why}. {failed.fix}".replace("|", "\\|")
            lines.append(f"| {failed.reason} | {case.name} | {said} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(f"{table()}\n")
