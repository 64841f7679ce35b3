"""What is said of a rollout, from what a cluster says of its objects."""

from __future__ import annotations

import copy
import functools
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any, get_args

import kubernetes_validate
import pytest

from slipway.core.errors import RolloutError
from slipway.rollout.kubernetes.judgement.progress import (
    PRECEDENCE,
    Complete,
    Failed,
    Patience,
    Progressing,
    Reason,
    explain_timeout,
    judge,
    worst,
)
from tests.unit.rollout.kubernetes.judgement.recorded import Recorded, all_recorded, merged, observed, snapshots, table

NEW = "iris-6b9f7d4c55"
POD = f"{NEW}-x2x4k"
CASES = pytest.mark.parametrize("case", all_recorded(), ids=lambda case: f"{case.file}: {case.name}")
FAILURES = [case for case in all_recorded() if isinstance(case.expected, Failed)]


def find(file: str, name: str) -> Recorded:
    return next(case for case in all_recorded() if (case.file, case.name) == (file, name))


@functools.cache
def validate(text: str) -> None:
    kubernetes_validate.validate(json.loads(text), "1.34", strict=True)


def changed(case: Recorded, patch: dict[str, Any]) -> Recorded:
    return replace(case, state=merged(case.state, patch))


@CASES
def test_a_recorded_state_is_judged_as_expected(case: Recorded) -> None:
    assert case.judge() == case.expected


@CASES
def test_what_is_recorded_has_the_shape_of_the_api(case: Recorded) -> None:
    seen = case.observed
    for obj in (seen.deployment, *seen.replica_sets, *seen.pods, *seen.events):
        if obj is not None:
            validate(json.dumps(obj, sort_keys=True))


def test_every_reason_is_recorded() -> None:
    assert {case.expected.reason for case in FAILURES if isinstance(case.expected, Failed)} == set(PRECEDENCE)
    assert get_args(Reason) == PRECEDENCE
    assert table().count("\n") == len(FAILURES) + 1


@pytest.mark.parametrize("case", FAILURES, ids=lambda case: f"{case.file}: {case.name}")
def test_the_text_is_enough_to_know_what_to_fix(case: Recorded) -> None:
    failed = case.expected
    assert isinstance(failed, Failed)
    error = str(RolloutError("could not roll out iris", on=failed.on, why=failed.why, fix=failed.fix))
    assert "\n" not in error
    assert ".." not in error.replace("...", ""), "one full stop after the cause"
    assert not failed.why.endswith((".", ":", " "))
    assert failed.fix.endswith(".")
    assert "kubectl describe pod" not in failed.fix, "what it would tell is in the text"
    assert failed.container is None or failed.pod is not None
    assert failed.container is not None or not failed.previous
    assert len(error) < 900


def test_secrets_in_what_others_say_are_left_out() -> None:
    waiting = {
        "reason": "ImagePullBackOff",
        "message": 'failed to authorize: GET https://joe:hunter2@reg.example/token?scope=a:b&sig=hunter2: 401 "x?y"',
    }
    case = find("progressing", "creating the container")
    status = {"name": "server", "ready": False, "state": {"waiting": waiting}}
    failed = changed(case, {"pods": {POD: {"status": {"containerStatuses": [status]}}}}).judge()
    assert isinstance(failed, Failed)
    assert "hunter2" not in failed.why
    assert failed.why.endswith('GET https://...@reg.example/token?...: 401 "x?y"')


@pytest.mark.parametrize(
    ("case", "seconds_before", "seconds_after"),
    [
        (("unschedulable", "CPU"), 31, 32),
        (("unschedulable", "the announced node does not come"), 311, 312),
        (("failed_probes", "readiness for long"), 60 + 180 + 4, 60 + 180 + 5),
        (("quota_exceeded", "used up"), 31, 32),
        (("webhook_denied", "does not answer"), 31, 32),
        (("image_pull_back_off", "time-out"), 93, 94),
        (("node_problem", "no pod network"), 62, 63),
    ],
)
def test_what_may_mend_itself_is_given_time(case: tuple[str, str], seconds_before: int, seconds_after: int) -> None:
    recorded = find(*case)
    start = find("progressing", "creating the container").now - timedelta(seconds=60)
    for seconds, kind in ((seconds_before, Progressing), (seconds_after, Failed)):
        now = start + timedelta(seconds=seconds)
        verdict = judge(recorded.observed, version_id=recorded.version_id, now=now)
        assert isinstance(verdict, kind), (seconds, verdict)


def test_patience_can_be_chosen() -> None:
    case = find("progressing", "running, not ready for less than 3 minutes")
    short = Patience(unready_seconds=60)
    assert isinstance(judge(case.observed, version_id=case.version_id, now=case.now, patience=short), Failed)


def test_what_happened_before_the_version_was_applied_is_an_earlier_rollouts() -> None:
    case = find("deadline_exceeded", "creating for ever")
    later = case.now - timedelta(seconds=1)
    verdict = judge(case.observed, version_id=case.version_id, now=case.now, since=later)
    assert verdict == Progressing("0 of 2 new pods ready, 2 old pods left; creating the container on node worker-1")


def test_a_new_replica_set_that_was_not_listed_yet_is_waited_for() -> None:
    case = find("complete", "both new pods available")
    newer = {"deployment": {"metadata": {"annotations": {"deployment.kubernetes.io/revision": "3"}}}, "pods": None}
    assert isinstance(changed(case, newer).judge(), Progressing)


def test_without_revisions_the_newest_replica_set_counts() -> None:
    case = find("crash_loop_back_off", "segmentation fault")
    unnumbered = {"deployment": {"metadata": {"annotations": {"deployment.kubernetes.io/revision": None}}}}
    assert changed(case, unnumbered).judge() == case.expected


def test_objects_of_others_are_ignored() -> None:
    case = find("crash_loop_back_off", "segmentation fault")
    strange = {"replica_sets": {NEW: {"metadata": {"ownerReferences": [{"kind": "Deployment", "uid": "another"}]}}}}
    assert isinstance(changed(case, strange).judge(), Progressing)


def test_the_root_cause_is_told_when_pods_fail_differently() -> None:
    unschedulable, crash, image = (
        find(*name).expected
        for name in (
            ("unschedulable", "CPU"),
            ("crash_loop_back_off", "segmentation fault"),
            ("image_pull_back_off", "not found"),
        )
    )
    assert isinstance(unschedulable, Failed)
    assert isinstance(crash, Failed)
    assert isinstance(image, Failed)
    for failures in ([crash, image, unschedulable], [unschedulable, image, crash]):
        assert worst(failures) == image
    assert worst([unschedulable, crash]) == crash
    assert worst([]) is None


def test_how_many_pods_fail_alike_is_told() -> None:
    case = find("crash_loop_back_off", "segmentation fault")
    twin = copy.deepcopy(case.state["pods"][POD])
    twin["metadata"] |= {"name": f"{NEW}-m8w9p", "uid": "33cc44dd-6666-4e5f-a0b1-ccddeeff0011"}
    failed = changed(case, {"pods": {f"{NEW}-m8w9p": twin}}).judge()
    assert isinstance(failed, Failed)
    assert (failed.pod, failed.why.endswith(" (and so 1 more of the new pods)")) == (f"{NEW}-m8w9p", True)


def test_a_timeout_is_explained_without_more_patience() -> None:
    case = find("progressing", "no node for less than 30 s")
    failed = explain_timeout(case.observed, version_id=case.version_id, now=case.now, waited_seconds=18)
    assert isinstance(failed, Failed)
    assert failed.reason == "Unschedulable"
    case = find("progressing", "pulling")
    failed = explain_timeout(case.observed, version_id=case.version_id, now=case.now, waited_seconds=600)
    assert isinstance(failed, Failed)
    assert failed.why == (
        "it is not complete after 10 min: 0 of 2 new pods ready, 2 old pods left; pulling the image on node worker-1"
    )
    case = find("complete", "both new pods available")
    done = explain_timeout(case.observed, version_id=case.version_id, now=case.now, waited_seconds=600)
    assert isinstance(done, Complete)


def test_nothing_is_changed_by_being_judged() -> None:
    for case in all_recorded():
        before = copy.deepcopy(case.state)
        case.judge()
        assert case.state == before


def test_the_snapshots_are_a_rollout_from_its_start_to_its_end() -> None:
    start, done = snapshots()["start"], snapshots()["done"]
    assert isinstance(judge(observed(start), version_id=start["version_id"], now=all_recorded()[0].now), Progressing)
    assert isinstance(judge(observed(done), version_id=done["version_id"], now=all_recorded()[0].now), Complete)
