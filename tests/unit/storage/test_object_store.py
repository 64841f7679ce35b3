from __future__ import annotations

import pytest

from slipway.core.errors import ConfigurationError
from slipway.storage.object_store import open_object, open_store, split_uri


@pytest.mark.parametrize(
    ("uri", "parts"),
    [
        ("s3://bucket/some/key", ("s3", "bucket", "some/key")),
        ("gs://bucket", ("gs", "bucket", "")),
        ("file:///srv/data", ("file", "", "/srv/data")),
        ("inbox/iris.csv", ("file", "", "inbox/iris.csv")),
        ("https://host:8443/a?b=c", ("https", "host:8443", "a?b=c")),
    ],
)
def test_a_uri_falls_into_scheme_host_and_key(uri: str, parts: tuple[str, str, str]) -> None:
    assert split_uri(uri) == parts


def test_an_unknown_scheme_is_refused_with_what_is_allowed() -> None:
    with pytest.raises(ConfigurationError) as caught:
        open_store("abfs://container/models")
    assert str(caught.value) == (
        "could not open the store: abfs://container/models: no store for the scheme 'abfs' in this version. "
        "Use s3://, gs://, file:// or a path (https:// to read a dataset)."
    )


def test_a_file_is_opened_in_its_folder() -> None:
    store, key = open_object("/srv/inbox/iris.csv")
    assert (store.uri, key) == ("/srv/inbox", "iris.csv")


@pytest.mark.parametrize(
    ("uri", "why"),
    [
        ("", "it names no file"),
        ("s3://bucket", "it names no file"),
        ("s3://", "it names no file"),
        ("s3:///key.csv", "s3:// is followed by the name of a bucket or a host"),
        ("https://host:port/a.csv", "host:port is no host and port (Port could not be cast to integer"),
        ("a\0b.csv", "it holds a character that no name has"),
        ("s3://buck\net/a.csv", "it holds a character that no name has"),
    ],
)
def test_what_cannot_be_the_address_of_a_file_is_refused(uri: str, why: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        open_object(uri)
    assert str(caught.value).startswith(f"could not tell which file is meant: {uri!r}: {why}")


@pytest.mark.parametrize(
    "uri", ['/data/it\'s "here"/ä b.csv', "s3://bucket/größe/日本 +&=@.csv", "https://host:8443/a?b=c"]
)
def test_a_name_may_hold_blanks_quotes_and_any_letter(uri: str) -> None:
    assert open_object(uri)[1]
