from __future__ import annotations

import base64
import hashlib

import pytest

from model_server.api_keys import ApiKeys
from model_server.errors import SettingsError

KEYS = ["first-key", "second-key", "schlüssel"]


def hash_of(key: str) -> str:
    return f"sha256:{hashlib.sha256(key.encode('latin-1')).hexdigest()}"


def basic(text: bytes) -> str:
    return "Basic " + base64.b64encode(text).decode()


@pytest.fixture
def keys() -> ApiKeys:
    return ApiKeys(map(hash_of, KEYS))


@pytest.mark.parametrize(
    ("header", "value", "place"),
    [
        ("HTTP_AUTHORIZATION", "Bearer first-key", 0),
        ("HTTP_AUTHORIZATION", "bearer  second-key ", 1),
        ("HTTP_AUTHORIZATION", basic(b"anyone:second-key"), 1),
        ("HTTP_AUTHORIZATION", basic(b":first-key"), 0),
        ("HTTP_X_API_KEY", "second-key", 1),
        ("HTTP_X_API_KEY", "schlüssel", 2),
        ("HTTP_X_API_KEY", "first-key,first-key", None),
        ("HTTP_X_API_KEY", "third-key", None),
        ("HTTP_X_API_KEY", hash_of("first-key"), None),
        ("HTTP_AUTHORIZATION", "first-key", None),
        ("HTTP_AUTHORIZATION", "Bearer", None),
        ("HTTP_AUTHORIZATION", "Digest first-key", None),
        ("HTTP_AUTHORIZATION", "Basic", None),
        ("HTTP_AUTHORIZATION", "Basic first-key", None),
        ("HTTP_AUTHORIZATION", "Basic \xe9\xff", None),
        ("HTTP_AUTHORIZATION", basic(b"first-key"), None),
        ("HTTP_COOKIE", "first-key", None),
    ],
)
def test_where_a_key_may_stand(keys: ApiKeys, header: str, value: str, place: int | None) -> None:
    assert keys.find({header: value}) == place


def test_a_key_s_name_in_logs_is_a_piece_of_its_hash(keys: ApiKeys) -> None:
    assert keys.name(1) == hash_of("second-key")[7:15]
    assert len(keys) == 3


@pytest.mark.parametrize("wrong", ["secret", "sha256:abc", "SHA256:" + "0" * 64, hash_of("x") + "\n" + hash_of("y")])
def test_a_key_itself_is_no_hash_and_is_not_repeated(wrong: str) -> None:
    with pytest.raises(SettingsError, match="API key hash 2: allowed: sha256: and 64 hex digits") as caught:
        ApiKeys([hash_of("x"), wrong])
    assert wrong not in str(caught.value)
    with pytest.raises(SettingsError, match="no API key is known"):
        ApiKeys([])
