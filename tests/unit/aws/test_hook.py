"""Clients from an Airflow connection: its options win over our limits, and asking again costs nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from slipway.aws import hook
from slipway.aws.hook import aws_client, make_clients_ahead


def connection(monkeypatch: pytest.MonkeyPatch, password: str = "a-secret", **extra: Any) -> None:
    text = json.dumps({"conn_type": "aws", "login": "an-id", "password": password, "extra": extra})
    monkeypatch.setenv("AIRFLOW_CONN_AWS_TEST", text)


def test_a_client_is_what_its_connection_says(monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"s3": {"addressing_style": "path"}, "read_timeout": 7}
    connection(
        monkeypatch, region_name="eu-central-1", endpoint_url="http://127.0.0.1:9", verify=False, config_kwargs=options
    )
    client = aws_client("s3", "aws_test")
    assert client.meta.endpoint_url == "http://127.0.0.1:9"
    assert client.meta.region_name == "eu-central-1"
    assert client.meta.config.s3["addressing_style"] == "path"
    assert (client.meta.config.read_timeout, client.meta.config.connect_timeout) == (7, 10)
    assert aws_client("ec2", "aws_test", "us-west-2").meta.region_name == "us-west-2"


def test_one_client_serves_all_as_long_as_the_connection_stays_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    connection(monkeypatch, region_name="us-east-1")
    first = aws_client("s3", "aws_test")
    assert aws_client("s3", "aws_test") is first
    assert aws_client("ec2", "aws_test") is not first
    connection(monkeypatch, password="another-secret", region_name="us-east-1")
    rotated = aws_client("s3", "aws_test")
    assert rotated is not first
    assert rotated._request_signer._credentials.secret_key == "another-secret"


def test_keys_from_elsewhere_are_looked_up_anew(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A profile's keys are renewed in its file, while a triggerer lives on."""
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    extra = {"profile_name": "team", "region_name": "us-east-1"}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_TEST", json.dumps({"conn_type": "aws", "extra": extra}))
    for secret in ("first-secret", "second-secret"):
        (tmp_path / "credentials").write_text(f"[team]\naws_access_key_id = an-id\naws_secret_access_key = {secret}\n")
        assert aws_client("s3", "aws_test")._request_signer._credentials.secret_key == secret


def test_only_clients_that_are_kept_are_made_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a role AWS would be asked at once: whoever makes clients ahead must not wait for that."""
    made: list[str] = []
    monkeypatch.setattr(hook, "_new_client", lambda _hook, service: made.append(service))
    connection(monkeypatch, password="of-a-role", role_arn="arn:aws:iam::1:role/r", region_name="us-east-1")
    make_clients_ahead("aws_test", ["s3"])
    assert made == []
    connection(monkeypatch, password="of-its-own", region_name="us-east-1")
    monkeypatch.setattr(hook, "_made", {})
    make_clients_ahead("aws_test", ["s3", "ec2"])
    aws_client("s3", "aws_test")
    assert made == ["s3", "ec2"]
