from __future__ import annotations

from pathlib import Path

import pytest

from model_server.errors import SettingsError
from model_server.options import parse

HASH = "sha256:" + "0" * 64
BUNDLE = ["--bundle", "/b", "--digest", "sha256:1"]


def test_options_win_over_variables() -> None:
    environment = {
        "SLIPWAY_BUNDLE": "/from/environment",
        "SLIPWAY_BUNDLE_DIGEST": "sha256:2",
        "SLIPWAY_WORKERS": "3",
        "SLIPWAY_API_KEY_HASHES": f"{HASH}, {HASH}",
        "AIP_HTTP_PORT": "8081",
        "AIP_HEALTH_ROUTE": "/health",
        "AIP_PREDICT_ROUTE": "/vertex",
    }
    options = parse([], environment)
    assert (str(options.bundle), options.digest, options.port, options.workers) == (
        "/from/environment",
        "sha256:2",
        8081,
        3,
    )
    assert (options.settings.health_route, options.settings.predict_route) == ("/health", "/vertex")
    assert options.settings.key_hashes == (HASH, HASH)
    given = parse([*BUNDLE, "--port", "1", "--workers", "2"], environment)
    assert (str(given.bundle), given.digest, given.port, given.workers) == ("/b", "sha256:1", 1, 2)


def test_sagemaker_starts_an_image_with_one_word() -> None:
    options = parse(["serve", *BUNDLE, "--open"], {})
    assert (options.host, options.port) == ("0.0.0.0", 8080)
    assert parse([*BUNDLE, "--open"], {}).host == "127.0.0.1"


def test_key_hashes_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "hashes"
    file.write_text(f"# the teams\n\n{HASH}\n  # one more\n  {HASH}\n")
    assert parse([*BUNDLE, "--key-hashes", str(file)], {}).settings.key_hashes == (HASH, HASH)


def test_times_are_options() -> None:
    times = ["--head-seconds", "1", "--body-seconds", "2.5", "--answer-seconds", "3", "--idle-seconds", "4"]
    found = parse([*BUNDLE, "--open", *times], {}).settings
    assert (found.head_seconds, found.body_seconds, found.answer_seconds, found.idle_seconds) == (1, 2.5, 3, 4)


@pytest.mark.parametrize(
    ("arguments", "environment", "text"),
    [
        (["--open"], {}, "say which bundle"),
        (["--open", "--bundle", "/b"], {}, "say which bundle"),
        (BUNDLE, {}, "say who may ask: --key-hashes <file>"),
        ([*BUNDLE, "--open"], {"SLIPWAY_API_KEY_HASHES": HASH}, "exclude each other"),
        ([*BUNDLE, "--open", "--requests-per-second", "5"], {}, "counts for each API key"),
        ([*BUNDLE, "--open", "--what"], {}, "unrecognized arguments: --what; --help lists the options"),
        ([*BUNDLE, "--open", "--port", "x"], {}, "--port: 'x' is not a whole number"),
        ([*BUNDLE, "--open", "--port", "65536"], {}, "--port: '65536' is not a port"),
        ([*BUNDLE, "--open"], {"AIP_HTTP_PORT": "http"}, "--port: 'http' is not a whole number"),
        ([*BUNDLE, "--open"], {"SLIPWAY_WORKERS": "0"}, "--workers: at least 1"),
        ([*BUNDLE, "--open", "--workers", "-1"], {}, "--workers: '-1' is not a whole number"),
        ([*BUNDLE, "--open", "--max-rows", "0"], {}, "--max-rows: at least 1"),
        ([*BUNDLE, "--open", "--requests-per-second", "-1"], {}, "--requests-per-second: '-1' is not a number from 0"),
        ([*BUNDLE, "--open", "--requests-per-second", "nan"], {}, "'nan' is not a number from 0"),
        ([*BUNDLE, "--open", "--requests-per-second", "inf"], {}, "'inf' is not a number from 0"),
        ([*BUNDLE, "--open", "--prediction-sample", "1.1"], {}, "'1.1' is not a number from 0 to 1"),
        ([*BUNDLE, "--open", "--body-seconds", "0"], {}, "--body-seconds: more than 0"),
        ([*BUNDLE, "--key-hashes", "/nowhere"], {}, "--key-hashes /nowhere: cannot be read"),
    ],
)
def test_what_is_wrong_is_named(arguments: list[str], environment: dict[str, str], text: str) -> None:
    with pytest.raises(SettingsError, match=text):
        parse(arguments, environment)
