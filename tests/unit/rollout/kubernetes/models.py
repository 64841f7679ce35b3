"""Models to render: a wide range of names, sections and versions, and all that is applied for one of them."""

from __future__ import annotations

import string
from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from slipway.core.kubernetes_section import KubernetesTarget
from slipway.rollout.kubernetes.manifests import Manifests
from slipway.rollout.kubernetes.names import Track
from slipway.rollout.kubernetes.version import Version
from slipway.rollout.served import ServerAccess

IMAGE = f"registry.example.com/iris@sha256:{'a' * 64}"
DIGEST = f"sha256:{'b' * 64}"
HASHES = (f"sha256:{'c' * 64}", f"sha256:{'d' * 64}")
VERSION = Version(IMAGE, DIGEST, 1, "250m", "1", "512Mi", HASHES)
TRACKS: tuple[Track, ...] = ("main", "canary", "blue", "green")

_LOWER, _ALL = string.ascii_lowercase + string.digits, string.ascii_letters + string.digits
_INSIDE = {"alphabet": _LOWER + "-", "max_size": 61}


def _label(first: str = _LOWER) -> st.SearchStrategy[str]:
    return st.builds("{}{}{}".format, st.sampled_from(first), st.text(**_INSIDE), st.sampled_from(_LOWER))


# At the limits, in upper case, digits first, and ones that look like a name that Slipway makes.
NAMES = st.one_of(
    st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?", fullmatch=True),
    st.sampled_from(
        ["a", "A", "0", "a" * 63, "9" * 63, "Z" + "-" * 61 + "Z", "a" * 46, "a" * 47, "default", "kubernetes"]
    ),
    st.builds(
        "{}-{}".format, st.text(_ALL, min_size=1, max_size=20), st.sampled_from(["canary", "blue", "0123456789"])
    ),
)
LABELS = _label()
HOSTS = (
    st.lists(_label(), min_size=1, max_size=3).map(".".join).filter(lambda host: not host.split(".")[-1].isdecimal())
)
CIDRS = st.one_of(
    st.builds("10.{}.0.0/16".format, st.integers(0, 255)), st.builds("fd00:{:x}::/32".format, st.integers(1, 65535))
)
EXPOSES = st.one_of(
    st.fixed_dictionaries({"host": HOSTS, "name": LABELS}, optional={"namespace": LABELS, "tls": st.booleans()}).map(
        lambda section: {"gateway": section}
    ),
    st.fixed_dictionaries({"host": HOSTS, "class_name": LABELS}, optional={"issuer": LABELS}).map(
        lambda section: {"gateway": section}
    ),
    st.fixed_dictionaries({"host": HOSTS, "class_name": LABELS}, optional={"issuer": LABELS}).map(
        lambda section: {"ingress": section}
    ),
    st.fixed_dictionaries({"host": HOSTS, "class_name": LABELS, "tls_secret": LABELS}).map(
        lambda section: {"ingress": section}
    ),
    st.fixed_dictionaries(
        {"source_ranges": st.lists(CIDRS, min_size=1, max_size=3)}, optional={"port": st.integers(1, 65535)}
    ).map(lambda section: {"load_balancer": section}),
)
STRATEGIES = st.sampled_from([{"canary": {}}, {"canary": {"steps": [1, 99]}}, {"blue_green": {}}])


@st.composite
def targets(draw: st.DrawFn) -> KubernetesTarget:
    """Every section that a model file may hold."""
    replicas = draw(st.integers(2, 999))
    section = draw(
        st.fixed_dictionaries(
            {"replicas": st.just(replicas), "namespace": LABELS, "workers": st.integers(1, 64)},
            optional={
                "cpu_limit": st.sampled_from(["64", "0.100", "1500m"]),
                "memory": st.sampled_from(["64Mi", "2G", "1Ti"]),
                "autoscale": st.builds(dict, maximum=st.integers(replicas + 1, 1000), cpu_percent=st.integers(1, 1000)),
                "expose": EXPOSES,
                "strategy": STRATEGIES,
                "allow_from": st.builds(
                    dict, namespaces=st.lists(LABELS, max_size=3), cidrs=st.lists(CIDRS, max_size=3)
                ),
                "pull_secret": LABELS,
                "timeout_minutes": st.floats(0.001, 1440),
            },
        )
    )
    return KubernetesTarget.model_validate(section)


@st.composite
def versions(draw: st.DrawFn, target: KubernetesTarget) -> Version:
    """Versions of a model with this section."""
    digests = st.text("0123456789abcdef", min_size=64, max_size=64).map("sha256:{}".format)
    accesses = st.builds(
        ServerAccess,
        st.lists(digests, min_size=1, max_size=5).map(tuple),
        st.sampled_from([0, 0.5, 10.0, 1234567.0]),
        st.integers(1, 10_000),
    )
    image = f"registry.example.com:5000/a/b@{draw(digests)}"
    return Version.of(target, image, draw(digests), draw(st.none() | accesses))


def everything(manifests: Manifests, version: Version = VERSION) -> list[dict[str, Any]]:
    """All that is ever applied for a model: every track, every split of the traffic."""
    splits: list[Mapping[Track, int]] = [{"main": 90, "canary": 10}, {"main": 0, "canary": 100}, {"green": 100}]
    made = manifests.foundation(version)
    made += [
        manifests.workload(track, version, replicas) for track, replicas in zip(TRACKS, (3, None, 0, 1), strict=True)
    ]
    made += [scaler for track in TRACKS if (scaler := manifests.autoscaler(track))]
    return made + [each for split in splits for each in manifests.entry(split)]


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether a selector, of a Service or of the kind with matchLabels and matchExpressions, selects these labels."""
    if not set(selector) & {"matchLabels", "matchExpressions"}:
        selector = {"matchLabels": selector}
    expressions = selector.get("matchExpressions", [])
    assert all(each["operator"] == "Exists" for each in expressions)
    return selector.get("matchLabels", {}).items() <= labels.items() and all(
        each["key"] in labels for each in expressions
    )
