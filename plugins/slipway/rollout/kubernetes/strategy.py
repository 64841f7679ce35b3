"""What to do next so that a version serves: a pure function of what is there, whatever was done before.

A rollout asks again and again: it observes, does the one step that it is told, and observes anew, until it is told to wait or
that it is done. Nothing is remembered between two steps, so that a rollout that was killed anywhere goes on where it is, and
undo is no other thing than a rollout of the champion.

The model's pods are in Deployments, one for each *track*. `main` is all that a rolling update needs; a canary stands beside
it; `blue` and `green` take turns. Two things hold at every step, and test_strategy.py tries to break them: traffic is led only
to a track all of whose pods are ready, and what serves is neither shrunk nor removed before its successor is ready and has
the traffic.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from slipway.rollout.kubernetes.names import Track

StrategyKind = Literal["rolling", "canary", "blue_green"]
Weights = Mapping[Track, int]


@dataclass(frozen=True)
class TrackState:
    """One track's Deployment.

    Attributes:
        version_id: the version that it is to run.
        replicas: pods that it wants.
        ready: pods of that version which are available.
        complete: whether all its pods are of that version and available, and no other is left.
    """

    version_id: str
    replicas: int
    ready: int
    complete: bool


@dataclass(frozen=True)
class Situation:
    """All that a step is decided from.

    Attributes:
        tracks: the Deployments that there are.
        weights: the percentage of the traffic that each track's Service is given; empty: there is no Service yet.
        address: whether the endpoint has an address; where it needs one from the cloud, whether that was asked for one.
    """

    tracks: Mapping[Track, TrackState]
    weights: Weights
    address: Literal["there", "asked for", "not asked for"] = "there"

    @property
    def serving(self) -> Track | None:
        """The track that has the traffic, or shares it with a canary; None: there is no Service yet."""
        return next((track for track in self.weights if track != "canary"), None)

    def runs(self, track: Track | None, version_id: str) -> bool:
        """Whether the track is to run that version, ready or not."""
        return track is not None and track in self.tracks and self.tracks[track].version_id == version_id

    def complete(self, track: Track, version_id: str) -> bool:
        """Whether the track runs that version with all its pods."""
        return self.runs(track, version_id) and self.tracks[track].complete


@dataclass(frozen=True)
class Deploy:
    """Have the track run the version; `replicas` None: as many as the model file wants."""

    track: Track
    replicas: int | None = None


@dataclass(frozen=True)
class Await:
    """Wait for the track's pods, or (None) for the endpoint's address."""

    track: Track | None


@dataclass(frozen=True)
class Route:
    """Lead the traffic like this."""

    weights: Weights


@dataclass(frozen=True)
class Ready:
    """The track's pods are as they should be, and nothing else is to be done yet."""

    track: Track


@dataclass(frozen=True)
class Done:
    """The track has all of the traffic; what else there is of ours may go, unless `keep`."""

    track: Track
    keep: bool = False


@dataclass(frozen=True)
class Skip:
    """There is nothing to do, for this reason."""

    reason: str


Action = Deploy | Await | Route | Ready | Done | Skip


def canary_replicas(percent: int, stable: int, *, weighted: bool) -> int:
    """How many canary pods stand for that share of the traffic beside `stable` others, which stay.

    Where traffic is split by weight, as many as that share needs; else pods share it evenly, and their number makes the share.
    """
    exact = stable * percent / 100 if weighted else stable * percent / (100 - percent)
    return max(1, math.ceil(exact) if weighted else round(exact))


def shift(situation: Situation, version_id: str, percent: int, *, weighted: bool) -> Action:
    """The next step to a canary with that share of the traffic.

    Args:
        situation: as just observed.
        version_id: the canary's.
        percent: of the traffic, 1 to 99.
        weighted: whether the traffic is split by a route; else by numbers of pods.
    """
    if reason := _no_canary(situation, version_id):
        return Skip(reason)
    replicas = canary_replicas(percent, max(1, situation.tracks["main"].replicas), weighted=weighted)
    canary = situation.tracks.get("canary")
    if canary is None or canary.version_id != version_id or canary.replicas < replicas:
        return _deploy_beside(situation, version_id, replicas)
    if not canary.complete:
        return Await("canary")
    weights: Weights = {"main": 100 - percent, "canary": percent}
    return Route(weights) if weighted and situation.weights != weights else Ready("canary")


def _deploy_beside(situation: Situation, version_id: str, replicas: int) -> Action:
    """Where an earlier run left another canary with traffic, that is taken away first: the new one is not ready yet."""
    if "canary" in situation.weights and not situation.runs("canary", version_id):
        return Route({"main": 100})
    return Deploy("canary", replicas)


def _no_canary(situation: Situation, version_id: str) -> str | None:
    if situation.serving not in situation.tracks:
        return "nothing serves yet that a canary could stand beside"
    if situation.serving != "main":
        return f"the track {situation.serving} serves, from another strategy; the new version replaces it at once"
    return "this version serves already" if situation.runs("main", version_id) else None


def preview(situation: Situation, version_id: str) -> Action:
    """The next step to the new version in the colour that does not serve, without traffic."""
    track = idle_colour(situation, version_id)
    if track == situation.serving:
        return Skip("this version serves already")
    if not situation.runs(track, version_id):
        return Deploy(track, _as_many_as_serve(situation))
    return Ready(track) if situation.complete(track, version_id) else Await(track)


def settle(situation: Situation, version_id: str, strategy: StrategyKind) -> Action:
    """The next step to the version having all of the traffic. A blue-green rollout leaves the other colour for the way back."""
    home: Track = idle_colour(situation, version_id) if strategy == "blue_green" else "main"
    needs_canary = strategy == "canary" and _no_canary(situation, version_id) is None
    if needs_canary and not situation.complete("canary", version_id):
        return Await("canary") if situation.runs("canary", version_id) else _deploy_beside(situation, version_id, 1)
    step = _give_all(situation, version_id, home, keep=strategy == "blue_green")
    return Await(None) if isinstance(step, Done) and situation.address == "asked for" else step


def restore(situation: Situation, version_id: str) -> Action:
    """The next step back to a version: where it still runs, the traffic is led there, whatever became of the rest."""
    home = _still_running(situation, version_id) or situation.serving or "main"
    if home == "canary":
        home = "main"
    state = situation.tracks.get(home)
    shared = home in situation.weights and situation.weights != {home: 100}
    if state and shared and situation.runs(home, version_id) and state.ready > 0:
        return Route({home: 100})  # it has a share of the traffic as it is: not a moment more for the others
    return _give_all(situation, version_id, home, keep=False)


def retire(situation: Situation, version_id: str) -> Action:
    """After the promotion: all but the serving track may go, if that is the version we know."""
    serving = situation.serving
    if serving is None or situation.weights != {serving: 100} or not situation.runs(serving, version_id):
        return Skip("another version serves by now")
    return Done(serving) if situation.complete(serving, version_id) else Await(serving)


def idle_colour(situation: Situation, version_id: str) -> Track:
    """The colour that the version belongs into: where it serves already, or else the one that does not serve."""
    serving = situation.serving
    if serving in {"blue", "green"} and situation.runs(serving, version_id):
        return serving
    return "green" if serving == "blue" else "blue"


def _give_all(situation: Situation, version_id: str, home: Track, *, keep: bool) -> Action:
    if not situation.runs(home, version_id):
        return Deploy(home, None if home in situation.weights else _as_many_as_serve(situation))
    if not situation.complete(home, version_id):
        return Await(home)
    wanted = _as_many_as_serve(situation)
    if home not in situation.weights and wanted and situation.tracks[home].replicas < wanted:
        return Deploy(home, wanted)  # what serves has grown since
    if situation.weights != {home: 100} or situation.address == "not asked for":
        return Route({home: 100})
    return Done(home, keep=keep)


def _as_many_as_serve(situation: Situation) -> int | None:
    """For a track that is to take over: an autoscaler may have the serving one larger than the model file says.

    None: nothing serves, or somebody has scaled it to none.
    """
    serving = situation.serving
    return situation.tracks[serving].replicas or None if serving and serving in situation.tracks else None


def _still_running(situation: Situation, version_id: str) -> Track | None:
    """The best track with that version: all pods ready, then having traffic."""
    running = [track for track in situation.tracks if track != "canary" and situation.runs(track, version_id)]
    return max(
        running, key=lambda track: (situation.tracks[track].complete, situation.weights.get(track, 0)), default=None
    )
