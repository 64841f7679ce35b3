"""A wrong model file gives one error that names the file, the line, the key, what was found and what is allowed."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from slipway.core.errors import ConfigurationError
from slipway.core.model_file import parse_model_file
from slipway.core.model_file_schema import schema_text

MODELS = Path(__file__).parents[3] / "dags" / "models"

FLIGHTS = """\
model: flights
owner: analytics
schedule: "@daily"
start_date: 2013-01-01
store: s3://slipway
dataset:
  uri: s3://inbox/flights/{{ ds }}.csv
  target: late
  drop: [flight, tailnum]
  columns: {carrier: {type: category}, distance: {type: number, minimum: 0}, dep_delay: {nullable: true}}
train:
  estimator: sklearn.ensemble.HistGradientBoostingClassifier
  params: {max_iter: 200}
  holdout: 0.2
  seed: 0
gate: {metric: roc_auc, minimum: 0.6, champion: not_worse, approval: none}
image: {repository: registry.example.com/flights}
deploy:
  - process: {port: 5000, workers: 2}
  - kubernetes: {namespace: models, replicas: 2}
firewall:
  - aws_security_group: {name: flights-serving, allow: [{port: 443, cidrs: [203.0.113.0/24]}]}
https: {domain: flights.example.com, email: ops@example.com}
"""


def test_the_design_s_model_file_is_read_whole() -> None:
    model = parse_model_file(FLIGHTS, "models/flights.yaml")
    assert model.dag_id == "deliver_flights"
    assert model.start_date == date(2013, 1, 1)
    assert model.dataset.columns["distance"].minimum == 0
    assert [deployment.kind for deployment in model.deploy] == ["process", "kubernetes"]
    assert model.firewall[0].aws_security_group is not None
    assert model.firewall[0].aws_security_group.allow[0].cidrs == ("203.0.113.0/24",)
    assert model.https is not None


@pytest.mark.parametrize("path", sorted(MODELS.glob("*.yaml")), ids=lambda path: path.name)
def test_the_shipped_model_files_are_sound(path: Path) -> None:
    assert parse_model_file(path.read_text(), path.name).model == path.stem


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("holdout: 0.2", "holdout: 1.5", "x.yaml:14: train.holdout: found 1.5, allowed: less than 1"),
        ("  seed: 0", "  sed: 0", "x.yaml:15: train.sed: found an unknown key, allowed: estimator, params, task, "),
        ("  seed: 0", "  sed: 0", "(did you mean 'seed'?)"),
        ("s3://slipway", "ftp://x", "x.yaml:5: store: found 'ftp://x', allowed: one of s3://, gs://, abfs://, file://"),
        (
            "port: 443",
            "port: 0",
            "firewall[0].aws_security_group.allow[0].port: found 0, allowed: greater than or equal to 1",
        ),
        ("203.0.113.0/24", "203.0.113.1/24", "allow[0].cidrs[0]: found '203.0.113.1/24', allowed: a network in CIDR"),
        ("  target: late\n", "", "x.yaml:6: dataset.target: found nothing, allowed: a value, the key is required"),
        (
            "target: late",
            "target: flight",
            "dataset: found keys that do not go together, allowed: a drop list without the target column 'flight'",
        ),
        ("model: flights", "model: fl_ights", "x.yaml:1: model: found 'fl_ights', allowed: text that matches"),
        ("owner: analytics", "model: other", "x.yaml:2: model: found twice (first on line 1), allowed: once"),
        ("workers: 2", "wrkers: 2", "deploy[0].process.wrkers: found an unknown key, allowed: port, workers"),
        ("- process:", "- proces:", "deploy[0].proces: found an unknown key, allowed: process, docker, kubernetes"),
        (
            "- kubernetes: {namespace: models, replicas: 2}",
            "- process: {}",
            "each target of deploy once, not process twice",
        ),
        (
            "start_date: 2013-01-01\n",
            "",
            "the file: found keys that do not go together, allowed: a schedule together with a start_date",
        ),
        (
            "image: {repository: registry.example.com/flights}\n",
            "",
            "allowed: deploy: kubernetes together with image.repository",
        ),
        (
            "@daily",
            "@dayly",
            "x.yaml:3: schedule: found '@dayly', allowed: a cron expression of five fields, or one of",
        ),
        ("{type: category}", "{type: cat}", "dataset.columns.carrier.type: found 'cat', allowed: 'number', 'integer',"),
        (
            "minimum: 0}",
            "minimum: 5, maximum: 1}",
            "dataset.columns.distance: found keys that do not go together, allowed: minimum <= maximum, not 5 > 1",
        ),
        ("metric: roc_auc", "metric: 3", "x.yaml:16: gate.metric: found 3, allowed: a valid string"),
        ("HistGradientBoostingClassifier", "Hist-Gradient", "train.estimator: found 'sklearn.ensemble.Hist-Gradient'"),
        (
            "203.0.113.0/24",
            "0.0.0.0/0",
            "x.yaml:22: firewall[0].aws_security_group.allow[0].cidrs: found a list of 1, allowed: the networks of those",
        ),
        (
            "203.0.113.0/24",
            "0.0.0.0/0",
            "who need it; `public: true` beside `cidrs` would open it to the world",
        ),
        ("203.0.113.0/24", '"::/0"', "allow[0].cidrs: found a list of 1, allowed: the networks of those who need it"),
        (
            "203.0.113.0/24",
            "0.0.0.0/1, 128.0.0.0/1",
            "cidrs: found a list of 2, allowed: the networks",
        ),
        ("model: flights", ": : [", "x.yaml:1: not valid YAML: "),
        ("name: flights-serving", "name: sg-1", "aws_security_group.name: found 'sg-1', allowed: 1 to 255 of letters"),
        ("ops@example.com", "ops", "x.yaml:23: https.email: found 'ops', allowed: text that matches"),
    ],
)
def test_an_error_names_line_key_found_and_allowed(old: str, new: str, expected: str) -> None:
    assert old in FLIGHTS
    with pytest.raises(ConfigurationError) as caught:
        parse_model_file(FLIGHTS.replace(old, new, 1), "x.yaml")
    assert expected in str(caught.value)
    assert str(caught.value).startswith("could not read the model file: x.yaml:")
    assert "Correct the file" in str(caught.value)


@pytest.mark.parametrize("sources", ["0.0.0.0/0", '"::/0"', "0.0.0.0/1, 128.0.0.0/1"])
def test_the_world_may_come_in_where_the_file_says_public(sources: str) -> None:
    text = FLIGHTS.replace("[203.0.113.0/24]", f"[{sources}], public: true")
    [firewall] = parse_model_file(text, "x.yaml").firewall
    assert firewall.aws_security_group is not None
    assert firewall.aws_security_group.allow[0].public


def test_all_problems_come_at_once_in_the_order_of_lines() -> None:
    text = FLIGHTS.replace("holdout: 0.2", "holdout: 2").replace("s3://slipway", "x://y")
    with pytest.raises(ConfigurationError, match=r"x\.yaml:5: store: .*; line 14: train\.holdout: "):
        parse_model_file(text, "x.yaml")


@pytest.mark.parametrize("text", ["", "just text", "- a\n- b\n"])
def test_a_file_that_is_no_mapping_is_one_error(text: str) -> None:
    with pytest.raises(ConfigurationError, match="allowed: a mapping that starts with 'model: <name>'"):
        parse_model_file(text, "x.yaml")


def test_the_schema_beside_the_model_files_is_current() -> None:
    """`make schema` writes it."""
    assert (MODELS / "model_file.schema.json").read_text() == schema_text()
