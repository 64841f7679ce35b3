"""No step, from any situation, may lead traffic to what is not ready or take away what serves before its successor does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.rollout.kubernetes.strategy import (
    Action,
    Await,
    Deploy,
    Done,
    Ready,
    Route,
    Situation,
    Skip,
    TrackState,
    canary_replicas,
    preview,
    restore,
    retire,
    settle,
    shift,
)

NEW, OLD, OTHER = "new", "old", "other"
ADDRESSES = st.sampled_from(["there", "asked for", "not asked for"])
Goal = Callable[[Situation], Action]


@st.composite
def track_states(draw: st.DrawFn) -> TrackState:
    replicas = draw(st.integers(1, 5))
    ready = draw(st.integers(0, replicas))
    return TrackState(
        draw(st.sampled_from([NEW, OLD, OTHER])), replicas, ready, ready == replicas and draw(st.booleans())
    )


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    """Any at all, also those that no rollout leaves behind: a person may have been here."""
    names = draw(st.sets(st.sampled_from(["main", "canary", "blue", "green"])))
    tracks = {name: draw(track_states()) for name in sorted(names)}
    serving = draw(st.sampled_from([None, "main", "blue", "green"]))
    if serving is None:
        return Situation(tracks, {}, draw(ADDRESSES))
    percent = draw(st.integers(1, 99)) if serving == "main" and draw(st.booleans()) else 0
    weights = {serving: 100 - percent} | ({"canary": percent} if percent else {})
    return Situation(tracks, weights, draw(ADDRESSES))


GOALS: dict[str, Goal] = {
    "shift by weight": lambda situation: shift(situation, NEW, 10, weighted=True),
    "shift by pods": lambda situation: shift(situation, NEW, 50, weighted=False),
    "preview": lambda situation: preview(situation, NEW),
    "settle rolling": lambda situation: settle(situation, NEW, "rolling"),
    "settle canary": lambda situation: settle(situation, NEW, "canary"),
    "settle blue-green": lambda situation: settle(situation, NEW, "blue_green"),
    "restore": lambda situation: restore(situation, NEW),
    "retire": lambda situation: retire(situation, NEW),
}


@pytest.mark.parametrize("goal", GOALS.values(), ids=GOALS)
@given(situations())
def test_traffic_is_led_to_nothing_that_is_not_ready(goal: Goal, situation: Situation) -> None:
    action = goal(situation)
    if isinstance(action, Route):
        assert sum(action.weights.values()) == 100
        for track in action.weights:
            state = situation.tracks.get(track)
            has_it_already = track in situation.weights
            assert has_it_already or (state is not None and state.complete and state.version_id == NEW)


@pytest.mark.parametrize("goal", GOALS.values(), ids=GOALS)
@given(situations())
def test_what_serves_is_not_taken_away_before_its_successor_has_all_traffic(goal: Goal, situation: Situation) -> None:
    action = goal(situation)
    if isinstance(action, Done) and not action.keep:
        assert situation.weights == {action.track: 100}
        assert situation.complete(action.track, NEW)


@pytest.mark.parametrize("goal", GOALS.values(), ids=GOALS)
@given(situations())
def test_what_serves_is_not_shrunk(goal: Goal, situation: Situation) -> None:
    action = goal(situation)
    if isinstance(action, Deploy) and action.track in situation.weights and action.replicas is not None:
        assert action.track == "canary"  # its own share only ever grows while it has any
        assert action.replicas > situation.tracks["canary"].replicas


@pytest.mark.parametrize("goal", [GOALS["preview"], GOALS["settle blue-green"]])
@given(situations())
def test_a_blue_green_rollout_never_touches_the_pods_that_serve(goal: Goal, situation: Situation) -> None:
    action = goal(situation)
    assert not (isinstance(action, Deploy) and action.track in situation.weights)


@given(situations())
def test_a_canary_strategy_replaces_the_stable_pods_only_once_the_canary_is_ready(situation: Situation) -> None:
    action = settle(situation, NEW, "canary")
    stands = "main" in situation.weights and "main" in situation.tracks
    if stands and isinstance(action, Deploy) and action.track == "main":
        assert situation.complete("canary", NEW)


@given(situations(), st.integers(1, 99))
def test_a_shift_leaves_the_stable_pods_alone(situation: Situation, percent: int) -> None:
    for weighted in (True, False):
        action = shift(situation, NEW, percent, weighted=weighted)
        assert not (isinstance(action, Deploy | Await) and action.track != "canary")
        assert not (isinstance(action, Route) and "main" not in action.weights)


@dataclass
class Cluster:
    """Obeys at once, and gets pods ready while one waits."""

    tracks: dict[str, TrackState] = field(default_factory=dict)
    weights: dict[str, int] = field(default_factory=dict)

    def run(self, goal: Goal, version_id: str) -> list[Action]:
        taken: list[Action] = []
        for _ in range(20):
            action = goal(Situation(dict(self.tracks), dict(self.weights)))  # type: ignore[arg-type]
            taken.append(action)
            if isinstance(action, Ready | Done | Skip):
                if isinstance(action, Done) and not action.keep:
                    self.tracks = {action.track: self.tracks[action.track]}
                return taken
            self._obey(action, version_id)
        raise AssertionError(f"does not come to an end: {taken}")

    def _obey(self, action: Action, version_id: str) -> None:
        match action:
            case Deploy(track, replicas):
                self.tracks[track] = TrackState(version_id, replicas or 2, 0, complete=False)
            case Await(track):
                assert track is not None
                assert track in self.tracks
                state = self.tracks[track]
                self.tracks[track] = TrackState(state.version_id, state.replicas, state.replicas, complete=True)
            case Route(weights):
                self.weights = dict(weights)


@given(situations(), st.sampled_from(sorted(set(GOALS) - {"retire"})))
def test_from_anywhere_it_comes_to_an_end_and_asking_again_changes_nothing(situation: Situation, name: str) -> None:
    cluster = Cluster(dict(situation.tracks), dict(situation.weights))  # type: ignore[arg-type]
    last = cluster.run(GOALS[name], NEW)[-1]
    assert cluster.run(GOALS[name], NEW) == [last]
    if name.startswith(("settle", "restore")):
        assert isinstance(last, Done)
        assert cluster.weights == {last.track: 100}


def steps(situation_after: Cluster, *goals: tuple[Goal, str]) -> list[Action]:
    return [action for goal, version in goals for action in situation_after.run(goal, version)]


def test_a_rolling_rollout_step_by_step() -> None:
    cluster = Cluster()
    first = cluster.run(lambda situation: settle(situation, OLD, "rolling"), OLD)
    assert first == [Deploy("main"), Await("main"), Route({"main": 100}), Done("main")]
    second = cluster.run(lambda situation: settle(situation, NEW, "rolling"), NEW)
    assert second == [Deploy("main"), Await("main"), Done("main")]


def test_a_canary_step_by_step() -> None:
    cluster = Cluster({"main": TrackState(OLD, 4, 4, complete=True)}, {"main": 100})
    assert cluster.run(lambda situation: shift(situation, NEW, 10, weighted=True), NEW) == [
        Deploy("canary", 1),
        Await("canary"),
        Route({"main": 90, "canary": 10}),
        Ready("canary"),
    ]
    assert cluster.run(lambda situation: shift(situation, NEW, 50, weighted=True), NEW) == [
        Deploy("canary", 2),
        Await("canary"),
        Route({"main": 50, "canary": 50}),
        Ready("canary"),
    ]
    assert cluster.run(lambda situation: settle(situation, NEW, "canary"), NEW) == [
        Deploy("main"),
        Await("main"),
        Route({"main": 100}),
        Done("main"),
    ]


def test_a_canary_that_failed_loses_its_traffic_first() -> None:
    cluster = Cluster(
        {"main": TrackState(OLD, 4, 3, complete=False), "canary": TrackState(NEW, 1, 0, complete=False)},
        {"main": 90, "canary": 10},
    )
    taken = cluster.run(lambda situation: restore(situation, OLD), OLD)
    assert taken == [Route({"main": 100}), Await("main"), Done("main")]


def test_blue_green_step_by_step_and_back() -> None:
    cluster = Cluster({"blue": TrackState(OLD, 3, 3, complete=True)}, {"blue": 100})
    assert cluster.run(lambda situation: preview(situation, NEW), NEW) == [
        Deploy("green", 3),
        Await("green"),
        Ready("green"),
    ]
    forward = cluster.run(lambda situation: settle(situation, NEW, "blue_green"), NEW)
    assert forward == [Route({"green": 100}), Done("green", keep=True)]
    back = cluster.run(lambda situation: restore(situation, OLD), OLD)
    assert back == [Route({"blue": 100}), Done("blue")]


def test_another_strategy_than_before_replaces_what_serves_without_a_gap() -> None:
    cluster = Cluster({"blue": TrackState(OLD, 3, 3, complete=True)}, {"blue": 100})
    taken = cluster.run(lambda situation: settle(situation, NEW, "rolling"), NEW)
    assert taken == [Deploy("main", 3), Await("main"), Route({"main": 100}), Done("main")]
    taken = cluster.run(lambda situation: settle(situation, OTHER, "blue_green"), OTHER)
    assert taken == [Deploy("blue", 3), Await("blue"), Route({"blue": 100}), Done("blue", keep=True)]


def test_the_previous_colour_goes_only_while_the_new_one_serves() -> None:
    both = {"blue": TrackState(OLD, 2, 2, complete=True), "green": TrackState(NEW, 2, 2, complete=True)}
    assert retire(Situation(both, {"green": 100}), NEW) == Done("green")
    assert isinstance(retire(Situation(both, {"blue": 100}), NEW), Skip)
    scaling = both | {"green": TrackState(NEW, 3, 2, complete=False)}
    assert retire(Situation(scaling, {"green": 100}), NEW) == Await("green")


def test_an_endpoint_without_an_address_is_waited_for() -> None:
    ready = {"main": TrackState(NEW, 2, 2, complete=True)}
    assert settle(Situation(ready, {"main": 100}, "not asked for"), NEW, "rolling") == Route({"main": 100})
    assert settle(Situation(ready, {"main": 100}, "asked for"), NEW, "rolling") == Await(None)
    assert restore(Situation(ready, {"main": 100}, "asked for"), NEW) == Done("main")  # it was there before


def test_a_colour_takes_over_only_as_large_as_the_other_has_grown() -> None:
    grown = {"blue": TrackState(OLD, 8, 8, complete=True), "green": TrackState(NEW, 2, 2, complete=True)}
    assert settle(Situation(grown, {"blue": 100}), NEW, "blue_green") == Deploy("green", 8)


def test_what_somebody_scaled_to_none_can_be_replaced() -> None:
    none = {"blue": TrackState(OLD, 0, 0, complete=False)}
    assert preview(Situation(none, {"blue": 100}), NEW) == Deploy("green", None)


@pytest.mark.parametrize(
    ("percent", "stable", "by_weight", "by_pods"),
    [(10, 2, 1, 1), (10, 20, 2, 2), (50, 4, 2, 4), (50, 2, 1, 2), (25, 3, 1, 1), (99, 2, 2, 198), (1, 1, 1, 1)],
)
def test_how_many_pods_a_canary_has(percent: int, stable: int, by_weight: int, by_pods: int) -> None:
    assert canary_replicas(percent, stable, weighted=True) == by_weight
    assert canary_replicas(percent, stable, weighted=False) == by_pods
