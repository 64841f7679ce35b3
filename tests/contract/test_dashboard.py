"""The dashboard in .compose/ asks for what the model server has: every metric and every label that it names."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.bundle_maker import make_bundle
from tests.server_process import ROW, ServerProcess, listen

ROOT = Path(__file__).parents[2]
DASHBOARD: dict[str, Any] = json.loads((ROOT / ".compose/grafana/dashboards/model-server.json").read_text())
QUERIES = {
    f"{panel['title']} {target['refId']}": target["expr"]
    for panel in DASHBOARD["panels"]
    for target in panel["targets"]
}
BY_PROMETHEUS = {"model", "job", "instance", "le"}  # labels that the scrape adds, and the histogram's own


@pytest.fixture(scope="module")
def families(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """The labels of every metric of a server that has answered something."""
    import urllib.request

    folder = tmp_path_factory.mktemp("server")
    digest = make_bundle(folder / "bundle", name="watched")
    listener = listen()
    server = ServerProcess(folder, folder / "bundle", digest, "--open", workers=1, listener=listener).wait_until_ready()
    try:
        base = f"http://127.0.0.1:{server.port}"
        body = json.dumps({"features": ROW}).encode()
        urllib.request.urlopen(
            urllib.request.Request(f"{base}/predict", body, {"Content-Type": "application/json"})
        ).close()
        text = urllib.request.urlopen(f"{base}/metrics").read().decode()
    finally:
        server.process.terminate()
        server.process.wait(20)
        listener.close()
    found: dict[str, set[str]] = {}
    for name, labels in re.findall(r"^([a-z_]+)(?:\{(.*)\})? ", text, re.MULTILINE):
        found.setdefault(name, set()).update(re.findall(r'(\w+)="', labels))
    return found


@pytest.mark.parametrize("name", QUERIES)
def test_every_metric_of_a_query_is_the_servers(families: dict[str, set[str]], name: str) -> None:
    named = set(re.findall(r"\bslipway_\w+", QUERIES[name]))
    assert named or "up{" in QUERIES[name]
    assert named <= set(families)


@pytest.mark.parametrize("name", QUERIES)
def test_every_label_of_a_query_is_on_its_metrics(families: dict[str, set[str]], name: str) -> None:
    query = QUERIES[name]
    there = set().union(*(families[metric] for metric in re.findall(r"\bslipway_\w+", query)), BY_PROMETHEUS)
    grouped = {label.strip() for group in re.findall(r"\b(?:by|on) \(([^)]*)\)", query) for label in group.split(",")}
    matched = set(re.findall(r'[{,]\s*(\w+)[=!]~?"', query))
    assert grouped | matched <= there


def test_the_dashboard_shows_every_metric_that_the_server_has(families: dict[str, set[str]]) -> None:
    shown = set(re.findall(r"\bslipway_\w+", " ".join(QUERIES.values())))
    assert set(families) <= shown
