"""A model's objects on a cluster: the files of `serving/k8s/` with what the model file and the version say."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from slipway.cluster.labels import MODEL, TRACK, TRAFFIC
from slipway.core.errors import ConfigurationError
from slipway.core.identity import content_id, sha256_hex, short
from slipway.core.kubernetes_section import KubernetesTarget
from slipway.core.serving_folder import serving_folder
from slipway.rollout.kubernetes import entry, policy
from slipway.rollout.kubernetes.manifest_files import ManifestFiles, get_named, items, part, set_named
from slipway.rollout.kubernetes.names import (
    BUNDLE,
    VERSION,
    VERSION_ID,
    Track,
    deployment_name,
    labels,
    object_name,
    track_labels,
)
from slipway.rollout.kubernetes.version import Version
from slipway.rollout.served import check_image

CONTAINER = "server"
PORT = 8080
_KEY_HASHES = "SLIPWAY_API_KEY_HASHES"


class Manifests:
    """What is to be applied for one model; JSON objects of the Kubernetes API, each with name, namespace and labels.

    Equal inputs make equal objects. Every method reads files and raises ConfigurationError where one is not usable.

    Args:
        model: the model's name.
        target: the model file's section.
        folder: the manifests; default: ``serving/k8s``.
    """

    def __init__(self, model: str, target: KubernetesTarget, folder: Path | None = None) -> None:
        self._model, self._target = model, target
        self._files = ManifestFiles(folder or serving_folder() / "k8s")
        self.name = object_name(model)

    @property
    def weighted(self) -> bool:
        """Whether an HTTPRoute splits the traffic; else a canary's share is its share of the pods."""
        return bool(self._target.expose and self._target.expose.gateway)

    def endpoint(self) -> str:
        """The URL: ``https://host``, ``http://host``, or ``http://<name>.<namespace>.svc`` inside the cluster."""
        return entry.endpoint(self._target, self.name)

    def foundation(self, version: Version) -> list[dict[str, Any]]:
        """What a version's pods stand on: ServiceAccount, NetworkPolicy, PodDisruptionBudget, and who may ask.

        Raises:
            ConfigurationError: image or bundle is not named by its digest.
        """
        _check(version)
        network = self._ours("NetworkPolicy")
        part(network, "spec")["podSelector"] = self._servers()
        network["spec"]["ingress"] = [
            {"ports": [{"protocol": "TCP", "port": PORT}], "from": policy.sources(self._target)}
        ]
        budget = self._ours("PodDisruptionBudget")
        part(budget, "spec")["selector"] = self._servers()
        return [self._ours("ServiceAccount"), network, budget, *self._key_hashes(version)]

    def workload(self, track: Track, version: Version, replicas: int | None) -> dict[str, Any]:
        """The Deployment of a track.

        Args:
            track: whose selector, name and share of the traffic.
            version: what its pods are.
            replicas: how many; None: not declared, as the autoscaler owns it.

        Raises:
            ConfigurationError: image or bundle is not named by its digest.
        """
        _check(version)
        deployment = self._ours("Deployment", deployment_name(self._model, track))
        deployment["metadata"]["labels"][TRACK] = track
        told = {VERSION: version.annotation(), VERSION_ID: self.version_id(version)}
        part(deployment, "metadata", "annotations").update(told)
        spec = part(deployment, "spec")
        spec["selector"] = {"matchLabels": track_labels(self._model, track)}
        spec["progressDeadlineSeconds"] = math.ceil(self._target.timeout_minutes * 60)
        spec.pop("replicas", None)
        if replicas is not None:
            spec["replicas"] = replicas
        self._fill_template(part(spec, "template"), track, version)
        return deployment

    def version_id(self, version: Version) -> str:
        """12 hex digits over the version and all else that its pods are made of, such as the files; the same on every track."""
        template = part(self._files.load("Deployment"), "spec", "template")
        self._fill_template(template, "main", version)
        return short(content_id([version.id, template]))

    def autoscaler(self, track: Track) -> dict[str, Any] | None:
        """What scales a track's Deployment, or None where the model file does not ask for it."""
        autoscale = self._target.autoscale
        if autoscale is None:
            return None
        scaler = self._ours("HorizontalPodAutoscaler")
        spec = part(scaler, "spec")
        spec |= {"minReplicas": self._target.replicas, "maxReplicas": autoscale.maximum}
        part(spec, "scaleTargetRef")["name"] = deployment_name(self._model, track)
        use = {"type": "Utilization", "averageUtilization": autoscale.cpu_percent}
        metrics = [each for each in items(scaler, "spec", "metrics") if each.get("resource", {}).get("name") != "cpu"]
        spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": use}}, *metrics]
        return scaler

    def entry(self, weights: Mapping[Track, int]) -> list[dict[str, Any]]:
        """Services, and in front of them Gateway and HTTPRoute, or Ingress; in the order in which they may be applied.

        Args:
            weights: percent of the traffic by track, of main, blue or green, and of the canary beside it. Without a
                Gateway a canary's share is that of its pods, and its weight changes nothing here.

        Raises:
            ValueError: weights that cannot be.
        """
        serving, to_canary = entry.split(weights)
        services = {self.name: serving}
        if self.weighted and to_canary:
            services[f"{self.name}-canary"] = "canary"
        made = [self._service(name, track) for name, track in services.items()]
        expose, port = self._target.expose, entry.service_port(self._target)
        if expose and expose.gateway:
            if expose.gateway.class_name:
                made.append(entry.fill_gateway(self._ours("Gateway"), expose.gateway, self.name))
            backends = {name: weights[track] for name, track in services.items()}
            made.append(entry.fill_route(self._ours("HTTPRoute"), expose.gateway, self.name, backends, port))
        if expose and expose.ingress:
            made.append(entry.fill_ingress(self._ours("Ingress"), expose.ingress, self.name))
        return made

    def _servers(self) -> dict[str, Any]:
        """Selects the pods of every track, and no other pods of the model, such as its training."""
        return {"matchLabels": {MODEL: self._model}, "matchExpressions": [{"key": TRACK, "operator": "Exists"}]}

    def _service(self, name: str, track: Track) -> dict[str, Any]:
        return entry.fill_service(self._ours("Service", name), self._target, {MODEL: self._model, TRAFFIC: track})

    def _ours(self, kind: str, name: str | None = None) -> dict[str, Any]:
        found = self._files.load(kind)
        metadata = part(found, "metadata")
        metadata |= {"name": name or self.name, "namespace": self._target.namespace}
        part(found, "metadata", "labels").update(labels(self._model))
        return found

    def _key_hashes(self, version: Version) -> list[dict[str, Any]]:
        if version.key_hashes is None:
            return []
        config = self._ours("ConfigMap", self._config_name(version.key_hashes))
        config["data"] = {"hashes": " ".join(version.key_hashes)}
        return [config]

    def _config_name(self, key_hashes: tuple[str, ...]) -> str:
        """Named after its content: the pods of another version keep the keys they were started with."""
        return f"{self.name}-keys-{sha256_hex(' '.join(key_hashes).encode())[:8]}"

    def _pod_labels(self, track: Track, version: Version) -> dict[str, str]:
        shares_pods = track == "canary" and not self.weighted
        traffic = {TRAFFIC: "main" if shares_pods else track}
        return {**labels(self._model), TRACK: track, **traffic, BUNDLE: short(version.digest)}

    def _fill_template(self, template: dict[str, Any], track: Track, version: Version) -> None:
        part(template, "metadata", "labels").update(self._pod_labels(track, version))
        pod = part(template, "spec")
        pod["serviceAccountName"] = self.name
        pod.pop("imagePullSecrets", None)
        if self._target.pull_secret:
            pod["imagePullSecrets"] = [{"name": self._target.pull_secret}]
        for constraint in items(pod, "topologySpreadConstraints"):
            constraint["labelSelector"] = {"matchLabels": track_labels(self._model, track)}
        container = get_named(items(pod, "containers"), CONTAINER)
        container["image"] = version.image
        container["args"] = _arguments(version)
        part(container, "resources", "requests").update({"cpu": version.cpu, "memory": version.memory})
        part(container, "resources", "limits").update({"cpu": version.cpu_limit, "memory": version.memory})
        self._fill_environment(container, version)

    def _fill_environment(self, container: dict[str, Any], version: Version) -> None:
        variables = [each for each in items(container, "env") if each.get("name") != _KEY_HASHES]
        set_named(variables, {"name": "SLIPWAY_BUNDLE_DIGEST", "value": version.digest})
        set_named(variables, {"name": "SLIPWAY_WORKERS", "value": str(version.workers)})
        if version.key_hashes is not None:
            key = {"name": self._config_name(version.key_hashes), "key": "hashes"}
            set_named(variables, {"name": _KEY_HASHES, "valueFrom": {"configMapKeyRef": key}})
        container["env"] = variables


def _arguments(version: Version) -> list[str]:
    """The server's, as in every other container of it."""
    if version.key_hashes is None:
        return ["serve", "--open"]
    if not version.requests_per_second:
        return ["serve"]
    return ["serve", "--requests-per-second", f"{version.requests_per_second:.15g}", "--burst", str(version.burst)]


def _check(version: Version) -> None:
    check_image(version.image, version.digest)
    if version.key_hashes == ():
        raise ConfigurationError(
            "could not roll out",
            on=f"image {version.image}",
            why="no API key may ask it, and it is not open either",
            fix="Give the connection of the model file's access section a key, or say `access: {open: true}`.",
        )
