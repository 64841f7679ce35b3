"""The Job controller, for Jobs of one pod: made again until it succeeds or its back-off limit is reached."""

from __future__ import annotations

from datetime import datetime, timedelta

from tests.cluster.deployments import MANAGER
from tests.cluster.events import Recorder
from tests.cluster.owners import find_condition, is_active, is_ending, is_true, owned
from tests.cluster.replica_sets import Admit, admit_all, pod_of
from tests.cluster.status import StatusError
from tests.cluster.store import Object, Store

LIMIT = ("BackoffLimitExceeded", "Job has reached the specified backoff limit")
DEADLINE = ("DeadlineExceeded", "Job was active longer than specified deadline")
DONE = ("CompletionsReached", "Reached expected number of succeeded pods")


class Jobs:
    """Brings every Job to its end. `backoff_seconds`: before the second pod; doubled for each further one."""

    def __init__(self, store: Store, admit: Admit = admit_all, *, backoff_seconds: float = 0.1) -> None:
        self._store = store
        self._events = Recorder(store, "job-controller")
        self._admit = admit
        self._backoff_seconds = backoff_seconds
        self._next: dict[str, datetime] = {}

    def sync(self) -> None:
        for job in self._store.list("Job"):
            if is_ending(job) or job["spec"].get("suspend"):
                continue
            if is_true(job, "Complete") or is_true(job, "Failed"):
                self._remove_if_old(job)
            else:
                self._sync(job)

    def _sync(self, job: Object) -> None:
        pods = owned(self._store, "Pod", job)
        failed, succeeded = (_ended(pods, phase) for phase in ("Failed", "Succeeded"))
        active = [pod for pod in pods if is_active(pod)]
        reason = self._why_it_failed(job, failed)
        if not succeeded and reason is None and not active:
            active = self._create(job, len(failed))
        if reason is not None:
            for pod in active:
                self._store.delete("Pod", pod["metadata"]["namespace"], pod["metadata"]["name"])
            active = []
        status = _status(job, active, failed, succeeded, self._store.now())
        if succeeded:
            self._end(job, status, ("SuccessCriteriaMet", "Complete"), DONE)
        elif reason is not None:
            self._end(job, status, ("FailureTarget", "Failed"), reason)
        self._write(job, status)

    def _write(self, job: Object, status: Object) -> None:
        if job.get("status") != status:
            self._store.put(job | {"status": status}, subresource="status", manager=MANAGER)

    def _why_it_failed(self, job: Object, failed: list[Object]) -> tuple[str, str] | None:
        spec, started = job["spec"], job.get("status", {}).get("startTime")
        if len(failed) > spec.get("backoffLimit", 6):
            return LIMIT
        seconds = spec.get("activeDeadlineSeconds")
        if seconds and started and (self._store.clock() - datetime.fromisoformat(started)).total_seconds() >= seconds:
            return DEADLINE
        return None

    def _create(self, job: Object, failures: int) -> list[Object]:
        uid, now = job["metadata"]["uid"], self._store.clock()
        earliest = self._next.setdefault(f"{uid}/{failures}", now + timedelta(seconds=self._delay_seconds(failures)))
        if now < earliest:
            return []
        pod = pod_of(job, job["spec"]["template"])
        pod["metadata"]["labels"] = pod["metadata"].get("labels", {}) | job_labels(job)
        try:
            self._admit(pod)
            made = self._store.create(pod, manager=MANAGER)
        except StatusError as error:
            self._events.record(job, "FailedCreate", f"Error creating: {error}", warning=True)
            self._next[f"{uid}/{failures}"] = now + timedelta(seconds=self._backoff_seconds)
            return []
        self._events.record(job, "SuccessfulCreate", f"Created pod: {made['metadata']['name']}")
        return [made]

    def _delay_seconds(self, failures: int) -> float:
        return self._backoff_seconds * 2 ** (failures - 1) if failures else 0

    def _end(self, job: Object, status: Object, types: tuple[str, str], why: tuple[str, str]) -> None:
        now = self._store.now()
        status["conditions"] = [
            {
                "type": type_,
                "status": "True",
                "lastProbeTime": now,
                "lastTransitionTime": now,
                "reason": why[0],
                "message": why[1],
            }
            for type_ in types
        ]
        if types[1] == "Complete":
            status["completionTime"] = now
            self._events.record(job, "Completed", "Job completed")
        else:
            self._events.record(job, *why, warning=True)

    def _remove_if_old(self, job: Object) -> None:
        seconds = job["spec"].get("ttlSecondsAfterFinished")
        ended = find_condition(job, "Complete") or find_condition(job, "Failed")
        if seconds is None or ended is None:
            return
        age = self._store.clock() - datetime.fromisoformat(ended["lastTransitionTime"])
        if age.total_seconds() >= seconds:
            self._store.delete("Job", job["metadata"]["namespace"], job["metadata"]["name"])


def job_labels(job: Object) -> dict[str, str]:
    """What a Job's pods carry besides their template's labels."""
    name, uid = job["metadata"]["name"], job["metadata"]["uid"]
    return {
        "batch.kubernetes.io/controller-uid": uid,
        "batch.kubernetes.io/job-name": name,
        "controller-uid": uid,
        "job-name": name,
    }


def _ended(pods: list[Object], phase: str) -> list[Object]:
    return [pod for pod in pods if pod.get("status", {}).get("phase") == phase]


def _status(job: Object, active: list[Object], failed: list[Object], succeeded: list[Object], now: str) -> Object:
    ready = sum(is_true(pod, "Ready") for pod in active)
    counts = {"active": len(active), "failed": len(failed), "succeeded": len(succeeded)}
    return {
        **{name: number for name, number in counts.items() if number},
        "ready": ready,
        "startTime": job.get("status", {}).get("startTime", now),
        "terminating": 0,
        "uncountedTerminatedPods": {},
    }
