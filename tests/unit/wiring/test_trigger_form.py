"""The Trigger button's form: it can be sent as it opens."""

from __future__ import annotations

from slipway.core.model_file import parse_model_file
from slipway.wiring.trigger_form import trigger_form

MODEL = "model: m\nstore: s3://s\ndataset: {uri: s3://i/x.csv, target: y}\ntrain: {estimator: a.B}\n"


def test_nothing_must_be_typed_before_the_form_can_be_sent() -> None:
    form = trigger_form(parse_model_file(MODEL, "m.yaml"))
    assert {name: param.resolve() for name, param in form.items()} == {
        "dataset_uri": None,
        "deploy": "newer",
        "reason": None,
    }
    # The form takes an empty text field of a type without null for one that is still to be filled in.
    assert all("null" in param.schema["type"] for param in form.values() if "enum" not in param.schema)
