"""What the API server fills in: the same object applied twice is the same object."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Object = dict[str, Any]

PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
QUARTER = "25%"


def set_defaults(obj: Object) -> None:
    """Complete an object in place."""
    complete = _BY_KIND.get(obj["kind"])
    if complete:
        complete(obj)


def fill(target: Object, **values: Any) -> None:
    """Set each value that is absent or null."""
    for name, value in values.items():
        if target.get(name) is None:
            target[name] = value


def _deployment(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    fill(spec, replicas=1, revisionHistoryLimit=10, progressDeadlineSeconds=600, strategy={})
    fill(spec["strategy"], type="RollingUpdate")
    if spec["strategy"]["type"] == "RollingUpdate":
        fill(spec["strategy"], rollingUpdate={})
        fill(spec["strategy"]["rollingUpdate"], maxSurge=QUARTER, maxUnavailable=QUARTER)
    _template(spec)


def _replica_set(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    fill(spec, replicas=1)
    _template(spec)


def _job(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    fill(spec, parallelism=1, completions=1, backoffLimit=6, completionMode="NonIndexed", suspend=False)
    fill(spec, podReplacementPolicy="TerminatingOrFailed", manualSelector=False)
    _template(spec)


def _template(spec: Object) -> None:
    _pod_spec(spec.setdefault("template", {}).setdefault("spec", {}))


def _pod(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    _pod_spec(spec)
    fill(spec, enableServiceLinks=True, preemptionPolicy="PreemptLowerPriority", priority=0)
    fill(spec, serviceAccountName=spec.get("serviceAccount") or "default")
    spec["serviceAccount"] = spec["serviceAccountName"]
    spec.setdefault("tolerations", [_toleration("not-ready"), _toleration("unreachable")])
    for container in spec.get("containers") or []:
        _requests_of_limits(container)
    obj.setdefault("status", {"phase": "Pending", "qosClass": _qos_class(spec)})


def _toleration(what: str) -> Object:
    return {"key": f"node.kubernetes.io/{what}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}


def _requests_of_limits(container: Object) -> None:
    """A limit without a request is the request."""
    limits = container["resources"].get("limits")
    if limits:
        container["resources"]["requests"] = limits | (container["resources"].get("requests") or {})


def _qos_class(spec: Object) -> str:
    resources = [container["resources"] for container in spec.get("containers") or []]
    if not any(one.get("limits") or one.get("requests") for one in resources):
        return "BestEffort"
    needed = {"cpu", "memory"}
    guaranteed = all(
        needed <= (one.get("limits") or {}).keys() and one.get("limits") == one.get("requests") for one in resources
    )
    return "Guaranteed" if guaranteed else "Burstable"


def _pod_spec(spec: Object) -> None:
    fill(spec, restartPolicy="Always", dnsPolicy="ClusterFirst", schedulerName="default-scheduler")
    fill(spec, terminationGracePeriodSeconds=30, securityContext={})
    if spec.get("serviceAccountName"):
        spec["serviceAccount"] = spec["serviceAccountName"]
    for group in ("initContainers", "containers"):
        for container in spec.get(group) or []:
            _container(container)
    for volume in spec.get("volumes") or []:
        _volume(volume)


def _container(container: Object) -> None:
    fill(container, terminationMessagePath="/dev/termination-log", terminationMessagePolicy="File", resources={})
    fill(container, imagePullPolicy=_pull_policy(container.get("image") or ""))
    for port in container.get("ports") or []:
        fill(port, protocol="TCP")
    for variable in container.get("env") or []:
        reference = (variable.get("valueFrom") or {}).get("fieldRef")
        if reference:
            fill(reference, apiVersion="v1")
    for probe in PROBES:
        if container.get(probe):
            _probe(container[probe])
    for hook in (container.get("lifecycle") or {}).values():
        if isinstance(hook, dict):
            _http_get(hook)


def _pull_policy(image: str) -> str:
    if "@" in image:
        return "IfNotPresent"
    name = image.rpartition("/")[2]
    return "Always" if name.partition(":")[2] in {"", "latest"} else "IfNotPresent"


def _probe(probe: Object) -> None:
    fill(probe, timeoutSeconds=1, periodSeconds=10, successThreshold=1, failureThreshold=3)
    _http_get(probe)
    if probe.get("grpc"):
        fill(probe["grpc"], service="")


def _http_get(handler: Object) -> None:
    if handler.get("httpGet"):
        fill(handler["httpGet"], path="/", scheme="HTTP")


def _volume(volume: Object) -> None:
    for source in ("configMap", "secret", "downwardAPI", "projected"):
        if isinstance(volume.get(source), dict):
            fill(volume[source], defaultMode=0o644)
    if set(volume) == {"name"}:
        volume["emptyDir"] = {}


def _service(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    fill(spec, type="ClusterIP", sessionAffinity="None", internalTrafficPolicy="Cluster")
    if spec["type"] in {"NodePort", "LoadBalancer"}:
        fill(spec, externalTrafficPolicy="Cluster")
    if spec["type"] == "LoadBalancer":
        fill(spec, allocateLoadBalancerNodePorts=True)
    if spec["type"] != "ExternalName":
        fill(spec, ipFamilies=["IPv4"], ipFamilyPolicy="SingleStack")
    for port in spec.get("ports") or []:
        fill(port, protocol="TCP", targetPort=port.get("port"))


def _autoscaler(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    fill(spec, minReplicas=1)
    if not spec.get("metrics"):
        target = {"type": "Utilization", "averageUtilization": 80}
        spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    if spec.get("behavior"):
        for direction, rules in spec["behavior"].items():
            fill(rules, selectPolicy="Max", policies=_policies(direction))


def _policies(direction: str) -> list[Object]:
    everything = {"type": "Percent", "value": 100, "periodSeconds": 15}
    return [everything] if direction == "scaleDown" else [{"type": "Pods", "value": 4, "periodSeconds": 15}, everything]


def _network_policy(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    if not spec.get("policyTypes"):
        spec["policyTypes"] = ["Ingress", *(["Egress"] if spec.get("egress") else [])]
    for rule in [*(spec.get("ingress") or []), *(spec.get("egress") or [])]:
        for port in rule.get("ports") or []:
            fill(port, protocol="TCP")


def _config_map(obj: Object) -> None:
    for name in ("data", "binaryData"):
        if obj.get(name) in (None, {}):
            obj.pop(name, None)


def _secret(obj: Object) -> None:
    fill(obj, type="Opaque")


def _gateway(obj: Object) -> None:
    for listener in obj.setdefault("spec", {}).get("listeners") or []:
        fill(listener, allowedRoutes={})
        fill(listener["allowedRoutes"], namespaces={})
        fill(listener["allowedRoutes"]["namespaces"], **{"from": "Same"})
        if listener.get("tls"):
            fill(listener["tls"], mode="Terminate")
            for reference in listener["tls"].get("certificateRefs") or []:
                fill(reference, group="", kind="Secret")


def _http_route(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    for parent in spec.get("parentRefs") or []:
        fill(parent, group="gateway.networking.k8s.io", kind="Gateway")
    match = {"path": {"type": "PathPrefix", "value": "/"}}
    fill(spec, rules=[{"matches": [match]}])
    for rule in spec["rules"]:
        fill(rule, matches=[{"path": dict(match["path"])}])
        for one in rule["matches"]:
            fill(one, path=dict(match["path"]))
            fill(one["path"], type="PathPrefix", value="/")
        for backend in rule.get("backendRefs") or []:
            fill(backend, group="", kind="Service", weight=1)


def _namespace(obj: Object) -> None:
    fill(obj, spec={}, status={"phase": "Active"})
    fill(obj["spec"], finalizers=["kubernetes"])
    labels = obj["metadata"].setdefault("labels", {})
    labels["kubernetes.io/metadata.name"] = obj["metadata"]["name"]


_BY_KIND: dict[str, Callable[[Object], None]] = {
    "Deployment": _deployment,
    "ReplicaSet": _replica_set,
    "Job": _job,
    "Pod": _pod,
    "Service": _service,
    "HorizontalPodAutoscaler": _autoscaler,
    "NetworkPolicy": _network_policy,
    "ConfigMap": _config_map,
    "Secret": _secret,
    "Gateway": _gateway,
    "HTTPRoute": _http_route,
    "Namespace": _namespace,
}
