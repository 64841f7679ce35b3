"""The analysis task from its start to what a person answers: with real servers as pods and a real store."""

from __future__ import annotations

import asyncio
import json
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import TaskAwaitingInput, TaskDeferred
from airflow.sdk.execution_time import task_runner
from airflow.sdk.serde import deserialize, serialize

from slipway.core.deploy_section import KubernetesTarget
from slipway.core.errors import ConflictError, DeniedError, RejectedError, RolloutError
from slipway.core.kubernetes_section import Analysis
from slipway.core.model_file import Access
from slipway.release.ledger import Ledger
from slipway.verification.cluster_operators import AnalyseVersionOperator
from slipway.verification.trigger import AnalysisTrigger
from tests.integration.verification.pods import FAULTY, ServerPod, ServerPods, make_moody_bundle

QUICK = {"interval_seconds": 0.05, "count": 2}
SHIFT = {"track": "canary", "skipped": False, "summary": "10 % of the requests go to the canary"}


@dataclass
class Served:
    """A model's store with a bundle, and a pod that serves it."""

    store: Path
    bundle: dict[str, str]
    pod: ServerPod
    drift: Path


@pytest.fixture(scope="module")
def module_served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    bundle = folder / "store" / "iris" / "models" / "m1"
    digest = make_moody_bundle(bundle, folder / "drift")
    pod = ServerPod("iris-canary-1", folder, bundle, digest)
    yield Served(folder / "store", {"key": "models/m1/", "digest": digest}, pod, folder / "drift")
    pod.stop()


@pytest.fixture
def served(module_served: Served, tmp_path: Path) -> Iterator[Served]:
    """With a store of the test's own, whose turn is free."""
    shutil.copytree(module_served.store, tmp_path / "store")
    yield Served(tmp_path / "store", module_served.bundle, module_served.pod, module_served.drift)
    module_served.drift.unlink(missing_ok=True)


def operator_of(served: Served, shift: Any = SHIFT, **section: Any) -> AnalyseVersionOperator:
    operator = AnalyseVersionOperator(
        task_id="analyse_canary_10",
        model="iris",
        store=str(served.store),
        target=KubernetesTarget(namespace="models"),
        shift="{{ shift }}",
        analysis=Analysis(**(QUICK | section)),
        bundle=served.bundle,
        access=Access(open=True),
        run_id="{{ run }}",
    )
    operator.render_template_fields({"shift": "", "run": "r1"})
    operator.shift = shift  # an XCom, which is no text
    return operator


def through_serde(value: Any) -> Any:
    """As it comes back from Airflow's database."""
    return deserialize(json.loads(json.dumps(serialize(value), allow_nan=False)))


def deferred(operator: AnalyseVersionOperator) -> TaskDeferred:
    with pytest.raises(TaskDeferred) as parked:
        operator.execute({})
    return parked.value


def trigger_of(operator: AnalyseVersionOperator, pods: ServerPods) -> AnalysisTrigger:
    """The task's trigger as the triggerer has it: made again from its arguments; with these pods."""
    path, arguments = deferred(operator).trigger.serialize()
    assert path == "slipway.verification.trigger.AnalysisTrigger"

    class Here(AnalysisTrigger):
        def pods(self) -> ServerPods:
            return pods

    return Here(**through_serde(arguments))


async def first_event(trigger: AnalysisTrigger) -> Any:
    return (await anext(aiter(trigger.run()))).payload


def measured(operator: AnalyseVersionOperator, *pods: ServerPod) -> dict[str, Any]:
    """What the triggerer makes of it."""
    return fired(trigger_of(operator, ServerPods(*pods)))


def fired(trigger: AnalysisTrigger) -> dict[str, Any]:
    return through_serde(asyncio.run(asyncio.wait_for(first_event(trigger), 60)))


def turn_of(served: Served, run: str) -> Any:
    return Ledger.open(str(served.store), "iris").turn(run)


def test_a_step_that_was_left_out_is_not_measured_and_skips_nothing_after_it(served: Served) -> None:
    found = operator_of(served, {"skipped": True, "summary": "already serving"}).execute({})
    assert found == {"phase": "Skipped", "changed": False, "summary": "already serving"}
    assert turn_of(served, "other").take()


def test_what_is_measured_and_where_is_in_the_triggers_arguments(served: Served) -> None:
    arguments = deferred(operator_of(served)).trigger.serialize()[1]
    assert arguments["labels"] == {"slipway.dev/model": "iris", "slipway.dev/track": "canary"}
    assert (arguments["conn_id"], arguments["namespace"]) == ("kubernetes_default", "models")
    assert arguments["access_conn_id"] is None
    assert not turn_of(served, "other").take()


def test_the_deferral_outlasts_any_analysis(served: Served) -> None:
    operator = operator_of(served, interval_seconds=60, count=3, error_limit=4)
    timeout = deferred(operator).timeout
    assert timeout is not None
    assert timeout >= timedelta(seconds=3 * 5 * 60)


def test_a_good_version_lets_the_rollout_go_on(served: Served) -> None:
    operator = operator_of(served)
    found = operator.conclude({}, measured(operator, served.pod))
    assert json.loads(json.dumps(found)) == found
    assert (found["phase"], found["changed"], found["responded_by_user"]) == ("Successful", False, None)
    assert found["summary"] == "iris canary is good: 6 measurements of golden rows, restarts, error rate"
    assert [each["outcome"] for each in found["measurements"]] == ["Successful"] * 6


def test_a_version_that_fails_requests_is_taken_back(served: Served) -> None:
    operator = operator_of(served, count=1000)
    asking = threading.Event()

    def ask() -> None:
        while not asking.is_set():
            served.pod.ask(FAULTY)

    users = threading.Thread(target=ask)
    users.start()
    try:
        event = measured(operator, served.pod)
    finally:
        asking.set()
        users.join()
    with pytest.raises(RolloutError) as caught:
        operator.conclude({}, event)
    text = str(caught.value)
    assert text.startswith(
        "did not take the new version: iris canary: error rate is not as it must be, measurement 1: 100 %"
    )
    assert "allowed 1 %; most at iris-canary-1:" in text
    assert "Undo takes it back" in text
    assert text.endswith("kubectl logs -n models iris-canary-1")


def test_wrong_golden_rows_are_found_before_the_first_interval_is_over(served: Served) -> None:
    served.drift.touch()
    operator = operator_of(served, interval_seconds=3600)
    with pytest.raises(RolloutError, match=r"golden rows is not as it must be, measurement 1: iris-canary-1: row"):
        operator.conclude({}, measured(operator, served.pod))


def test_a_version_that_cannot_be_measured_is_no_good_one(served: Served) -> None:
    operator = operator_of(served, error_limit=1)
    with pytest.raises(
        RolloutError, match=r"could not be measured, measurement 2: its pods: none is ready \(1 in a row"
    ):
        operator.conclude({}, measured(operator))


def test_a_bundle_that_was_tampered_with_is_never_replayed(served: Served) -> None:
    (served.store / "iris" / "models" / "m1" / "golden.json").write_text("{}")
    operator = operator_of(served)
    with pytest.raises(RejectedError, match=r"golden\.json: it is not the one that was trained"):
        operator.conclude({}, measured(operator, served.pod))


def test_no_permission_is_said_at_once_and_is_no_verdict(served: Served) -> None:
    class Forbidden(ServerPods):
        def pods(self) -> Any:
            raise DeniedError("could not list pods", on="models", why="it may not list pods", fix="Apply the Role.")

    operator = operator_of(served, interval_seconds=3600)
    with pytest.raises(DeniedError, match=r"could not list pods: models: it may not list pods\. Apply the Role\."):
        operator.conclude({}, fired(trigger_of(operator, Forbidden())))


def test_another_runs_turn_is_respected_before_and_after(served: Served) -> None:
    operator = operator_of(served)
    event = measured(operator, served.pod)
    turn_of(served, "r1").give_back()
    assert turn_of(served, "r2").take()
    with pytest.raises(ConflictError, match="it is the turn of run r2"):
        operator.conclude({}, event)
    with pytest.raises(ConflictError, match="it is the turn of run r2"):
        operator.execute({})


def test_the_turn_is_renewed_all_through_a_long_interval(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("slipway.release.turn_trigger.RENEW_SECONDS", 0.05)
    trigger = trigger_of(operator_of(served, interval_seconds=3600), ServerPods(served.pod))
    leases = set[Any]()

    async def watch() -> None:
        analysis = asyncio.create_task(first_event(trigger))
        while len(leases) < 5:
            assert not analysis.done()
            leases.add(turn_of(served, "other").other_holder())
            await asyncio.sleep(0.01)
        analysis.cancel()

    asyncio.run(asyncio.wait_for(watch(), 60))
    assert {lease.run_id for lease in leases} == {"r1"}


def test_a_turn_that_was_lost_ends_the_analysis(served: Served) -> None:
    operator = operator_of(served, interval_seconds=3600)
    trigger = trigger_of(operator, ServerPods(served.pod))
    turn_of(served, "r1").give_back()
    assert turn_of(served, "r2").take()
    with pytest.raises(ConflictError, match="it is the turn of run r2"):
        operator.conclude({}, fired(trigger))


@dataclass
class Supervisor:
    """Airflow's side of the task: takes note of what a person is asked."""

    asked: list[Any] = field(default_factory=list)

    def send(self, msg: Any) -> None:
        self.asked.append(msg)


@dataclass
class Question:
    """A task that waits for a person."""

    operator: AnalyseVersionOperator
    parked: TaskAwaitingInput
    subject: str
    body: str

    def answer(self, *, option: str | None) -> Any:
        """As the scheduler resumes it; None: the week is over."""
        event: dict[str, Any] = {"error": "timed out", "error_type": "timeout"}
        if option:
            user = {"id": "7", "name": "ada"}
            given = {"chosen_options": [option], "params_input": {}, "responded_by_user": user, "timedout": False}
            event = given | {"responded_at": datetime.now(UTC)}
        kwargs = through_serde({**(self.parked.kwargs or {}), "event": event})
        return self.operator.resume_execution(self.parked.method_name, kwargs, {})


@pytest.fixture
def question(served: Served, monkeypatch: pytest.MonkeyPatch) -> Question:
    supervisor = Supervisor()
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", supervisor, raising=False)
    operator = operator_of(served, minimum_requests=10)
    event = measured(operator, served.pod)
    instance = type("Instance", (), {"id": "0190a6c4-7b5c-7000-8000-000000000000"})
    with pytest.raises(TaskAwaitingInput) as parked:
        operator.conclude({"task_instance": instance}, event)
    return Question(operator, parked.value, supervisor.asked[0].subject, supervisor.asked[0].body)


def test_what_cannot_be_told_is_put_to_a_person_with_what_was_seen(question: Question) -> None:
    assert question.subject == "Go on with the rollout of iris canary?"
    assert "error rate: 0 requests in this interval, at least 10 say something" in question.body
    assert question.parked.timeout == timedelta(days=7)


def test_a_persons_yes_lets_the_rollout_go_on_and_is_recorded(question: Question) -> None:
    found = question.answer(option="Approve")
    assert (found["phase"], found["responded_by_user"]["name"]) == ("Successful", "ada")
    assert found["summary"] == "iris canary is good: ada said so"
    assert "Inconclusive" in [each["outcome"] for each in found["measurements"]]


def test_a_persons_no_fails_the_task_so_that_undo_runs(question: Question) -> None:
    with pytest.raises(RolloutError, match=r"iris canary: ada said no\. Undo takes it back"):
        question.answer(option="Reject")


def test_no_answer_in_a_week_is_a_no(question: Question) -> None:
    with pytest.raises(RolloutError, match="nobody said in a week whether it is good"):
        question.answer(option=None)


def test_a_turn_that_lapsed_while_a_person_thought_is_taken_again_or_fought_over_by_nobody(
    question: Question, served: Served
) -> None:
    turn_of(served, "r1").give_back()
    assert question.answer(option="Approve")["phase"] == "Successful"
    assert not turn_of(served, "r2").take()
    turn_of(served, "r1").give_back()
    assert turn_of(served, "r2").take()
    with pytest.raises(ConflictError, match="it is the turn of run r2"):
        question.answer(option="Approve")
