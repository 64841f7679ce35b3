"""Who may import whom: the house stays in order because a machine reads every import."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SLIPWAY = ROOT / "plugins" / "slipway"
LOWER = {"core", "aws", "storage", "table", "access", "containers", "cluster"}
STATIONS = {"network", "dataset", "training", "release", "image", "rollout", "firewall", "verification"}
LOWER_ROOMS = {
    "aws": {"core"},
    "storage": {"core", "aws"},
    "table": {"core"},
    "access": {"core"},
    "containers": {"core"},
    "cluster": {"core"},
}
AIRFLOW_FILES = ("operators.py", "trigger.py", "hook.py")


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Every imported module of a file, also inside functions and under TYPE_CHECKING, with its line."""
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import hides where it leads"
            yield node.lineno, node.module or ""
            if node.module == "slipway":
                yield from ((node.lineno, f"slipway.{alias.name}") for alias in node.names)


def allowed(path: Path, module: str) -> bool:  # noqa: PLR0911  one line per row of the table
    """Whether the file at `path` may import `module`, by the table in README's architecture section."""
    room = path.relative_to(SLIPWAY).parts[0] if SLIPWAY in path.parents else path.relative_to(ROOT).parts[0]
    top, _, rest = module.partition(".")
    target = rest.split(".")[0]
    if room == "serving":
        return top not in {"slipway", "airflow"}
    if room == "core":
        return top in {"__future__", "pydantic", "yaml", *sys.stdlib_module_names} or (top, target) == (
            "slipway",
            "core",
        )
    if room == "local":
        return top != "model_server"
    if top == "airflow":
        return room in {"dags", "wiring"} or path.name.endswith(AIRFLOW_FILES)
    if top != "slipway":
        return room != "dags" or top in {"__future__", *sys.stdlib_module_names}
    if room in {"dags", "wiring"}:
        return target in {"core", "wiring"} or rest.endswith("operators") or rest == "network.endpoint"
    if path.name.endswith(("operators.py", "trigger.py")) and rest in {"release.ledger", "release.turn_trigger"}:
        return True
    lower = LOWER_ROOMS.get(room, LOWER)
    return target in {room, *lower}


# The plugin itself is Airflow's side of the wall.
FILES = sorted(
    path
    for folder in ("dags", "plugins", "serving")
    for path in (ROOT / folder).rglob("*.py")
    if path.name != "slipway_plugin.py"
)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_imports_only_what_its_room_may(path: Path) -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: {module}" for line, module in imports(path) if not allowed(path, module)
    ]
    assert not wrong


def test_every_room_is_known() -> None:
    rooms = {path.name for path in SLIPWAY.iterdir() if path.is_dir() and any(path.glob("*.py"))}
    assert rooms <= LOWER | STATIONS | {"wiring", "local"}


@pytest.mark.parametrize(
    ("path", "module", "expected"),
    [
        ("plugins/slipway/training/fit.py", "slipway.dataset.validation", False),
        ("plugins/slipway/training/fit.py", "airflow.sdk", False),
        ("plugins/slipway/training/operators.py", "slipway.release.ledger", True),
        ("plugins/slipway/training/fit.py", "slipway.release.ledger", False),
        ("plugins/slipway/rollout/docker/operators.py", "slipway.release.ledger", True),
        ("plugins/slipway/rollout/docker/target.py", "slipway.release.ledger", False),
        ("plugins/slipway/verification/trigger.py", "slipway.release.ledger", True),
        ("plugins/slipway/verification/meter.py", "slipway.release.ledger", False),
        ("plugins/slipway/rollout/docker/target.py", "airflow.sdk", False),
        ("plugins/slipway/core/column.py", "numpy", False),
        ("dags/deliver_model.py", "boto3", False),
        ("serving/model_server/app.py", "slipway.core.errors", False),
    ],
)
def test_the_check_itself_tells_right_from_wrong(path: str, module: str, expected: bool) -> None:
    assert allowed(ROOT / path, module) is expected
