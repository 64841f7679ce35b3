"""The error tree: texts that name the object, and exceptions that survive a process boundary."""

from __future__ import annotations

import pickle

import pytest

from slipway.core import errors


def test_the_text_says_what_failed_on_what_why_and_what_to_do() -> None:
    error = errors.AbsentError("could not read", on="s3://inbox/a.csv", why="no such key.", fix="Upload it.")
    assert str(error) == "could not read: s3://inbox/a.csv: no such key. Upload it."


@pytest.mark.parametrize("kind", errors.SlipwayError.__subclasses__())
def test_an_error_survives_pickling(kind: type[errors.SlipwayError]) -> None:
    error = kind("a", on="b", why="c", fix="d")
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.on) == (kind, str(error), "b")


def test_every_error_has_one_reaction() -> None:
    """A new class must be given a retry rule; an unmapped one would be retried by default without anybody deciding so."""
    from slipway.wiring.defaults import RETRY_POLICY

    mapped = {kind for rule in RETRY_POLICY.rules for kind in rule.exception}
    assert mapped == set(errors.SlipwayError.__subclasses__())
