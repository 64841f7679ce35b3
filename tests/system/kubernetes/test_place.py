"""How the tests reach a cluster and a registry that want more than the stand-in does."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from slipway.core.errors import DeniedError
from tests import docker_host
from tests.bundle_maker import make_bundle
from tests.serving_images import serving_image
from tests.system.kubernetes.place import docker_config, parse_login, write_kubeconfig

GIVEN = """
apiVersion: v1
kind: Config
current-context: theirs
contexts:
  - {name: other, context: {cluster: other, user: root}}
  - {name: theirs, context: {cluster: far, user: root, namespace: default}}
clusters:
  - {name: other, cluster: {server: "https://other.example.com"}}
  - name: far
    cluster:
      server: https://10.0.0.1:6443
      certificate-authority: authority.pem
      tls-server-name: kubernetes.example.com
      proxy-url: http://proxy.example.com:3128
users:
  - {name: root, user: {token: secret-of-root}}
"""


def test_images_are_pushed_with_the_log_in_that_nodes_pull_with(engine: Any, tmp_path: Path) -> None:
    digest = make_bundle(tmp_path / "bundle", name="logged-in")
    with docker_host.registry(tmp_path / "registry", user="someone", password="a:b c") as wanted:
        images = f"{wanted.address}/below"
        login = parse_login(images, "someone:a:b c")
        assert login is not None
        with pytest.raises(DeniedError, match="could not push the image"):
            serving_image(engine, images, tmp_path / "bundle", digest)
        image = serving_image(engine, images, tmp_path / "bundle", digest, login=login)
        assert image.startswith(f"{images}/iris@sha256:")
        kept = json.loads(docker_config(login))["auths"][wanted.address]["auth"]
        user, _, password = base64.b64decode(kept).decode().partition(":")
        engine.images.pull(image, auth_config={"username": user, "password": password})
        engine.images.remove(image, force=True)


def test_a_cluster_is_reached_as_the_given_kubeconfig_says_but_as_slipway(tmp_path: Path) -> None:
    given = tmp_path / "given" / "config"
    given.parent.mkdir()
    given.write_text(GIVEN)
    path = write_kubeconfig(given, tmp_path / "ours", "models", "token-of-slipway")
    assert "secret-of-root" not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    ours = yaml.safe_load(path.read_text())
    assert ours["clusters"][0]["cluster"] == {
        "server": "https://10.0.0.1:6443",
        "certificate-authority": str(given.parent / "authority.pem"),
        "tls-server-name": "kubernetes.example.com",
        "proxy-url": "http://proxy.example.com:3128",
    }
    assert ours["users"][0]["user"] == {"token": "token-of-slipway"}
    assert ours["contexts"][0]["context"]["namespace"] == "models"


def test_without_a_log_in_there_is_none() -> None:
    assert parse_login("registry.example.com/path", None) is None
    assert parse_login("registry.example.com/path", "me:x") == {
        "username": "me",
        "password": "x",
        "serveraddress": "registry.example.com",
    }
