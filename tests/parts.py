"""Parts of the machine that some tests need: skipped by name without them, a failure in the gate, which installs them."""

from __future__ import annotations

import os
import shutil

import pytest


def require_program(name: str) -> str:
    """The path of a program; without it the test is skipped, or fails when SLIPWAY_TEST_REQUIRE_ALL is set."""
    path = shutil.which(name)
    if path is None:
        text = f"needs {name} (apt-get install {name})"
        if os.environ.get("SLIPWAY_TEST_REQUIRE_ALL"):
            pytest.fail(text)
        pytest.skip(text)
    return path
