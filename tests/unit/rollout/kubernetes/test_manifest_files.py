"""The YAML in serving/k8s as it stands: valid for a cluster, true to the server, and what Slipway itself applies."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from model_server.app import health_paths
from model_server.options import SAGEMAKER_PORT, parse
from model_server.processes import DRAIN_SECONDS
from model_server.settings import Settings
from slipway.core.errors import ConfigurationError
from slipway.core.kubernetes_section import KubernetesTarget
from slipway.core.serving_folder import serving_folder
from slipway.image.build_context import serving_files
from slipway.rollout.kubernetes.manifests import Manifests
from slipway.rollout.kubernetes.version import Version
from tests.unit.rollout.kubernetes.models import TRACKS, VERSION
from tests.unit.rollout.kubernetes.pod_security import violations
from tests.unit.rollout.kubernetes.schemas import GATEWAY_API, VERSIONS, problems

K8S = serving_folder() / "k8s"
FILES = sorted(K8S.rglob("*.yaml"))
ZEROS = f"sha256:{'0' * 64}"
SAMPLE = Version(f"registry.example.com/model@{ZEROS}", ZEROS, 1, "250m", "1", "512Mi", (ZEROS,))
SECTION = {
    "autoscale": {"maximum": 4},
    "expose": {"gateway": {"host": "model.example.com", "class_name": "example", "issuer": "letsencrypt"}},
}


def documents(path: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(path.read_text()))


def file(kind: str) -> dict[str, Any]:
    [found] = documents(K8S / f"{kind.lower()}.yaml")
    return found


def server() -> dict[str, Any]:
    [container] = file("Deployment")["spec"]["template"]["spec"]["containers"]
    assert isinstance(container, dict)
    return container


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(K8S)))
def test_a_file_is_valid(path: Path, version: str) -> None:
    for document in documents(path):
        assert problems(document, version) == []
        if document["apiVersion"] != GATEWAY_API:
            kubernetes_validate.validate(document, version, strict=True)


def test_the_newest_versions_are_the_last_three() -> None:
    assert len(VERSIONS) == 3
    assert VERSIONS[-1] == kubernetes_validate.latest_version()


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("Deployment", ("spec", "template", "spec", "containers", 0, "imagePullPolice"), "Always"),
        ("Deployment", ("spec", "replicas"), "two"),
        ("Deployment", ("metadata", "name"), "Model"),
        ("Deployment", ("metadata", "labels", "slipway.dev/model"), "-model"),
        ("Service", ("metadata", "name"), "3d"),
        ("HTTPRoute", ("spec", "rules", 0, "backendRefs", 0, "weight"), -1),
        ("HTTPRoute", ("spec", "rules", 0, "backendRefs", 0, "prot"), 80),
        ("HTTPRoute", ("spec", "hostnames"), ["https://model.example.com"]),
        ("HTTPRoute", ("spec", "hostnames"), []),
        ("Gateway", ("spec", "listeners", 0, "protocol"), "HTTPS"),
        ("Gateway", ("spec", "listeners", 1, "protocol"), "HTTP"),
        ("Gateway", ("metadata", "annotations", "no/good/key"), "x"),
    ],
)
def test_the_check_itself_tells_right_from_wrong(kind: str, path: tuple[Any, ...], value: Any) -> None:
    wrong = file(kind)
    here: Any = wrong
    for key in path[:-1]:
        here = here[key]
    here[path[-1]] = value
    assert problems(wrong, VERSIONS[-1])


@pytest.mark.parametrize("kind", ["Deployment", "NetworkPolicy", "PodDisruptionBudget", "Service", "ServiceAccount"])
def test_slipway_applies_the_files_as_they_are_read(kind: str) -> None:
    """For a model called `model`, with the values that stand in the files; what it adds is a namespace and two marks."""
    manifests = Manifests("model", KubernetesTarget())
    made = [*manifests.foundation(SAMPLE), manifests.workload("main", SAMPLE, 2), *manifests.entry({"main": 100})]
    assert [without_marks(each) for each in made if each["kind"] == kind] == [file(kind)]


@pytest.mark.parametrize("kind", ["HorizontalPodAutoscaler", "HTTPRoute", "Gateway"])
def test_so_it_does_those_of_optional_sections(kind: str) -> None:
    manifests = Manifests("model", KubernetesTarget.model_validate(SECTION))
    made = [manifests.autoscaler("main"), *manifests.entry({"main": 100})]
    assert [without_marks(each) for each in made if each and each["kind"] == kind] == [file(kind)]


def without_marks(made: dict[str, Any]) -> dict[str, Any]:
    rest = copy.deepcopy(made)
    assert rest["metadata"].pop("namespace") == "default"
    if rest["kind"] == "Deployment":
        del rest["metadata"]["annotations"], rest["spec"]["template"]["metadata"]["labels"]["slipway.dev/bundle"]
        keys = rest["spec"]["template"]["spec"]["containers"][0]["env"][-1]["valueFrom"]["configMapKeyRef"]
        assert keys["name"].startswith("model-keys-")
        keys["name"] = "model-keys"
    return rest


def test_what_else_a_platform_team_writes_there_is_applied(tmp_path: Path) -> None:
    changed = file("Deployment")
    template = changed["spec"]["template"]
    template["metadata"]["labels"]["team"] = "ml"
    template["spec"]["tolerations"] = [{"key": "gpu", "operator": "Exists"}]
    [container] = template["spec"]["containers"]
    container["env"].append({"name": "TZ", "value": "UTC"})
    container["resources"]["limits"]["ephemeral-storage"] = "1Gi"
    template["spec"]["containers"].insert(0, {"name": "sidecar", "image": "x"})
    (tmp_path / "deployment.yaml").write_text(yaml.safe_dump(changed))
    made = Manifests("iris", KubernetesTarget(), tmp_path).workload("main", VERSION, 2)["spec"]["template"]
    assert made["metadata"]["labels"]["team"] == "ml"
    assert made["spec"]["tolerations"] == [{"key": "gpu", "operator": "Exists"}]
    sidecar, container = made["spec"]["containers"]
    assert sidecar == {"name": "sidecar", "image": "x"}
    assert container["image"] == VERSION.image
    assert {"name": "TZ", "value": "UTC"} in container["env"]
    assert container["resources"]["limits"] == {"cpu": "1", "memory": "512Mi", "ephemeral-storage": "1Gi"}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (None, "deployment.yaml: it cannot be read"),
        ("a: b: c", "deployment.yaml: it cannot be read"),
        ("kind: Service", "deployment.yaml: it is no Deployment"),
        ("- a", "deployment.yaml: it is no Deployment"),
        ("", "deployment.yaml: it is no Deployment"),
        ("!!python/object/apply:os.system [ls]", "deployment.yaml: it cannot be read"),
        ("kind: Deployment\nspec: [a]", "Deployment: spec: it is no mapping"),
        ("kind: Deployment\nspec: {template: {spec: {containers: {}}}}", "containers: it is no list of mappings"),
        ("kind: Deployment\nspec: {template: {spec: {containers: [{name: x}]}}}", "server: it is not there"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, text: str | None, why: str) -> None:
    if text is not None:
        (tmp_path / "deployment.yaml").write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        Manifests("iris", KubernetesTarget(), tmp_path).workload("main", VERSION, 2)
    assert why in str(caught.value)
    assert "could not make the manifests" in str(caught.value)


def test_the_pods_satisfy_the_restricted_standard() -> None:
    assert violations(file("Deployment")["spec"]["template"]) == []


def test_the_root_is_read_only_and_the_token_is_not_there() -> None:
    pod = file("Deployment")["spec"]["template"]["spec"]
    assert server()["securityContext"]["readOnlyRootFilesystem"] is True
    assert pod["automountServiceAccountToken"] is False
    assert file("ServiceAccount")["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsUser"] == 10001
    assert "USER 10001:10001" in (serving_folder() / "Dockerfile").read_text()


def test_nobody_is_taken_before_a_new_pod_is_ready() -> None:
    assert file("Deployment")["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


def test_a_pod_has_time_to_drain() -> None:
    pod = file("Deployment")["spec"]["template"]["spec"]
    asleep = server()["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pod["terminationGracePeriodSeconds"] >= asleep + DRAIN_SECONDS + 10


def test_probes_ask_the_server_s_own_routes() -> None:
    [port] = server()["ports"]
    assert port["containerPort"] == SAGEMAKER_PORT
    probes = {name: server()[f"{name}Probe"]["httpGet"] for name in ("startup", "readiness", "liveness")}
    assert {probe["port"] for probe in probes.values()} == {port["name"]}
    assert {probe["path"] for probe in probes.values()} <= health_paths(Settings())
    assert probes["startup"]["path"] == probes["readiness"]["path"] == "/v2/health/ready"
    assert probes["liveness"]["path"] == "/v2/health/live"


@pytest.mark.parametrize("track", TRACKS)
@pytest.mark.parametrize("key_hashes", [None, VERSION.key_hashes])
def test_the_server_understands_what_it_is_told(track: Any, key_hashes: tuple[str, ...] | None) -> None:
    version = Version(VERSION.image, VERSION.digest, 3, "1", "3", "1Gi", key_hashes, 0.5, 7)
    manifests = Manifests("iris", KubernetesTarget())
    container = manifests.workload(track, version, 1)["spec"]["template"]["spec"]["containers"][0]
    configs = {
        each["metadata"]["name"]: each["data"] for each in manifests.foundation(version) if each["kind"] == "ConfigMap"
    }
    environment = {"SLIPWAY_BUNDLE": "/opt/ml/model"}
    for variable in container["env"]:
        if "valueFrom" in variable:
            reference = variable["valueFrom"]["configMapKeyRef"]
            environment[variable["name"]] = configs[reference["name"]][reference["key"]]
        else:
            environment[variable["name"]] = variable["value"]
    options = parse(container["args"], environment)
    assert (options.digest, options.workers, options.port) == (version.digest, 3, 8080)
    assert options.settings.open_to_all is (key_hashes is None)
    assert options.settings.key_hashes == (key_hashes or ())
    rates = (options.settings.requests_per_second, options.settings.burst)
    assert rates == ((0.5, 7) if key_hashes else (0, 100))


def test_manifests_are_no_part_of_the_image() -> None:
    assert [path for path in serving_files(serving_folder()) if "k8s" in path.parts] == []
