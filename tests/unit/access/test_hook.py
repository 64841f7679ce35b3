"""API keys from Airflow connections: what is read, what is refused, and that no key shows."""

from __future__ import annotations

import json

import pytest

from slipway.access.api_keys import key_hash
from slipway.access.hook import ApiKeyHook
from slipway.core.errors import AbsentError, ConfigurationError

KEY = "a-key-of-thirty-two-characters--"
OTHER = key_hash("another")


def define(monkeypatch: pytest.MonkeyPatch, **connection: object) -> ApiKeyHook:
    monkeypatch.setenv("AIRFLOW_CONN_MODEL_KEYS", json.dumps({"conn_type": "generic", **connection}))
    return ApiKeyHook("model_keys")


def test_the_password_is_the_own_key_and_the_server_gets_hashes_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = define(monkeypatch, password=KEY, extra={"key_hashes": [OTHER]}).get_keys()
    assert keys.own == KEY
    assert keys.hashes == tuple(sorted([key_hash(KEY), OTHER]))
    assert KEY not in repr(keys)


def test_without_a_connection_the_text_says_how_to_make_one() -> None:
    with pytest.raises(AbsentError) as caught:
        ApiKeyHook("nowhere").get_keys()
    text = str(caught.value)
    assert text.startswith("could not read the API keys: connection nowhere: there is none. Add it with a password")
    assert "`access: {open: true}`" in text


def test_a_short_key_is_refused_without_being_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match="its password has 6 characters, allowed: 24 or more") as caught:
        define(monkeypatch, password="secret").get_keys()
    assert "secret'" not in str(caught.value).replace("import secrets", "")


@pytest.mark.parametrize("hashes", [["sha256:abc"], "sha256:" + "0" * 64, [KEY], [None]])
def test_hashes_that_are_none_are_refused(monkeypatch: pytest.MonkeyPatch, hashes: object) -> None:
    with pytest.raises(ConfigurationError, match="its extra key_hashes is no list of sha256:<64 hex digits>"):
        define(monkeypatch, password=KEY, extra={"key_hashes": hashes}).get_keys()
