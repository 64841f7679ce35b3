"""What holds for any combination of what a cluster may say of a rollout's objects, however odd or incomplete."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slipway.rollout.kubernetes.judgement.progress import Complete, Failed, Observed, Progressing, Verdict, judge
from tests.unit.rollout.kubernetes.judgement.recorded import all_recorded, snapshots

START = datetime.fromisoformat("2026-11-20T12:00:00Z")
VERSION = "4f2a9c0e1b7d"
NEW, OLD = "iris-6b9f7d4c55", "iris-7c9d8b5f64"
POD = f"{NEW}-x2x4k"
UIDS = {name: obj["metadata"]["uid"] for name, obj in snapshots()["start"]["replica_sets"].items()}
SOME = settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])

# What may be found at the place of any field: what the API leaves out, and what it would never say.
ODD = st.sampled_from(
    [None, "", "x", 0, -1, True, 10**30, 1.5, [], {}, [None], [{}], {"x": []}, "2026-13-01T00:00:00Z"]
)


@functools.cache
def recorded_pods() -> list[dict[str, Any]]:
    return [pod for case in all_recorded() for pod in case.observed.pods]


@functools.cache
def recorded_events() -> list[dict[str, Any]]:
    return [event for case in all_recorded() for event in case.observed.events]


def recorded_conditions(kind: str) -> list[dict[str, Any]]:
    objs = [obj for case in all_recorded() for obj in [*case.observed.replica_sets, case.observed.deployment]]
    found = [item for obj in objs if obj for item in obj["status"].get("conditions", [])]
    return [item for item in found if item["type"] == kind]


@st.composite
def pods(draw: st.DrawFn, owner: str, least: int = 0) -> list[dict[str, Any]]:
    """Pods of a ReplicaSet, each in some recorded state, often all ready."""
    made = []
    kinds = [snapshots()["done"]["pods"][POD]] if draw(st.booleans()) else recorded_pods()
    for number in range(draw(st.integers(least, 4))):
        pod = copy.deepcopy(draw(st.sampled_from(kinds)))
        pod["metadata"] |= {"name": f"{owner}-{number}", "uid": f"{owner}-{number}-uid"}
        pod["metadata"]["ownerReferences"] = [{"kind": "ReplicaSet", "name": owner, "uid": UIDS[owner]}]
        if draw(st.booleans()):
            pod["metadata"].pop("deletionTimestamp", None)
        made.append(pod)
    return made


@st.composite
def events(draw: st.DrawFn, about: list[tuple[str, str, str]]) -> list[dict[str, Any]]:
    """Recorded events, about any of these objects (kind, name, uid)."""
    made = []
    for event in draw(st.lists(st.sampled_from(recorded_events()), max_size=5)):
        copied = copy.deepcopy(event)
        key = "regarding" if "regarding" in copied else "involvedObject"
        kind = copied[key]["kind"]
        same = [item for item in about if item[0] == kind]
        if same:
            _, copied[key]["name"], copied[key]["uid"] = draw(st.sampled_from(same))
        made.append(copied)
    return made


@st.composite
def deployments(draw: st.DrawFn, failing: bool = True) -> dict[str, Any]:
    """The Deployment with any counts, any of the recorded conditions, and any generation."""
    deployment = copy.deepcopy(snapshots()["start"]["deployment"])
    small = st.integers(0, 4)
    deployment["spec"]["replicas"] = draw(small)
    deployment["metadata"]["generation"] = draw(st.integers(1, 3))
    names = ("replicas", "updatedReplicas", "availableReplicas", "readyReplicas", "unavailableReplicas")
    status = {name: draw(small) for name in names}
    if draw(st.booleans()):
        status |= dict.fromkeys(names[:4], deployment["spec"]["replicas"]) | {"unavailableReplicas": 0}
    status["observedGeneration"] = deployment["metadata"]["generation"] - draw(st.sampled_from([0, 0, 0, 0, 1, -1]))
    kinds = ("Available", "Progressing", "ReplicaFailure") if failing else ("Available",)
    conditions = [draw(st.sampled_from(recorded_conditions(kind))) for kind in kinds if draw(st.booleans())]
    deployment["status"] = {key: value for key, value in status.items() if value} | {"conditions": conditions}
    return deployment


def references(made: list[dict[str, Any]], names: tuple[str, ...]) -> list[tuple[str, str, str]]:
    of_pods = [("Pod", pod["metadata"]["name"], pod["metadata"]["uid"]) for pod in made]
    return of_pods + [("ReplicaSet", name, UIDS[name]) for name in names]


@st.composite
def states(draw: st.DrawFn) -> Observed:
    """Any combination of recorded parts."""
    deployment = draw(deployments())
    if draw(st.integers(0, 9)) == 0:
        deployment["metadata"]["annotations"]["slipway.dev/version-id"] = "another"
    replica_sets = copy.deepcopy(list(snapshots()["start"]["replica_sets"].values()))
    for replica_set in replica_sets:
        replica_set["status"]["replicas"] = draw(st.integers(0, 2))
        if draw(st.booleans()):
            replica_set["status"]["conditions"] = [draw(st.sampled_from(recorded_conditions("ReplicaFailure")))]
    made = draw(pods(NEW)) + draw(pods(OLD))
    return Observed(deployment, replica_sets, made, draw(events(references(made, (NEW, OLD)))))


times = st.integers(0, 1200).map(lambda seconds: START + timedelta(seconds=seconds))


def say(state: Observed, now: datetime) -> Verdict:
    return judge(state, version_id=VERSION, now=now)


def is_ready(pod: dict[str, Any]) -> bool:
    ready = [item for item in pod["status"].get("conditions", []) if item["type"] == "Ready"]
    return bool(ready) and ready[0]["status"] == "True"


def active(state: Observed, owner: str) -> list[Any]:
    return [
        pod
        for pod in state.pods
        if pod["metadata"]["ownerReferences"][0]["uid"] == UIDS[owner]
        and "deletionTimestamp" not in pod["metadata"]
        and pod["status"].get("phase") not in {"Failed", "Succeeded"}
    ]


@SOME
@given(states(), times)
def test_complete_is_said_only_when_all_of_the_new_and_none_of_the_old_is_there(state: Observed, now: datetime) -> None:
    if isinstance(say(state, now), Complete):
        assert state.deployment
        wanted, status = state.deployment["spec"]["replicas"], state.deployment["status"]
        assert wanted > 0
        assert status["updatedReplicas"] == status["availableReplicas"] == status["replicas"] == wanted
        assert status["observedGeneration"] >= state.deployment["metadata"]["generation"]
        assert state.deployment["metadata"]["annotations"]["slipway.dev/version-id"] == VERSION
        assert not active(state, OLD)
        assert all(is_ready(pod) for pod in active(state, NEW))


@SOME
@given(st.integers(1, 4), st.integers(0, 4), st.integers(0, 2), st.integers(0, 2), times)
def test_a_rollout_is_complete_exactly_when_its_pods_are(
    wanted: int, ready: int, old: int, ending: int, now: datetime
) -> None:
    """Each step of a rolling update, its status and its pods told truly: `ready` new pods, `old` ones, some that end."""
    done = copy.deepcopy(snapshots()["done"])
    template, before = done["pods"][POD], snapshots()["start"]["pods"][f"{OLD}-k4kkd"]
    new_pods = [with_name(template, f"{NEW}-{number}") for number in range(min(ready, wanted))]
    old_pods = [with_name(before, f"{OLD}-{number}") for number in range(old + ending)]
    for pod in old_pods[old:]:
        pod["metadata"]["deletionTimestamp"] = "2026-11-20T12:02:00Z"
    done["deployment"]["spec"]["replicas"] = wanted
    done["deployment"]["status"] |= {
        "replicas": len(new_pods) + old,
        "updatedReplicas": len(new_pods),
        "readyReplicas": len(new_pods) + old,
        "availableReplicas": len(new_pods) + old,
    }
    state = Observed(done["deployment"], list(done["replica_sets"].values()), new_pods + old_pods, [])
    is_complete = len(new_pods) == wanted and not old
    assert isinstance(say(state, now), Complete if is_complete else Progressing)


def with_name(pod: dict[str, Any], name: str) -> dict[str, Any]:
    copied = copy.deepcopy(pod)
    copied["metadata"] |= {"name": name, "uid": f"{name}-uid"}
    return copied


@SOME
@given(states(), times)
def test_a_status_of_an_earlier_specification_says_nothing(state: Observed, now: datetime) -> None:
    assert state.deployment
    seen = state.deployment["status"].get("observedGeneration", 0)
    if seen < state.deployment["metadata"]["generation"]:
        assert isinstance(say(state, now), Progressing)


@st.composite
def states_with_a_failing_old_version(draw: st.DrawFn) -> Observed:
    """The new version's pods are all healthy or on their way; the old one's are in any state."""
    deployment = draw(deployments(failing=False))
    replica_sets = copy.deepcopy(list(snapshots()["start"]["replica_sets"].values()))
    old = next(item for item in replica_sets if item["metadata"]["name"] == OLD)
    failure = draw(st.sampled_from(recorded_conditions("ReplicaFailure")))
    old["status"]["conditions"] = [failure]
    for replica_set in replica_sets:
        replica_set["status"]["replicas"] = draw(st.integers(0, 2))
    deployment["status"]["conditions"].append(failure)
    made = draw(pods(OLD, least=1))
    ways = [snapshots()["start"]["pods"][POD], snapshots()["done"]["pods"][POD]]
    fine = [with_name(draw(st.sampled_from(ways)), f"{NEW}-{number}") for number in range(draw(st.integers(0, 3)))]
    # Events of old pods may be of any kind; those without an object of their own are about the old version, too.
    told = draw(events(references(made, (OLD,))))
    return Observed(deployment, replica_sets, fine + made, told)


@SOME
@given(states_with_a_failing_old_version(), times)
def test_what_is_wrong_with_the_old_version_is_no_failure_of_the_new_one(state: Observed, now: datetime) -> None:
    assert not isinstance(say(state, now), Failed)


@SOME
@given(states(), times, st.integers(0, 2**32))
def test_the_order_of_what_is_listed_does_not_matter(state: Observed, now: datetime, seed: int) -> None:
    random = Random(seed)

    def shuffled(value: Any) -> Any:
        if isinstance(value, list):
            return random.sample([shuffled(item) for item in value], len(value))
        return {key: shuffled(item) for key, item in value.items()} if isinstance(value, dict) else value

    other = Observed(
        *(shuffled(copy.deepcopy(part)) for part in (state.deployment, state.replica_sets, state.pods, state.events))
    )
    assert say(other, now) == say(state, now) == say(copy.deepcopy(state), now)


@SOME
@given(states(), times, st.integers(0, 3600))
def test_waiting_longer_never_makes_a_failure_good(state: Observed, now: datetime, seconds: int) -> None:
    before, after = say(state, now), say(state, now + timedelta(seconds=seconds))
    if isinstance(before, Failed):
        assert isinstance(after, Failed)
    if isinstance(before, Complete):
        assert after == before


@SOME
@given(st.data(), times)
def test_objects_that_are_incomplete_or_odd_are_judged_all_the_same(data: st.DataObject, now: datetime) -> None:
    case = data.draw(st.sampled_from(all_recorded()), label="case")
    state = copy.deepcopy(case.state)
    for _ in range(data.draw(st.integers(1, 6), label="damages")):
        damage(state, data.draw)
    verdict = say(observed_of(state), now)
    assert isinstance(verdict, Progressing | Complete | Failed)
    if isinstance(verdict, Failed):
        assert verdict.on
        assert verdict.why
        assert verdict.fix
    else:
        assert verdict.summary


def damage(value: Any, draw: Callable[..., Any]) -> None:
    """Take away, or put something odd in the place of, one field anywhere in the objects."""
    while True:
        keys = sorted(value) if isinstance(value, dict) else list(range(len(value)))
        if not keys:
            return
        key = draw(st.sampled_from(keys))
        inner = value[key]
        if isinstance(inner, dict | list) and inner and draw(st.integers(0, 5)):
            value = inner
            continue
        if draw(st.booleans()):
            del value[key]
        else:
            value[key] = copy.deepcopy(draw(ODD))
        return


def observed_of(state: dict[str, Any]) -> Observed:
    """The objects of a damaged state; the lists themselves are the caller's, and hold objects."""

    def objects(name: str) -> list[dict[str, Any]]:
        part = state.get(name)
        found = part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
        return [obj for obj in found if isinstance(obj, dict)]

    deployment = state.get("deployment")
    return Observed(
        deployment if isinstance(deployment, dict) else None, *map(objects, ("replica_sets", "pods", "events"))
    )


def test_every_field_of_recorded_objects_may_be_missing() -> None:
    """The same, without chance: each single field of each object of the first state of every file."""
    count = 0
    for case in {case.file: case for case in reversed(all_recorded())}.values():
        state, now = copy.deepcopy(case.state), case.now
        state["pods"] = {name: pod for name, pod in state["pods"].items() if name.startswith(NEW)}
        for container, key in list(fields(state)):
            taken = container.pop(key)
            assert isinstance(say(observed_of(state), now), Progressing | Complete | Failed)
            container[key] = taken
            count += 1
    assert count > 2_000


def fields(value: Any) -> Any:
    for key, inner in list(value.items()) if isinstance(value, dict) else list(enumerate(value)):
        if isinstance(inner, dict | list):
            yield from fields(inner)
        if isinstance(value, dict):
            yield value, key
