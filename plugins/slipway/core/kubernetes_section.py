"""The target `kubernetes` of a model file's section `deploy`."""

from __future__ import annotations

import itertools
from typing import Annotated, Literal, NamedTuple

from pydantic import Field, ValidationInfo, field_validator, model_validator

from slipway.core.ingress import Cidr, refuse_everyone
from slipway.core.kubernetes_values import (
    Cpu,
    HostName,
    Memory,
    NamespaceName,
    ObjectName,
    cpu_text,
    millicores,
)
from slipway.core.section import Section, exactly_one

_REQUEST_PER_WORKER = 250  # thousandths of a processor
_LIMIT_PER_WORKER = 1000
_MEMORY_PER_WORKER = 512  # Mi


class Resources(NamedTuple):
    """What a pod asks for and may use; quantities of the Kubernetes API. Memory is request and limit."""

    cpu: str
    cpu_limit: str
    memory: str


class Analysis(Section):
    """How a new version is judged while it serves; the semantics are Argo Rollouts'."""

    interval_seconds: float = Field(15, gt=0, le=3600, description="Between two measurements.")
    count: int = Field(4, ge=1, le=1000, description="Measurements in a step.")
    maximum_error_rate: float = Field(0.01, ge=0, le=1, description="Share of answers with a status of 500 or more.")
    maximum_latency_seconds: float | None = Field(
        None, gt=0, le=3600, description="Of 99 in 100 answers; null: not judged."
    )
    minimum_requests: int = Field(0, ge=0, description="Fewer in one interval make the measurement inconclusive.")
    golden_rows: bool = Field(True, description="Whether the new version must answer the golden rows as training did.")
    failure_limit: int = Field(0, ge=0, description="More failed measurements than this fail the analysis.")
    inconclusive_limit: int = Field(0, ge=0, description="More inconclusive ones make it ask a person.")
    error_limit: int = Field(4, ge=0, description="More measurements in a row that could not be taken are an error.")


class Canary(Section):
    """The new version takes a growing share of the traffic, and is judged at each step."""

    steps: tuple[Annotated[int, Field(ge=1, le=99)], ...] = Field(
        (10, 50),
        min_length=1,
        description="Percent of the traffic, rising; without a gateway of the pods, rounded, and at least one pod.",
    )
    analysis: Analysis = Analysis()

    @field_validator("steps")
    @classmethod
    def _steps_rise(cls, steps: tuple[int, ...]) -> tuple[int, ...]:
        if any(later <= earlier for earlier, later in itertools.pairwise(steps)):
            raise ValueError("percents of 1 to 99 that rise, such as [10, 50]")
        return steps


class BlueGreen(Section):
    """The new version starts whole beside the old one; the traffic is switched at once, and back if it fails."""

    analysis: Analysis = Analysis()


class Strategy(Section):
    """How a new version replaces the old one; without this section: rolling, pod by pod."""

    allowed = "{canary: {}} or {blue_green: {}}; leave strategy out for rolling"
    instead_of = dict.fromkeys(("rolling", "rolling_update"), "leave strategy out for rolling")

    canary: Canary | None = None
    blue_green: BlueGreen | None = None

    @model_validator(mode="after")
    def _one_strategy(self) -> Strategy:
        exactly_one(self)
        return self


class Gateway(Section):
    """An HTTPRoute at a Gateway of the Gateway API: an existing one, or one of our own."""

    host: HostName = Field(description="The endpoint's DNS name, e.g. iris.example.com.")
    name: ObjectName | None = Field(None, description="An existing Gateway.")
    namespace: NamespaceName | None = Field(
        None,
        description="Of that Gateway; default: the target's. If its proxies run elsewhere, name that in allow_from.",
    )
    class_name: ObjectName | None = Field(None, description="A GatewayClass, of which Slipway makes a Gateway.")
    issuer: ObjectName | None = Field(None, description="cert-manager ClusterIssuer for a Gateway of class_name: TLS.")
    tls: bool = Field(False, description="Whether the existing Gateway terminates TLS for the host.")

    @model_validator(mode="after")
    def _existing_or_ours(self) -> Gateway:
        if (self.name is None) == (self.class_name is None):
            raise ValueError("exactly one of name (an existing Gateway) and class_name (Slipway makes one)")
        if self.name is None and self.namespace is not None:
            raise ValueError("namespace together with name; a Gateway of class_name is made in the target's namespace")
        if self.name is None and self.tls:
            raise ValueError("tls together with name; for a Gateway of class_name, issuer is what gives it TLS")
        if self.class_name is None and self.issuer is not None:
            raise ValueError("issuer together with class_name; an existing Gateway has its certificate already (tls)")
        return self


class Ingress(Section):
    """An Ingress, for clusters without the Gateway API."""

    host: HostName = Field(description="The endpoint's DNS name, e.g. iris.example.com.")
    class_name: ObjectName = Field(description="An IngressClass.")
    issuer: ObjectName | None = Field(None, description="cert-manager ClusterIssuer: TLS.")
    tls_secret: ObjectName | None = Field(None, description="An existing Secret with a certificate: TLS.")

    @model_validator(mode="after")
    def _one_certificate(self) -> Ingress:
        if self.issuer is not None and self.tls_secret is not None:
            raise ValueError("issuer or tls_secret, not both: cert-manager would write into that Secret")
        return self


class LoadBalancer(Section):
    """A Service of type LoadBalancer: the cloud's load balancer, without TLS."""

    # Before `source_ranges`: a validator sees the fields that stand above its own.
    public: bool = Field(False, description="Whether everyone may come in, as 0.0.0.0/0 says; refused without this.")
    source_ranges: tuple[Cidr, ...] = Field(
        min_length=1, description="Who may connect, e.g. 203.0.113.0/24; 0.0.0.0/0 only with public: true."
    )
    port: int = Field(80, ge=1, le=65535)

    @field_validator("source_ranges")
    @classmethod
    def _world_on_purpose(cls, ranges: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if info.data.get("public") is False:
            refuse_everyone(ranges, "`public: true` beside `source_ranges` would open it to the world")
        return ranges


class Expose(Section):
    """How the endpoint is reached from outside the cluster: exactly one way."""

    gateway: Gateway | None = None
    ingress: Ingress | None = None
    load_balancer: LoadBalancer | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Expose:
        exactly_one(self)
        return self


class Autoscale(Section):
    """A HorizontalPodAutoscaler; the least number of pods is `replicas`."""

    instead_of = dict.fromkeys(
        ("minimum", "min", "min_replicas"), "the least number is `replicas` of the target, beside autoscale"
    )

    maximum: int = Field(ge=2, le=1000)
    cpu_percent: int = Field(70, ge=1, le=1000, description="Wanted average use, in percent of the cpu requested.")


class AllowFrom(Section):
    """Who may connect to the pods, besides pods of the same namespace and what `expose` lets in."""

    namespaces: tuple[NamespaceName, ...] = Field((), description="Such as the one of Prometheus, or of the proxies.")
    cidrs: tuple[Cidr, ...] = Field((), description="Such as a cloud load balancer's health checks.")

    @field_validator("cidrs")
    @classmethod
    def _some(cls, cidrs: tuple[str, ...]) -> tuple[str, ...]:
        refuse_everyone(cidrs)
        return cidrs


class KubernetesTarget(Section):
    """Serve from a Deployment on a Kubernetes cluster."""

    conn_id: str = Field("kubernetes_default", min_length=1, description="Airflow connection of type kubernetes.")
    namespace: NamespaceName = "default"
    replicas: int = Field(2, ge=1, le=1000)
    workers: int = Field(1, ge=1, le=64, description="Server processes in each pod.")
    cpu: Cpu | None = Field(None, description="Request, e.g. 500m or 2; default: 250m for each worker.")
    cpu_limit: Cpu | None = Field(None, description="Limit, e.g. 500m or 2; default: 1 for each worker.")
    memory: Memory | None = Field(
        None, description="Request and limit, e.g. 512Mi or 2Gi; default: 512Mi for each worker."
    )
    autoscale: Autoscale | None = None
    expose: Expose | None = Field(None, description="Default: reached inside the cluster only.")
    strategy: Strategy | None = Field(None, description="Default: rolling, pod by pod.")
    allow_from: AllowFrom = AllowFrom()
    pull_secret: ObjectName | None = Field(None, description="An existing Secret with the registry's log-in.")
    force_conflicts: bool = Field(
        False, description="Whether to take fields over that somebody else set, such as kubectl edit."
    )
    timeout_minutes: float = Field(10, gt=0, le=1440, description="What a rollout, or a step of one, may take in all.")

    @model_validator(mode="after")
    def _limits_hold_the_requests(self) -> KubernetesTarget:
        if self.cpu and self.cpu_limit and millicores(self.cpu) > millicores(self.cpu_limit):
            raise ValueError(f"cpu <= cpu_limit, not {self.cpu} > {self.cpu_limit}")
        return self

    @model_validator(mode="after")
    def _room_to_scale(self) -> KubernetesTarget:
        if self.autoscale and self.autoscale.maximum <= self.replicas:
            raise ValueError(f"replicas < autoscale.maximum, not {self.replicas} >= {self.autoscale.maximum}")
        return self

    @model_validator(mode="after")
    def _pods_to_share(self) -> KubernetesTarget:
        shares_pods = self.strategy_kind == "canary" and not (self.expose and self.expose.gateway)
        if shares_pods and self.replicas < 2:
            raise ValueError(
                "strategy.canary together with expose.gateway, or with replicas of 2 or more, as its share is one of pods"
            )
        return self

    @property
    def strategy_kind(self) -> Literal["rolling", "canary", "blue_green"]:
        """How a new version replaces the old one."""
        if self.strategy is None:
            return "rolling"
        return "canary" if self.strategy.canary else "blue_green"

    @property
    def resources(self) -> Resources:
        """What the file says, or else so much for each worker; a default gives way to what is given beside it."""
        limit = millicores(self.cpu_limit) if self.cpu_limit else self.workers * _LIMIT_PER_WORKER
        request = millicores(self.cpu) if self.cpu else min(self.workers * _REQUEST_PER_WORKER, limit)
        memory = self.memory or f"{self.workers * _MEMORY_PER_WORKER}Mi"
        return Resources(cpu_text(request), cpu_text(max(limit, request)), memory)
