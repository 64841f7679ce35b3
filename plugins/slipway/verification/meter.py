"""Looks at the pods of a version: scrapes their metrics, replays the golden rows, and says what that means."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from slipway.core.errors import DeniedError, RolloutError, UnavailableError
from slipway.verification.analysis import Measurement
from slipway.verification.criteria import GOLDEN, Criteria, restarts
from slipway.verification.golden_check import replay
from slipway.verification.pods import Pod, PodReader, is_ready, number_of_pods
from slipway.verification.version_metrics import Traffic, Window, read_traffic

_TIMEOUT_SECONDS = 10
_FAILED = "could not measure the new version"


@dataclass(frozen=True)
class GoldenRows:
    """What training predicted, and the digest of the bundle that is to predict the same."""

    golden: dict[str, Any]
    digest: str


class Meter:
    """Measures one version again and again; remembers what it saw last, so that each measurement is about one interval.

    The first call only looks where the counts stand: it measures golden rows alone.

    Args:
        pods: of the version.
        criteria: what is allowed.
        golden: None: they are not replayed.
        api_key: None: the pods are open.
    """

    def __init__(
        self, pods: PodReader, criteria: Criteria, *, golden: GoldenRows | None, api_key: str | None = None
    ) -> None:
        self._pods, self._criteria, self._golden, self._key = pods, criteria, golden, api_key
        self._window = Window()
        self._restarts: dict[str, int] | None = None

    def measure(self, wanted: Collection[str]) -> list[Measurement]:
        """One round through all pods; the measurements that could be made, and an Error for each one that could not.

        Raises:
            SlipwayError: measuring again cannot help, e.g. DeniedError.
        """
        found: dict[str, Measurement] = {}
        try:
            pods = self._pods.pods()
            self._add(found, self._count_restarts(pods))
            self._ask([pod for pod in pods if pod.ready], found, golden=GOLDEN in wanted)
        except UnavailableError as error:
            for metric in wanted:
                found.setdefault(metric, Measurement(metric, "Error", f"{error.on}: {error.why}"))
        return [found[metric] for metric in wanted if metric in found]

    def _ask(self, pods: list[Pod], found: dict[str, Measurement], *, golden: bool) -> None:
        answered = 0
        for pod in pods:
            try:
                self._add(found, self._visit(pod, golden=golden and GOLDEN not in found))
            except UnavailableError:
                if is_ready(self._pods, pod.name):
                    raise
            else:
                answered += 1
        if not answered:
            fix = "Its events and its log say why: kubectl describe pod."
            raise UnavailableError(_FAILED, on="its pods", why="none is ready", fix=fix)
        if golden:
            found.setdefault(
                GOLDEN, Measurement(GOLDEN, "Successful", f"{number_of_pods(answered)} answered as in training")
            )
        if (traffic := self._window.take()) is not None:
            self._add(found, self._criteria.error_rate(traffic))
            self._add(found, self._criteria.latency(traffic))

    def _visit(self, pod: Pod, *, golden: bool) -> Measurement | None:
        """Count what the pod answered; returns what is wrong with its golden rows. Those count as nobody's requests."""
        try:
            with self._pods.opened(pod.name) as url:
                self._window.observe(pod.name, scrape(url, self._key))
                if not golden:
                    return None
                fault = self._replay(pod, url)
                self._window.rebase(pod.name, scrape(url, self._key))
                return fault
        except (DeniedError, UnavailableError) as error:
            # The address is a tunnel's, which tells nobody which pod it was.
            raise type(error)(error.failed, on=f"pod {pod.name}", why=error.why, fix=error.fix) from error

    def _replay(self, pod: Pod, url: str) -> Measurement | None:
        assert self._golden is not None
        try:
            replay(self._golden.golden, self._golden.digest, url, self._key)
        except RolloutError as error:
            return Measurement(GOLDEN, "Failed", f"{pod.name}: {error.why}", pod=pod.name)
        return None

    def _count_restarts(self, pods: list[Pod]) -> Measurement | None:
        """Since the last call; a pod that is new by then began at none."""
        before, self._restarts = self._restarts, {pod.name: pod.restarts for pod in pods}
        if before is None:
            return None
        more = {name: max(0, count - before.get(name, 0)) for name, count in self._restarts.items()}
        return restarts(more, {pod.name: pod.ended for pod in pods})

    @staticmethod
    def _add(found: dict[str, Measurement], measurement: Measurement | None) -> None:
        if measurement:
            found[measurement.metric] = measurement


def scrape(url: str, api_key: str | None = None) -> Traffic:
    """What a server counted since its start.

    Raises:
        DeniedError: it does not know the key.
        UnavailableError: it does not answer, or says what no model server says.
    """
    address = f"{url}/metrics"
    request = urllib.request.Request(address, headers={"Authorization": f"Bearer {api_key}"} if api_key else {})
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:
            return read_traffic(answer.read().decode())
    except urllib.error.HTTPError as error:
        if error.code == http.HTTPStatus.UNAUTHORIZED:
            fix = (
                "The pods were started with other keys: was the connection of access.conn_id changed since the rollout?"
            )
            raise DeniedError(_FAILED, on=address, why="the pod does not know our key", fix=fix) from error
        raise _unavailable(address, f"status {error.code}") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _unavailable(address, str(error)) from error


def _unavailable(address: str, why: str) -> UnavailableError:
    return UnavailableError(_FAILED, on=address, why=why, fix="The pod's log says more: kubectl logs.")
