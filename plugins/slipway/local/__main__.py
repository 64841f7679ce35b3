"""`python -m slipway.local`: what the Makefile calls."""

from __future__ import annotations

import argparse
import os
import sys
from datetime import date

from slipway.core.errors import SlipwayError
from slipway.local.console import complain, say
from slipway.local.layout import Layout
from slipway.local.profile import Profile, admin_password_hint


def main(arguments: list[str]) -> int:
    """Run one command; an error is one readable text on stderr and exit code 1."""
    options = _parser().parse_args(arguments)
    os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = (
        "ERROR"  # of the libraries in this process; the parts have log files
    )
    profile = Profile(Layout.from_environment())
    try:
        options.run(profile, options)
    except SlipwayError as error:
        complain(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        complain("interrupted; what was started goes on, make stop ends it")
        return 130
    return 0


def _up(profile: Profile, _options: argparse.Namespace) -> None:
    api = profile.up()
    say(f"airflow: {api.url} ({admin_password_hint(profile.layout)})")


def _down(profile: Profile, _options: argparse.Namespace) -> None:
    ended = profile.down()
    say(f"ended {', '.join(ended)}; the data stays in {profile.layout.home}" if ended else "nothing was running")


def _status(profile: Profile, _options: argparse.Namespace) -> None:
    for service in profile.services():
        process = service.find()
        say(f"{service.name:14} {f'running, pid {process.pid}' if process else 'not running':22} {service.log}")


def _demo(profile: Profile, options: argparse.Namespace) -> None:
    from slipway.local.demo import run_demo

    run_demo(profile, options.model, options.date)


def _backfill(profile: Profile, options: argparse.Namespace) -> None:
    from slipway.local.backfill import Span, run_backfill

    span = Span(options.first, options.last, options.reverse, options.parallel, options.reprocess)
    run_backfill(profile, options.model, span)


def _day(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date like 2013-01-05") from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="slipway.local", description="The embedded profile of Slipway.")
    commands = parser.add_subparsers(required=True)
    commands.add_parser("up", help="start what is not running").set_defaults(run=_up)
    commands.add_parser("down", help="end all of it and only it").set_defaults(run=_down)
    commands.add_parser("status", help="what runs where").set_defaults(run=_status)
    demo = commands.add_parser("demo", help="deliver a model once")
    demo.add_argument("model")
    demo.add_argument("--date", type=_day, help="the logical date of the run")
    demo.set_defaults(run=_demo)
    backfill = commands.add_parser("backfill", help="deliver past partitions")
    backfill.add_argument("model")
    backfill.add_argument("--from", dest="first", type=_day, required=True)
    backfill.add_argument("--to", dest="last", type=_day, required=True)
    backfill.add_argument("--reverse", action="store_true")
    backfill.add_argument("--parallel", type=int, default=1)
    backfill.add_argument("--reprocess", choices=["none", "completed", "failed"], default="none")
    backfill.set_defaults(run=_backfill)
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
