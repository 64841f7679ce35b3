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
        ("@daily", "0 25 * * *", "x.yaml:3: schedule: found '0 25 * * *', allowed: an hour of 0 to 23, not '25'"),
        ("2013-01-01", "2013-02-30", "x.yaml:4: found 2013-02-30, allowed: a date that exists (day is out of range"),
        ("2013-01-01", "soon", "x.yaml:4: start_date: found 'soon', allowed: a valid date or datetime"),
        ("[flight, tailnum]", "flight", "x.yaml:9: dataset.drop: found 'flight', allowed: a list, such as [a, b]"),
        ("target: late", "target: 2013", "x.yaml:8: dataset.target: found 2013, allowed: text; put quotes around what"),
        ("target: late", "target:", "x.yaml:8: dataset.target: found nothing, allowed: text"),
        ("{type: category}", "{categories: [no, a]}", "carrier.categories[0]: found False, allowed: text; put quotes"),
        ("{carrier:", "{2013: {}, carrier:", "x.yaml:10: dataset.columns: found 2013, allowed: text; put quotes"),
        (
            "{max_iter: 200}",
            "[max_iter]",
            "x.yaml:13: train.params: found ['max_iter'], allowed: a mapping of key: value",
        ),
        (
            "{max_iter: 200}",
            "&x {a: [*x]}",
            "x.yaml:13: train.params.a[0]: found an alias inside of what it stands for",
        ),
        (
            "  target: late",
            "\ttarget: late",
            "x.yaml:8: not valid YAML: found a tab in the indentation, allowed: spaces",
        ),
        (
            "process: {port: 5000, workers: 2}",
            "process:",
            "allowed: exactly one of process, docker, kubernetes, with {}",
        ),
        ("{type: category}", "{type: cat}", "dataset.columns.carrier.type: found 'cat', allowed: 'number', 'integer',"),
        (
            "minimum: 0}",
            "minimum: 5, maximum: 1}",
            "dataset.columns.distance: found keys that do not go together, allowed: minimum <= maximum, not 5 > 1",
        ),
        ("metric: roc_auc", "metric: 3", "x.yaml:16: gate.metric: found 3, allowed: 'accuracy', 'balanced_accuracy', "),
        (
            "metric: roc_auc",
            "metric: rocauc",
            "x.yaml:16: gate.metric: found 'rocauc', allowed: 'accuracy', 'balanced_accuracy', ",
        ),
        ("metric: roc_auc", "metric: rocauc", "'rmse' or 'mae' (did you mean 'roc_auc'?)"),
        (
            "  seed: 0",
            "  task: regression",
            "allowed: for train.task: regression a gate.metric of r2, rmse, mae, not roc_auc",
        ),
        ("HistGradientBoostingClassifier", "Hist-Gradient", "train.estimator: found 'sklearn.ensemble.Hist-Gradient'"),
        (
            "sklearn.ensemble.Hist",
            "Hist",
            "(Import path of a scikit-learn estimator class, or module:function that returns",
        ),
        (
            "203.0.113.0/24",
            "0.0.0.0/0",
            "x.yaml:22: firewall[0].aws_security_group.allow[0].cidrs: found ['0.0.0.0/0'], allowed: the networks of those",
        ),
        (
            "203.0.113.0/24",
            "0.0.0.0/0",
            "who need it; `public: true` beside `cidrs` would open it to the world",
        ),
        ("203.0.113.0/24", '"::/0"', "allow[0].cidrs: found ['::/0'], allowed: the networks of those who need it"),
        (
            "203.0.113.0/24",
            "0.0.0.0/1, 128.0.0.0/1",
            "cidrs: found ['0.0.0.0/1', '128.0.0.0/1'], allowed: the networks",
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


def test_aliases_of_aliases_are_read_once() -> None:
    """Nine levels of nine would be 400 million values."""
    levels = "".join(f"  l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 10))
    text = FLIGHTS.replace("  params: {max_iter: 200}\n", "  params: {l: 1}\nignored:\n  l0: &l0 [x]\n" + levels, 1)
    with pytest.raises(ConfigurationError, match=r"x\.yaml:14: ignored: found an unknown key"):
        parse_model_file(text, "x.yaml")


def test_an_anchor_may_be_used_again() -> None:
    text = FLIGHTS.replace("{type: category}", "&c {type: category}").replace("{nullable: true}", "*c")
    assert parse_model_file(text, "x.yaml").dataset.columns["dep_delay"].type == "category"


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


POD = "  pod: {image: registry.example.com/slipway@sha256:" + "a" * 64 + "}\n"


def test_a_pod_needs_only_its_image() -> None:
    pod = parse_model_file(FLIGHTS.replace("  seed: 0\n", POD), "x.yaml").train.pod
    assert pod is not None
    assert (pod.conn_id, pod.namespace, pod.cpu, pod.memory) == ("kubernetes_default", "default", "1", "2Gi")
    assert (pod.secret, pod.service_account, pod.pull_secret, pod.timeout_minutes) == (None, None, None, 120)


def test_a_pod_s_processors_may_be_a_number() -> None:
    for cpu in ("2", "0.5", "2.0"):
        pod = parse_model_file(
            FLIGHTS.replace("  seed: 0\n", POD.replace("}\n", f", cpu: {cpu}}}\n")), "x.yaml"
        ).train.pod
        assert pod is not None
        assert pod.cpu == cpu


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "@sha256:" + "a" * 64,
            ":latest",
            "train.pod.image: found 'registry.example.com/slipway:latest', allowed: text",
        ),
        ("}\n", ", memory: 2}\n", "train.pod.memory: found 2, allowed: text"),
        ("}\n", ", memory: 2GB}\n", "train.pod.memory: found '2GB', allowed: text that matches"),
        ("}\n", ', cpu: "0.0"}\n', "train.pod.cpu: found '0.0', allowed: text that matches"),
        ("}\n", ", secret: Store_Login}\n", "train.pod.secret: found 'Store_Login', allowed: lower-case letters"),
        (
            "}\n",
            ", namespace: Models}\n",
            "train.pod.namespace: found 'Models', allowed: at most 63 lower-case letters",
        ),
        ("}\n", ", memory: 1k}\n", "train.pod.memory: found '1k', allowed: 16Mi or more"),
        ("}\n", ", timeout_minutes: 0}\n", "train.pod.timeout_minutes: found 0, allowed: greater than 0"),
        ("}\n", ", gpu: 1}\n", "train.pod.gpu: found an unknown key, allowed: image, conn_id, namespace"),
    ],
)
def test_what_is_wrong_with_a_pod_is_named(old: str, new: str, expected: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_model_file(FLIGHTS.replace("  seed: 0\n", POD.replace(old, new)), "x.yaml")
    assert expected in str(caught.value)


def test_a_pod_does_not_see_the_worker_s_folders() -> None:
    text = FLIGHTS.replace("  seed: 0\n", POD).replace("s3://slipway", "file:///srv/slipway")
    with pytest.raises(ConfigurationError, match=r"allowed: train\.pod together with a store of s3:// or gs://"):
        parse_model_file(text, "x.yaml")
