"""Pods of the stand-in cluster are real containers: real probes, real limits, real names, and requests that are really lost."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import tarfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.bridge import LABEL, Bridge, remove_leftovers
from tests.cluster.pod_preparation import Backoff
from tests.cluster.running import DockerCluster, docker_cluster, wait_until
from tests.cluster.scheduler import Node
from tests.cluster.status import StatusError
from tests.cluster.store import Object, Store
from tests.docker_host import PYTHON_IMAGE, registry, require_engine

# Answers its version; healthy as long as the file /tmp/sick is not there. SIGTERM: no new connections, and an end.
SERVER = """
import os, pathlib, signal, sys, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        sick = self.path == '/live' and pathlib.Path('/tmp/sick').exists()
        if self.path == '/sicken':
            pathlib.Path('/tmp/sick').touch()
        body = os.environ['VERSION'].encode()
        self.send_response(503 if sick else 200)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
server = ThreadingHTTPServer(('', 8080), Handler)
server.daemon_threads = False
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
print('serving', os.environ['VERSION'], flush=True)
server.serve_forever()
server.server_close()
"""

# Asks without a pause, by a new connection each, until the last 100 answers were all of the version it waits for.
CLIENT = """
import collections, http.client, json, sys
seen, failures, last = collections.Counter(), [], 0
while last < 100:
    try:
        connection = http.client.HTTPConnection(sys.argv[1], 80, timeout=5)
        connection.request('GET', '/')
        version = connection.getresponse().read().decode()
        connection.close()
    except OSError as error:
        failures.append(repr(error))
        last = 0
        continue
    if not seen:
        print('asking', flush=True)
    seen[version] += 1
    last = last + 1 if version == sys.argv[2] else 0
print(json.dumps({'seen': seen, 'failures': failures}), flush=True)
"""

RESTRICTED = {
    "runAsUser": 10001,
    "runAsGroup": 10001,
    "runAsNonRoot": True,
    "readOnlyRootFilesystem": True,
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
}


@pytest.fixture(scope="module")
def engine() -> Any:
    return require_engine(PYTHON_IMAGE)


@pytest.fixture(scope="module")
def running(engine: Any) -> Iterator[DockerCluster]:
    nodes = [Node(cpu="64", memory="64Gi")]
    with docker_cluster(engine, nodes=nodes, backoff=Backoff(0.2, 1), gateway=True) as made:
        yield made


@pytest.fixture
def store(running: DockerCluster) -> Store:
    return running.store


def python(code: str, *arguments: str, **more: Any) -> Object:
    return {"name": "server", "image": PYTHON_IMAGE, "command": ["python3", "-c", code, *arguments], **more}


def pod(name: str, container: Object, **spec: Any) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "labels": {"app": name}},
        "spec": {"containers": [container], "restartPolicy": "Never", "terminationGracePeriodSeconds": 5, **spec},
    }


def web(name: str, version: str, *, replicas: int = 2, pre_stop_seconds: int = 0) -> Object:
    probe = {"httpGet": {"path": "/", "port": "http"}, "periodSeconds": 1, "failureThreshold": 30}
    live = {"httpGet": {"path": "/live", "port": "http"}, "periodSeconds": 1, "failureThreshold": 1}
    container = python(
        SERVER,
        ports=[{"name": "http", "containerPort": 8080}],
        env=[{"name": "VERSION", "value": version}],
        startupProbe=probe,
        readinessProbe=probe,
        livenessProbe=live,
        securityContext=RESTRICTED,
        volumeMounts=[{"name": "tmp", "mountPath": "/tmp"}],
        resources={"limits": {"memory": "64Mi", "cpu": "1"}},
    )
    if pre_stop_seconds:
        container["lifecycle"] = {"preStop": {"sleep": {"seconds": pre_stop_seconds}}}
    spec = {
        "containers": [container],
        "volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": "1Mi"}}],
        "terminationGracePeriodSeconds": 10,
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "replicas": replicas,
            "progressDeadlineSeconds": 60,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": spec},
        },
    }


def service(name: str, **spec: Any) -> Object:
    ports = [{"name": "http", "port": 80, "targetPort": "http"}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"selector": {"app": name}, "ports": ports, **spec},
    }


def until(store: Store, find: Callable[[], Any], seconds: float = 40) -> Any:
    return wait_until(store, find, seconds)


def phase(store: Store, name: str) -> str:
    return str(store.get("Pod", "default", name).get("status", {}).get("phase", ""))


def ended(store: Store, name: str) -> Object:
    """The pod, when its container has ended."""
    until(store, lambda: phase(store, name) in {"Succeeded", "Failed"})
    return store.get("Pod", "default", name)


def is_complete(store: Store, name: str) -> bool:
    found = store.get("Deployment", "default", name)
    status, replicas = found.get("status", {}), found["spec"]["replicas"]
    names = ("replicas", "updatedReplicas", "availableReplicas")
    return status.get("observedGeneration") == found["metadata"]["generation"] and all(
        status.get(each) == replicas for each in names
    )


def container_status(store: Store, name: str) -> Object:
    statuses = store.get("Pod", "default", name).get("status", {}).get("containerStatuses", [{}])
    return dict(statuses[0])


def waits_for(store: Store, name: str, reason: str) -> str | None:
    waiting = container_status(store, name).get("state", {}).get("waiting", {})
    return waiting.get("message") if waiting.get("reason") == reason else None


def events(store: Store, name: str, reason: str) -> list[str]:
    """The texts, oldest first."""
    found = sorted(store.list("Event"), key=lambda event: int(event["metadata"]["resourceVersion"]))
    return [event["message"] for event in found if (event["reason"], event["involvedObject"]["name"]) == (reason, name)]


def rolled_under_load(running: DockerCluster, store: Store, name: str, pre_stop_seconds: int) -> Object:
    """What a client in another pod saw of an update from version 1 to 2."""
    store.create(web(name, "1", pre_stop_seconds=pre_stop_seconds))
    store.create(service(name))
    until(store, lambda: is_complete(store, name))
    until(store, lambda: running.network.table.choose(("default", name), "http"))
    client = f"{name}-client"
    store.create(pod(client, python(CLIENT, f"{name}.default", "2")))
    until(store, lambda: phase(store, client) == "Running" and "asking" in logs(running, store, client))
    store.put(web(name, "2", pre_stop_seconds=pre_stop_seconds))
    ended(store, client)
    until(store, lambda: is_complete(store, name))
    result: Object = json.loads(logs(running, store, client).splitlines()[-1])
    store.delete("Deployment", "default", name)
    return result


def logs(running: DockerCluster, store: Store, name: str, *, previous: bool = False) -> str:
    return running.kubelet.logs(store.get("Pod", "default", name), previous=previous)


# ------------------------------------------------------------------------------------------------------ rollouts


def test_an_update_loses_no_request_where_pods_wait_before_they_stop(running: DockerCluster, store: Store) -> None:
    saw = rolled_under_load(running, store, "patient", 3)
    assert saw["failures"] == []
    assert min(saw["seen"]["1"], saw["seen"]["2"]) > 50


def test_an_update_loses_requests_where_pods_stop_at_once(running: DockerCluster, store: Store) -> None:
    saw = rolled_under_load(running, store, "hasty", 0)
    assert saw["failures"]
    assert min(saw["seen"]["1"], saw["seen"]["2"]) > 50


def test_a_container_that_is_no_longer_alive_is_started_again(running: DockerCluster, store: Store) -> None:
    store.create(web("sick", "1", replicas=1))
    until(store, lambda: is_complete(store, "sick"))
    (made,) = store.list("Pod", "default", {"app": "sick"})
    name, address = made["metadata"]["name"], running.kubelet.open_port(made, 8080)
    assert address == (made["status"]["podIP"], 8080)
    urllib.request.urlopen(f"http://{address[0]}:{address[1]}/sicken", timeout=5).close()
    until(store, lambda: container_status(store, name)["restartCount"] == 1)
    until(store, lambda: container_status(store, name)["ready"])
    assert "Liveness probe failed: HTTP probe failed with statuscode: 503" in events(store, name, "Unhealthy")
    assert events(store, name, "Killing") == ["Container server failed liveness probe, will be restarted"]
    assert store.get("Pod", "default", name)["status"]["podIP"] == address[0]
    store.delete("Deployment", "default", "sick")


# ------------------------------------------------------------------------------------------------- what goes wrong


def test_a_crash_is_seen_with_its_exit_code_and_its_last_words(running: DockerCluster, store: Store) -> None:
    crashing = "import sys; print('no model in /model', file=sys.stderr); sys.exit(3)"
    store.create(pod("crash", python(crashing), restartPolicy="Always"))
    message = until(store, lambda: waits_for(store, "crash", "CrashLoopBackOff"))
    assert message.endswith(
        f"container=server pod=crash_default({store.get('Pod', 'default', 'crash')['metadata']['uid']})"
    )
    status = container_status(store, "crash")
    assert (status["lastState"]["terminated"]["exitCode"], status["lastState"]["terminated"]["reason"]) == (3, "Error")
    assert logs(running, store, "crash", previous=True) == "no model in /model\n"
    store.delete("Pod", "default", "crash")
    until(store, lambda: store.find("Pod", "default", "crash") is None)


def test_too_much_memory_ends_a_container(running: DockerCluster, store: Store) -> None:
    greedy = python("x = bytearray(200 << 20)", resources={"limits": {"memory": "32Mi"}})
    store.create(pod("greedy", greedy))
    status = ended(store, "greedy")["status"]
    over = status["containerStatuses"][0]["state"]["terminated"]
    assert (status["phase"], over["exitCode"], over["reason"]) == ("Failed", 137, "OOMKilled")


def test_an_image_is_pulled_by_its_digest_or_told_to_be_missing(
    running: DockerCluster, store: Store, engine: Any, tmp_path: Path
) -> None:
    with registry(tmp_path / "registry") as local:
        repository = f"{local.address}/pulled"
        image = f"{repository}@{push_without_programs(engine, repository)}"
        absent = f"{repository}@sha256:{'0' * 64}"
        store.create(pod("pulled", python("") | {"image": image}))
        store.create(pod("absent", python("") | {"image": absent}))
        state = ended(store, "pulled")["status"]["containerStatuses"][0]["state"]
        why = until(store, lambda: waits_for(store, "absent", "ImagePullBackOff"))
    (pulled,) = events(store, "pulled", "Pulled")
    assert pulled.startswith(f'Successfully pulled image "{image}" in ')
    assert (state["terminated"]["reason"], state["terminated"]["exitCode"]) == ("StartError", 128)
    assert "executable file not found" in state["terminated"]["message"]
    assert "manifest unknown" in why
    assert any(text.startswith(f'Failed to pull image "{absent}": ') for text in events(store, "absent", "Failed"))
    assert phase(store, "absent") == "Pending"
    with pytest.raises(StatusError, match="trying and failing to pull image"):
        logs(running, store, "absent")
    store.delete("Pod", "default", "absent")
    engine.images.remove(image, force=True)


def push_without_programs(engine: Any, repository: str) -> str:
    """The digest of an image of one small file, which the engine has no more."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("empty"))
    engine.api.import_image_from_data(content.getvalue(), repository, "1")
    pushed = [json.loads(line) for line in engine.images.push(repository, "1").splitlines()]
    engine.images.remove(f"{repository}:1")
    return str(next(line["aux"]["Digest"] for line in pushed if "aux" in line))


def test_a_pod_waits_for_its_configuration(running: DockerCluster, store: Store) -> None:
    reference = {"configMapKeyRef": {"name": "late", "key": "GREETING"}}
    variables = [
        {"name": "GREETING", "valueFrom": reference},
        {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "ADDRESS", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
    ]
    code = (
        "from os import environ as e; print(e['GREETING'], e['POD'], e['ADDRESS'], open('/etc/late/GREETING').read())"
    )
    mount = {"name": "late", "mountPath": "/etc/late"}
    volumes = [{"name": "late", "configMap": {"name": "late"}}]
    store.create(pod("waiting", python(code, env=variables)))
    store.create(pod("mounting", python(code, env=variables, volumeMounts=[mount]), volumes=volumes))
    assert (
        until(store, lambda: waits_for(store, "waiting", "CreateContainerConfigError")) == 'configmap "late" not found'
    )
    (text,) = until(store, lambda: events(store, "mounting", "FailedMount"))
    assert text == 'MountVolume.SetUp failed for volume "late" : configmap "late" not found'
    made = {"name": "late", "namespace": "default"}
    store.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": made, "data": {"GREETING": "hello"}})
    address = ended(store, "mounting")["status"]["podIP"]
    assert logs(running, store, "mounting") == f"hello mounting {address} hello\n"


def test_what_a_container_may_not(running: DockerCluster, store: Store) -> None:
    code = """
import json, os, pathlib
def writes(path, size=1):
    try:
        pathlib.Path(path).write_bytes(bytes(size))
        return True
    except OSError as error:
        return error.strerror
status = dict(line.split(':', 1) for line in open('/proc/self/status'))
print(json.dumps({
    'user': [os.getuid(), os.getgid()], 'root': writes('/file'), 'tmp': writes('/tmp/file'),
    'full': writes('/tmp/large', 2 << 20), 'capabilities': status['CapBnd'].strip(), 'no_new': status['NoNewPrivs'].strip(),
}))
"""
    mount = {"name": "tmp", "mountPath": "/tmp"}
    strict = python(code, securityContext=RESTRICTED, volumeMounts=[mount])
    as_root = python(code, securityContext={"runAsNonRoot": True})
    store.create(pod("strict", strict, volumes=[{"name": "tmp", "emptyDir": {"sizeLimit": "1Mi"}}]))
    store.create(pod("as-root", as_root))
    ended(store, "strict")
    assert json.loads(logs(running, store, "strict")) == {
        "user": [10001, 10001],
        "root": "Read-only file system",
        "tmp": True,
        "full": "No space left on device",
        "capabilities": "0000000000000000",
        "no_new": "1",
    }
    text = until(store, lambda: waits_for(store, "as-root", "CreateContainerConfigError"))
    assert text.startswith("container has runAsNonRoot and image will run as root (pod: ")


def test_a_pod_gets_its_grace_period_and_no_more(running: DockerCluster, store: Store) -> None:
    code = """
import signal, time
signal.signal(signal.SIGTERM, lambda *_: None)
print('up', flush=True)
while True:
    time.sleep(1)
"""
    store.create(pod("stubborn", python(code), terminationGracePeriodSeconds=1))
    until(store, lambda: phase(store, "stubborn") == "Running" and "up" in logs(running, store, "stubborn"))
    began = time.monotonic()
    store.delete("Pod", "default", "stubborn")
    until(store, lambda: store.find("Pod", "default", "stubborn") is None)
    assert 1 <= time.monotonic() - began < 5
    assert events(store, "stubborn", "Killing") == ["Stopping container server"]


def test_a_job_of_a_real_container(running: DockerCluster, store: Store) -> None:
    template = {"spec": {"restartPolicy": "Never", "containers": [python("print('trained')")]}}
    meta = {"name": "train", "namespace": "default"}
    spec = {"backoffLimit": 0, "template": template}
    store.create({"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "spec": spec})
    until(store, lambda: store.get("Job", "default", "train").get("status", {}).get("succeeded") == 1)
    (made,) = store.list("Pod", "default", {"job-name": "train"})
    assert running.kubelet.logs(made) == "trained\n"


def test_a_client_of_the_api_reads_logs_and_reaches_ports(running: DockerCluster, store: Store, tmp_path: Path) -> None:
    from kubernetes import client, config
    from kubernetes.stream import portforward

    store.create(web("reached", "1", replicas=1))
    until(store, lambda: is_complete(store, "reached"))
    connection = config.new_client_from_config(str(running.cluster.kubeconfig(tmp_path / "kubeconfig")))
    api = client.CoreV1Api(connection)
    (made,) = api.list_namespaced_pod("default", label_selector="app=reached").items
    log = api.read_namespaced_pod_log(made.metadata.name, "default", _preload_content=False)
    assert log.data == b"serving 1\n"
    connect = api.connect_get_namespaced_pod_portforward
    forwarded = portforward(connect, made.metadata.name, "default", ports="8080").socket(8080)
    with contextlib.closing(forwarded):
        forwarded.settimeout(10)
        forwarded.sendall(b"GET / HTTP/1.0\r\n\r\n")
        answer = b""
        while piece := forwarded.recv(1000):
            answer += piece
    assert answer.startswith(b"HTTP/1.0 200 OK")
    assert answer.endswith(b"\r\n\r\n1")
    connection.close()
    store.delete("Deployment", "default", "reached")


# ----------------------------------------------------------------------------------------------------- the network


def test_names_of_services_are_known_in_pods_whenever_they_were_made(running: DockerCluster, store: Store) -> None:
    code = """
import json, socket, time
names = ['named', 'named.default', 'named.default.svc', 'named.default.svc.cluster.local']
while True:
    try:
        print(json.dumps([socket.gethostbyname(name) for name in names]))
        break
    except OSError as error:
        print(error.args[1], flush=True)
        time.sleep(0.1)
"""
    store.create(pod("asking", python(code)))
    until(store, lambda: phase(store, "asking") == "Running" and logs(running, store, "asking"))
    store.create(service("named"))
    ended(store, "asking")
    lines = logs(running, store, "asking").splitlines()
    assert not lines[0].startswith("["), "a name was known before its Service was there"
    address = store.get("Service", "default", "named")["spec"]["clusterIP"]
    assert json.loads(lines[-1]) == [address] * 4


def test_a_gateway_divides_connections_by_weight_and_says_503_without_a_backend(
    running: DockerCluster, store: Store
) -> None:
    for name, type_ in (("stable", "ClusterIP"), ("canary", "LoadBalancer")):
        store.create(web(name, name, replicas=1))
        store.create(service(name, type=type_))
    backend = {"service": {"name": "canary", "port": {"number": 80}}}
    rule = {"host": "web.example.com", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
    entrance = {"name": "entrance", "namespace": "default"}
    ingress = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": entrance, "spec": {"rules": [rule]}}
    store.create(ingress)
    listeners = [{"name": name, "port": port, "protocol": "HTTP"} for name, port in (("web", 80), ("other", 8000))]
    entry = {"name": "entry", "namespace": "default"}
    gateway = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": entry}
    store.create(gateway | {"spec": {"gatewayClassName": "any", "listeners": listeners}})
    backends = [{"name": "stable", "port": 80, "weight": 80}, {"name": "canary", "port": 80, "weight": 20}]
    spec = {
        "parentRefs": [{"name": "entry", "sectionName": "web"}],
        "hostnames": ["web.example.com"],
        "rules": [{"backendRefs": backends}],
    }
    store.create(gateway | {"kind": "HTTPRoute", "spec": spec})
    until(store, lambda: store.get("HTTPRoute", "default", "entry").get("status", {}).get("parents"))
    address = store.get("Gateway", "default", "entry")["status"]["addresses"][0]["value"]
    for name in ("stable", "canary"):
        until(store, lambda name=name: running.network.table.choose(("default", name), "http"))
    answers = [ask(address) for _ in range(200)]
    assert {status for status, _ in answers} == {200}
    assert 15 <= [version for _, version in answers].count("canary") <= 70
    assert ask(address, "other.example.com")[0] == ask(f"{address}:8000")[0] == 503
    for kind, name in (("Service", "canary"), ("Ingress", "entrance")):
        told = store.get(kind, "default", name)["status"]["loadBalancer"]["ingress"][0]["ip"]
        assert ask(told) == (200, "canary")
    store.delete("Deployment", "default", "stable")
    until(store, lambda: running.network.table.choose(("default", "stable"), "http") is None)
    assert {status for status, _ in (ask(address) for _ in range(50))} == {200, 503}
    accepted = store.get("HTTPRoute", "default", "entry")["status"]["parents"][0]["conditions"]
    assert {each["type"]: each["status"] for each in accepted} == {"Accepted": "True", "ResolvedRefs": "True"}
    store.delete("Deployment", "default", "canary")


def ask(address: str, host: str = "web.example.com") -> tuple[int, str]:
    request = urllib.request.Request(f"http://{address}/", headers={"Host": host})
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, ""


# ---------------------------------------------------------------------------------------------------- its own end


def test_what_a_killed_run_left_is_removed_by_the_next(engine: Any) -> None:
    code = """
import os, signal
from tests.cluster.bridge import Bridge
from tests.docker_host import require_engine
print(Bridge(require_engine()).label, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    command = [sys.executable, "-c", code]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    killed = subprocess.run(command, check=False, env=environment, capture_output=True, text=True, timeout=60)
    label = killed.stdout.strip()
    mine = Bridge(engine)
    try:
        engine.containers.create(PYTHON_IMAGE, ["true"], labels={LABEL: label})
        assert networks(engine, label) == 1
        remove_leftovers(engine)
        assert networks(engine, label) == 0
        assert not engine.containers.list(all=True, filters={"label": f"{LABEL}={label}"})
        assert networks(engine, mine.label) == 1
    finally:
        mine.remove()


def networks(engine: Any, label: str) -> int:
    return len(engine.networks.list(filters={"label": f"{LABEL}={label}"}))


def test_nothing_is_left_on_the_engine(engine: Any) -> None:
    with docker_cluster(engine) as running:
        store = running.store
        store.create(pod("left", python("import time; time.sleep(100)")))
        until(store, lambda: phase(store, "left") == "Running")
        label = running.bridge.label
    assert networks(engine, label) == 0
    assert not engine.containers.list(all=True, filters={"label": f"{LABEL}={label}"})
