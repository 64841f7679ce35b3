"""Whatever a model file says, what is applied is valid, safe, and of the same shape."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from slipway.core.kubernetes_section import Expose, KubernetesTarget
from slipway.rollout.kubernetes.manifests import Manifests
from slipway.rollout.kubernetes.names import Track
from slipway.rollout.kubernetes.version import Version
from tests.unit.rollout.kubernetes.models import NAMES, TRACKS, VERSION, everything, selects, targets, versions
from tests.unit.rollout.kubernetes.pod_security import violations
from tests.unit.rollout.kubernetes.schemas import VERSIONS, problems

GATEWAY = {"gateway": {"host": "iris.example.com", "name": "public", "namespace": "gateways"}}
OURS = {"gateway": {"host": "iris.example.com", "class_name": "eg", "issuer": "letsencrypt"}}
INGRESS = {"ingress": {"host": "iris.example.com", "class_name": "nginx", "issuer": "letsencrypt"}}
BALANCER = {"load_balancer": {"source_ranges": ["203.0.113.0/24"]}}
EXPOSES: list[dict[str, Any] | None] = [None, GATEWAY, OURS, INGRESS, BALANCER]
TARGETS = targets()
_few = settings(max_examples=12, deadline=None)


@_few
@given(NAMES, st.data())
def test_everything_is_valid_in_the_last_three_versions_of_kubernetes(model: str, data: st.DataObject) -> None:
    target = data.draw(TARGETS)
    made = everything(Manifests(model, target), data.draw(versions(target)))
    assert [(each["kind"], found) for each in made for version in VERSIONS for found in problems(each, version)] == []


@_few
@given(NAMES, st.data())
def test_every_pod_satisfies_the_restricted_standard(model: str, data: st.DataObject) -> None:
    target = data.draw(TARGETS)
    for track in TRACKS:
        template = Manifests(model, target).workload(track, data.draw(versions(target)), 1)["spec"]["template"]
        assert violations(template) == []


@_few
@given(NAMES, TARGETS)
def test_every_object_has_our_marks_and_the_target_s_namespace(model: str, target: KubernetesTarget) -> None:
    for each in everything(Manifests(model, target)):
        assert each["metadata"]["namespace"] == target.namespace
        assert each["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "slipway"
        assert each["metadata"]["labels"]["slipway.dev/model"] == model


@_few
@given(NAMES, TARGETS)
def test_rendering_is_deterministic_and_shares_nothing(model: str, target: KubernetesTarget) -> None:
    first, second = (everything(Manifests(model, target)) for _ in range(2))
    assert json.dumps(first) == json.dumps(second)
    parts = [id(part) for each in first for part in containers_in(each)]
    assert len(parts) == len(set(parts))


def containers_in(value: Any) -> Iterator[Any]:
    """Every mapping and list: what a change to one object could change in another."""
    if isinstance(value, dict | list):
        yield value
        for part in value.values() if isinstance(value, dict) else value:
            yield from containers_in(part)


@_few
@given(NAMES, st.data())
def test_a_selector_never_changes_and_selects_its_own_pods_alone(model: str, data: st.DataObject) -> None:
    selectors: dict[Track, Any] = {}
    for _ in range(2):
        target = data.draw(TARGETS)
        version = data.draw(versions(target))
        made = {track: Manifests(model, target).workload(track, version, 1)["spec"] for track in TRACKS}
        for track, spec in made.items():
            assert selectors.setdefault(track, spec["selector"]) == spec["selector"]
            chosen = [other for other in TRACKS if selects(spec["selector"], pod_labels(made[other]))]
            assert chosen == [track]


def pod_labels(spec: dict[str, Any]) -> dict[str, str]:
    labels: dict[str, str] = spec["template"]["metadata"]["labels"]
    return labels


@pytest.mark.parametrize("expose", EXPOSES, ids=lambda expose: next(iter(expose)) if expose else "inside")
@pytest.mark.parametrize(
    ("weights", "main"),
    [
        ({"main": 100}, {"main"}),
        ({"main": 90, "canary": 10}, {"main"}),
        ({"blue": 100}, {"blue"}),
        ({"green": 100}, {"green"}),
    ],
)
@pytest.mark.parametrize(("first", "second"), [("iris", "Iris"), ("iris", "iris-canary"), ("Iris-blue", "iris")])
def test_services_and_policies_select_exactly_the_pods_that_they_mean(
    expose: dict[str, Any] | None, weights: dict[Track, int], main: set[Track], first: str, second: str
) -> None:
    target = KubernetesTarget.model_validate({"expose": expose})
    manifests = Manifests(first, target)
    pods = {
        (model, track): pod_labels(Manifests(model, target).workload(track, VERSION, 1)["spec"])
        for model in (first, second)
        for track in TRACKS
    }
    training = {"slipway.dev/model": first, "app.kubernetes.io/managed-by": "slipway"}

    def chosen(selector: dict[str, Any]) -> set[str]:
        assert not selects(selector, training)
        found = {each for each, labels in pods.items() if selects(selector, labels)}
        assert {model for model, _ in found} <= {first}
        return {track for _, track in found}

    services = [each for each in manifests.entry(weights) if each["kind"] == "Service"]
    # Where no route splits the traffic a canary's pods take their share beside main's.
    beside = {"canary"} if main == {"main"} and not manifests.weighted else set()
    assert chosen(services[0]["spec"]["selector"]) == main | beside
    assert [chosen(each["spec"]["selector"]) for each in services[1:]] == (
        [{"canary"}] if manifests.weighted and "canary" in weights else []
    )
    foundation = {each["kind"]: each["spec"] for each in manifests.foundation(VERSION) if "spec" in each}
    assert chosen(foundation["NetworkPolicy"]["podSelector"]) == set(TRACKS)
    assert chosen(foundation["PodDisruptionBudget"]["selector"]) == set(TRACKS)


FULL: dict[str, Any] = {
    "replicas": 3,
    "cpu": "1",
    "cpu_limit": "2",
    "memory": "1Gi",
    "autoscale": {"maximum": 5},
    "allow_from": {"namespaces": ["monitoring"], "cidrs": ["10.0.0.0/8"]},
    "pull_secret": "registry",
}
HOSTILE = [
    "a\nb: c",
    "a\r\n---\nkind: Secret",
    "{{ conn.aws.password }}",
    "}}",
    "{%",
    '"',
    "'",
    "a: {b: c}",
    "!!python/object/apply:os.system [ls]",
    "*alias",
    "&anchor a",
    "$(SLIPWAY_API_KEY_HASHES)",
    "$$(HOME)",
    "${HOME}",
    "`ls`",
    "# comment",
    "\x00",
    "\u2028",
    "\x85",
    "\ufeff",
    "ünïcode \U0001f600",
    "<<",
    "~",
    "null",
    "true",
    "0x10",
    "1e3",
    "",
    "=",
]
ANY_TEXT = st.sampled_from(HOSTILE) | st.text(st.characters(exclude_categories=["Cs"]))


def text_fields(section: BaseModel, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Where a section holds text, or texts."""
    for name in type(section).model_fields:
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            yield from text_fields(value, (*path, name))
        elif isinstance(value, str) or (isinstance(value, tuple) and value and isinstance(value[0], str)):
            yield (*path, name)


def replaced(section: BaseModel, path: tuple[str, ...], text: str) -> Any:
    """The section with that text in one field, past all validation."""
    value = getattr(section, path[0])
    if len(path) > 1:
        changed: Any = replaced(value, path[1:], text)
    else:
        changed = (text,) * len(value) if isinstance(value, tuple) else text
    return section.model_copy(update={path[0]: changed})


def shape(value: Any) -> Any:
    """Keys and types of an object, without its texts; keys of annotations and labels are texts of ours."""
    if isinstance(value, dict):
        return {key: shape(each) for key, each in value.items()}
    return [shape(each) for each in value] if isinstance(value, list) else type(value)


SECTIONS = [KubernetesTarget.model_validate(FULL | {"expose": expose}) for expose in EXPOSES]
FIELDS = [
    pytest.param(section, path, id=f"{'.'.join(path)}-{number}")
    for number, section in enumerate(SECTIONS)
    for path in text_fields(section)
    if (number == 0 or path[0] == "expose") and path != ("conn_id",)  # which is no part of any object
]
QUANTITIES = {"cpu", "cpu_limit", "memory"}


def test_every_text_of_the_section_is_tried() -> None:
    tried = {field.id.rpartition("-")[0] for field in FIELDS}
    ways = {f"expose.{name}" for name in Expose.model_fields}
    assert {"namespace", "pull_secret", *QUANTITIES} < tried
    assert {"allow_from.namespaces", "allow_from.cidrs"} < tried
    assert {".".join(name.split(".")[:2]) for name in tried if name.startswith("expose")} == ways
    assert {f"expose.gateway.{name}" for name in ("host", "name", "namespace", "class_name", "issuer")} < tried


@pytest.mark.parametrize(("section", "path"), FIELDS)
@given(text=ANY_TEXT)
@settings(max_examples=40, deadline=None)
@example(text="$(HOME)")
def test_a_text_is_refused_or_is_a_name(section: KubernetesTarget, path: tuple[str, ...], text: str) -> None:
    """What the model file takes makes valid objects, so that nothing else than names and quantities gets through."""
    hostile = replaced(section, path, text).model_dump()
    try:
        target = KubernetesTarget.model_validate(hostile)
    except ValidationError:
        return
    made = everything(Manifests("iris", target), Version.of(target, VERSION.image, VERSION.digest, None))
    assert [found for each in made for found in problems(each, VERSIONS[-1])] == []
    assert text.isascii()
    assert text.isprintable()


NAMED = [field for field in FIELDS if field.values[1][0] not in QUANTITIES]


@pytest.mark.parametrize(("section", "path"), NAMED)
@given(text=ANY_TEXT.filter(bool))
@settings(max_examples=10, deadline=None)
def test_a_text_never_becomes_structure(section: KubernetesTarget, path: tuple[str, ...], text: str) -> None:
    """Even what the model file refuses would be one text in an object, and no other; nor would it reach the server."""
    plain = everything(Manifests("iris", section))
    made = everything(Manifests("iris", replaced(section, path, text)))
    assert [shape(each) for each in made] == [shape(each) for each in plain]
    changed = [after for before, after in zip(plain, made, strict=True) if after != before]
    assert changed
    assert list(yaml.load_all(yaml.dump_all(changed, Dumper=yaml.CSafeDumper), yaml.CSafeLoader)) == changed
    assert json.loads(json.dumps(changed)) == changed
    for before, after in zip(plain, made, strict=True):
        if after["kind"] == "Deployment":
            assert server(after) == server(before)


def server(deployment: dict[str, Any]) -> Any:
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    return container


@given(text=ANY_TEXT)
@settings(max_examples=40, deadline=None)
def test_a_recorded_version_of_somebody_else_never_becomes_structure(text: str) -> None:
    """Whoever may write annotations on the cluster cannot write more than quantities with them."""
    told = json.dumps(json.loads(VERSION.annotation()) | dict.fromkeys(("cpu", "cpu_limit", "memory"), text))
    manifests = Manifests("iris", KubernetesTarget())
    made = manifests.workload("main", Version.from_annotation(told, None), 2)
    plain = manifests.workload("main", Version.from_annotation(VERSION.annotation(), None), 2)
    assert shape(made) == shape(plain)
    assert yaml.safe_load(yaml.safe_dump(made)) == made
    made["metadata"]["annotations"] = plain["metadata"]["annotations"]
    server(made)["resources"] = server(plain)["resources"]
    assert made == plain
