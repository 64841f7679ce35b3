"""Where endpoints listen, as the machine's environment says."""

from __future__ import annotations

import pytest

from slipway.core.errors import ConfigurationError
from slipway.rollout.process.listening import ANY_PORT_ON_LOOPBACK, Listening


def test_without_a_word_it_is_any_port_on_loopback() -> None:
    assert Listening.from_environment({}) == ANY_PORT_ON_LOOPBACK
    assert ANY_PORT_ON_LOOPBACK.address == "127.0.0.1"
    assert ANY_PORT_ON_LOOPBACK.candidates(0) == [0]


def test_a_free_port_is_one_of_the_range_and_a_named_one_is_taken_as_it_is() -> None:
    listening = Listening.from_environment({"SLIPWAY_SERVING_ADDRESS": "0.0.0.0", "SLIPWAY_SERVING_PORTS": "5000-5002"})
    assert listening.address == "0.0.0.0"
    assert listening.candidates(0) == [5000, 5001, 5002]
    assert listening.candidates(7000) == [7000]


@pytest.mark.parametrize("text", ["5000", "5009-5000", "0-10", "5000-65536", "a-b", "-", "5000-5001-5002"])
def test_what_is_no_range_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"SLIPWAY_SERVING_PORTS.*5000-5009"):
        Listening.from_environment({"SLIPWAY_SERVING_PORTS": text})
