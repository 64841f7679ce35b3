"""The signing key from Airflow connections: what is read, what is refused, and that no key shows."""

from __future__ import annotations

import json
import subprocess
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from slipway.core.errors import AbsentError, ConfigurationError
from slipway.image.keys import MAKE_PRIVATE, MAKE_PUBLIC, load_signing_key
from slipway.image.signing_hook import SigningHook
from tests.unit.image.openssl import make_key, openssl, public_of


def key_id() -> str:
    return load_signing_key(make_key(), on="a test").public.key_id


def define(monkeypatch: pytest.MonkeyPatch, **connection: object) -> SigningHook:
    monkeypatch.setenv("AIRFLOW_CONN_SIGNING", json.dumps({"conn_type": "generic", **connection}))
    return SigningHook("signing")


@pytest.mark.parametrize(
    "connection",
    [
        lambda: {"password": make_key()},
        lambda: {"password": make_key().replace("\n", " ")},
        lambda: {"extra": {"private_key": make_key()}},
        lambda: {"password": make_key(), "extra": {"public_key": public_of(make_key())}},
        lambda: {
            "password": openssl("pkcs8", "-topk8", "-passout", "pass:a b", data=make_key().encode()).decode(),
            "extra": {"passphrase": "a b"},
        },
    ],
    ids=["password", "one line", "extra", "both halves", "encrypted"],
)
def test_the_key_is_read_from_where_it_is(
    monkeypatch: pytest.MonkeyPatch, connection: Callable[[], dict[str, object]]
) -> None:
    hook = define(monkeypatch, **connection())
    assert hook.get_signing_key().public.key_id == key_id()
    assert hook.get_verifying_key().key_id == key_id()


def test_the_public_key_alone_is_enough_to_verify_and_not_to_sign(monkeypatch: pytest.MonkeyPatch) -> None:
    hook = define(monkeypatch, extra={"public_key": public_of(make_key())})
    assert hook.get_verifying_key().key_id == key_id()
    with pytest.raises(ConfigurationError, match=r"connection signing: neither its password nor .*openssl genpkey"):
        hook.get_signing_key()


def test_an_empty_connection_is_refused_with_how_to_make_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = r"connection signing: its extra has no public_key.*openssl genpkey -algorithm EC .*openssl pkey -in"
    with pytest.raises(ConfigurationError, match=expected):
        define(monkeypatch).get_verifying_key()


def test_two_halves_that_do_not_belong_together_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    hook = define(monkeypatch, password=make_key(), extra={"public_key": public_of(make_key("P-256", 1))})
    with pytest.raises(ConfigurationError, match="its public_key is not that of its private key"):
        hook.get_signing_key()


def test_without_a_connection_the_text_says_how_to_make_one() -> None:
    with pytest.raises(AbsentError, match=r"connection nowhere: there is none\. Add it with a private key as password"):
        SigningHook("nowhere").get_signing_key()


def test_no_key_shows_in_an_error_or_in_the_hook(monkeypatch: pytest.MonkeyPatch) -> None:
    hook = define(monkeypatch, password=make_key(), extra={"passphrase": "hunter2-secret"})
    with pytest.raises(ConfigurationError) as caught:
        hook.get_signing_key()
    shown = "".join(traceback.format_exception(caught.value)) + repr(hook) + repr(vars(hook))
    assert make_key().splitlines()[1] not in shown
    assert "hunter2-secret" not in shown


def test_nothing_is_read_before_a_key_is_asked_for() -> None:
    SigningHook("nowhere")


def test_the_commands_that_errors_name_make_keys_that_work(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for command in (MAKE_PRIVATE, MAKE_PUBLIC):
        subprocess.run(command.split(), cwd=tmp_path, check=True, capture_output=True)
    hook = define(
        monkeypatch,
        password=(tmp_path / "signing.key").read_text(),
        extra={"public_key": (tmp_path / "signing.pub").read_text()},
    )
    assert hook.get_signing_key().public.key_id == hook.get_verifying_key().key_id
