"""Every error Slipway raises on purpose, one class per reaction.

    SlipwayError
    ├── ConfigurationError   the model file or a setting is wrong       fail, a person edits
    ├── DeniedError          credentials missing, wrong or too weak      fail, a person grants
    ├── AbsentError          the named thing does not exist              fail, a person creates
    ├── RejectedError        the data broke a rule we were told to keep  fail, a person looks
    ├── RolloutError         the new version did not come up             fail, the old one stays
    ├── ConflictError        somebody else changed it first              retry, from fresh state
    └── UnavailableError     it did not answer, or not in time           retry, later

A caller catches the class; a person reads the text. The text always says what failed, on which object,
why, and what to do. Hooks translate an SDK's error once and chain it (`raise ... from error`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class SlipwayError(Exception):
    """Base class; raise a subclass.

    Args:
        failed: what was being done, e.g. ``"could not store the dataset"``.
        on: the object it was done to, e.g. ``"s3://slipway/iris/datasets/4f2a"``.
        why: the cause, in one clause; vendor text is cut short by the hook because it may hold secrets.
        fix: what the reader should do next.
    """

    def __init__(self, failed: str, *, on: str, why: str, fix: str) -> None:
        super().__init__(f"{failed}: {on}: {why.rstrip('.')}. {fix}")
        self.failed, self.on, self.why, self.fix = failed, on, why, fix

    def __reduce__(self) -> tuple[Any, ...]:
        """Airflow sends exceptions between processes; keyword-only arguments need help to survive that."""
        return _rebuild, (type(self), self.failed, self.on, self.why, self.fix)

    def as_json(self) -> dict[str, str]:
        """What travels where exceptions cannot: between triggerer and task, or out of a pod."""
        return {"class": type(self).__name__, "failed": self.failed, "on": self.on, "why": self.why, "fix": self.fix}

    @staticmethod
    def from_json(told: Mapping[str, str]) -> SlipwayError:
        """The error again; of a class that another version of Slipway has, the base class."""
        kind = globals().get(told["class"])
        known = kind if isinstance(kind, type) and issubclass(kind, SlipwayError) else SlipwayError
        return known(told["failed"], on=told["on"], why=told["why"], fix=told["fix"])


def _rebuild(kind: type[SlipwayError], failed: str, on: str, why: str, fix: str) -> SlipwayError:
    return kind(failed, on=on, why=why, fix=fix)


class ConfigurationError(SlipwayError):
    """The model file, a connection or a setting is wrong; nothing was tried."""


class DeniedError(SlipwayError):
    """The other side knows us and says no, or does not know us."""


class AbsentError(SlipwayError):
    """The named object does not exist."""


class ConflictError(SlipwayError):
    """A compare-and-swap lost, or somebody else holds what we need; safe to retry from fresh state."""


class UnavailableError(SlipwayError):
    """No answer, a broken answer, or none before the deadline; safe to retry later."""


class RejectedError(SlipwayError):
    """A dataset or a model broke a declared rule; retrying cannot help."""


class RolloutError(SlipwayError):
    """A new version did not become ready; the previous one keeps serving."""
