"""The command line and the environment variables of the server.

An option wins over its variable. The variables are for containers: `AIP_*` are Vertex AI's, and SageMaker starts an image
with the one argument `serve` and expects port 8080.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from model_server.errors import SettingsError
from model_server.settings import Settings

SAGEMAKER_PORT = 8080
_SECONDS = {
    "head": "what a client may take to send a request's head",
    "body": "what it may take to send a body",
    "answer": "what an answer may take; then the client gets 503",
    "idle": "how long a connection may be idle; more than the load balancer in front keeps its own",
}


@dataclass(frozen=True)
class Options:
    """Which bundle is served, where, by how many processes; `settings` is the rest."""

    bundle: Path
    digest: str
    host: str
    port: int
    fd: int | None
    ready_fd: int | None
    workers: int
    settings: Settings


def parse(arguments: list[str], environment: Mapping[str, str]) -> Options:
    """Read both.

    Raises:
        SettingsError: names the option or variable, what was found and what is allowed.
    """
    if arguments[:1] == ["serve"]:
        arguments = ["--port", str(SAGEMAKER_PORT), "--host", "0.0.0.0", *arguments[1:]]  # noqa: S104  a container's own
    given = _parser(environment).parse_args(arguments)
    if given.bundle is None or not given.digest:
        raise SettingsError("say which bundle: --bundle <folder> --digest sha256:<hex of its manifest.json>")
    settings = Settings(
        max_body_bytes=given.max_body_bytes,
        max_rows=given.max_rows,
        open_to_all=given.open,
        key_hashes=_hashes(given.key_hashes, environment),
        requests_per_second=given.requests_per_second,
        burst=given.burst,
        health_route=environment.get("AIP_HEALTH_ROUTE"),
        predict_route=environment.get("AIP_PREDICT_ROUTE"),
        access_log=not given.no_access_log,
        prediction_log=given.prediction_log,
        prediction_sample=given.prediction_sample,
        head_seconds=given.head_seconds,
        body_seconds=given.body_seconds,
        answer_seconds=given.answer_seconds,
        idle_seconds=given.idle_seconds,
    )
    if not (settings.open_to_all or settings.key_hashes):
        raise SettingsError(
            "say who may ask: --key-hashes <file> with sha256:<hex> of each API key, or --open for everyone"
        )
    if settings.open_to_all and settings.requests_per_second:
        raise SettingsError("--requests-per-second counts for each API key; with --open there is none")
    if settings.open_to_all and settings.key_hashes:
        raise SettingsError("--open and API keys exclude each other")
    return Options(
        given.bundle, given.digest, given.host, given.port, given.fd, given.ready_fd, given.workers, settings
    )


def _hashes(file: Path | None, environment: Mapping[str, str]) -> tuple[str, ...]:
    """From the file, one a line, else from SLIPWAY_API_KEY_HASHES, separated by spaces or commas."""
    if file is None:
        return tuple(environment.get("SLIPWAY_API_KEY_HASHES", "").replace(",", " ").split())
    try:
        lines = [line.strip() for line in file.read_text().splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"--key-hashes {file}: cannot be read ({error})") from error
    return tuple(line for line in lines if line and not line.startswith("#"))


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:  # type: ignore[override]
        raise SettingsError(f"{message}; --help lists the options")


def _parser(environment: Mapping[str, str]) -> argparse.ArgumentParser:
    parser = _Parser(prog="model_server", description="Serve one bundle.")
    bundle = environment.get("SLIPWAY_BUNDLE")
    parser.add_argument("--bundle", type=Path, default=Path(bundle) if bundle else None, help="the bundle's folder")
    parser.add_argument(
        "--digest", default=environment.get("SLIPWAY_BUNDLE_DIGEST"), help="sha256:<hex> of its manifest.json"
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=_port, default=environment.get("AIP_HTTP_PORT", "5000"), help="or AIP_HTTP_PORT")
    parser.add_argument("--fd", type=int, help="an inherited listening socket, instead of host and port")
    parser.add_argument("--ready-fd", type=int, help="gets one byte per worker that is ready")
    parser.add_argument(
        "--workers", type=_positive, default=environment.get("SLIPWAY_WORKERS", "1"), help="or SLIPWAY_WORKERS"
    )
    parser.add_argument("--open", action="store_true", help="everyone may ask, without an API key")
    parser.add_argument("--key-hashes", type=Path, help="a file with sha256:<hex> of each API key, one a line")
    parser.add_argument("--requests-per-second", type=_number, default=0.0, help="per key; 0: no limit")
    parser.add_argument("--burst", type=_positive, default=100, help="requests that may come at once")
    parser.add_argument("--max-body-bytes", type=_positive, default=Settings.max_body_bytes)
    parser.add_argument("--max-rows", type=_positive, default=Settings.max_rows)
    for name, text in _SECONDS.items():
        parser.add_argument(f"--{name}-seconds", type=_seconds, default=getattr(Settings, f"{name}_seconds"), help=text)
    parser.add_argument("--no-access-log", action="store_true")
    parser.add_argument("--prediction-log", type=Path, help="keep requests with their answers in this file")
    parser.add_argument("--prediction-sample", type=_share, default=1.0, help="the share of them, 0 to 1")
    return parser


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0")
    return number


def _share(text: str) -> float:
    if _number(text) > 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 1")
    return float(text)


def _seconds(text: str) -> float:
    if _number(text) == 0:
        raise argparse.ArgumentTypeError("more than 0")
    return float(text)


def _port(text: str) -> int:
    if _count(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port, 0 to 65535")
    return int(text)


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text)


def _positive(text: str) -> int:
    if _count(text) == 0:
        raise argparse.ArgumentTypeError("at least 1")
    return int(text)
