"""Airflow's plugin scan executes every .py it sees under plugins/ and registers it under its bare file name.

A module of ours called `process.py` or `docker.py` would so hijack `import docker` for the whole process; the
`.airflowignore` keeps the scan out of the package.
"""

from __future__ import annotations

from pathlib import Path

from airflow.sdk._shared.module_loading import find_path_from_directory

PLUGINS = Path(__file__).parents[2] / "plugins"


def test_the_scan_sees_nothing_of_the_package() -> None:
    seen = {
        Path(path).relative_to(PLUGINS) for path in find_path_from_directory(str(PLUGINS), ".airflowignore", "glob")
    }
    python = {path for path in seen if path.suffix == ".py"}
    assert not {path for path in python if path.parts[0] == "slipway"}


def test_without_the_ignore_file_the_scan_would_see_it(tmp_path: Path) -> None:
    """Shows that the test above can fail."""
    (tmp_path / "slipway").mkdir()
    (tmp_path / "slipway" / "docker.py").touch()
    assert [Path(path).name for path in find_path_from_directory(str(tmp_path), ".airflowignore", "glob")] == [
        "docker.py"
    ]
