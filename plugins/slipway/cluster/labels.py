"""Keys of the labels by which the objects of a model are found on a cluster, for those that make them and those that look."""

from __future__ import annotations

MODEL = "slipway.dev/model"  # the model's name, as its model file has it
TRACK = "slipway.dev/track"  # main, canary, blue or green
TRAFFIC = "slipway.dev/traffic"  # the group of pods that a Service selects
