"""Building, tagging and pushing by a Docker engine, through its API (Docker Engine API 1.41 and newer)."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any, BinaryIO

from slipway.containers.buildkit_trace import printed_lines
from slipway.containers.engine_errors import translate_saying
from slipway.containers.engine_hook import DockerEngineHook
from slipway.core.errors import AbsentError, ConflictError, UnavailableError

_BUILDKIT_SINCE = (1, 39)  # Docker 18.09
_LAST_LINES = 15
_LONGEST = 1500  # characters of either


def build_with_engine(
    hook: DockerEngineHook,
    context: BinaryIO,
    *,
    name: str,
    labels: dict[str, str] | None = None,
    build_args: dict[str, str] | None = None,
    log: Callable[..., None],
) -> None:
    """Build a context with its Dockerfile, by BuildKit where the engine has it.

    Labels and build arguments go beside the Dockerfile, not into it: nothing in them is read as an instruction.

    Args:
        hook: of the engine.
        context: a tar.
        name: what to call it, ``registry/path:tag``.
        labels: of the image.
        build_args: for the Dockerfile's ARGs.
        log: a logger's method; gets each line that the build prints.

    Raises:
        UnavailableError: the build failed; holds its last lines. Others as `DockerEngineHook`.
    """
    failed, client = "could not build the image", hook.client
    params = {
        "t": name,
        "rm": "1",
        "version": "2" if has_buildkit(client) else "1",
        "labels": json.dumps(labels or {}),
        "buildargs": json.dumps(build_args or {}),
    }
    lines = list[str]()
    with hook.translated(failed, name):
        answer = client.post(
            f"{client.base_url}/v{client.api_version}/build",
            params=params,
            data=context,
            headers={"Content-Type": "application/x-tar"},
            stream=True,
            timeout=1800,
        )
        client._raise_for_status(answer)
        for event in _events(answer.iter_lines()):
            _raise_if_failed(event, failed, name, lines)
            for line in _lines(event):
                lines.append(line)
                log("%s", line)


def has_buildkit(client: Any) -> bool:
    """Whether the engine has BuildKit."""
    return tuple(int(part) for part in client.api_version.split(".")) >= _BUILDKIT_SINCE


def push_with_engine(hook: DockerEngineHook, repository: str, tag: str, login: dict[str, str] | None) -> str:
    """Push ``repository:tag``; returns the digest it has in the registry. Raises as `build_with_engine`."""
    failed, on, digest = "could not push the image", f"{repository}:{tag}", ""
    with hook.translated(failed, on):
        for event in hook.client.push(repository, tag=tag, stream=True, decode=True, auth_config=login):
            _raise_if_failed(event, failed, on, [])
            digest = (event.get("aux") or {}).get("Digest", digest)
    return digest


def build_and_push(
    hook: DockerEngineHook,
    context: BinaryIO,
    repository: str,
    tag: str,
    login: dict[str, str] | None,
    **build: Any,
) -> str:
    """Build, push, and take the name from the engine; returns the digest. `build` and errors are those of `build_with_engine`.

    What runs is named by digest, and what nobody runs would stay on the engine for ever.
    """
    name, failed = f"{repository}:{tag}", "could not remove the name of the pushed image"
    build_with_engine(hook, context, name=name, **build)
    digest = push_with_engine(hook, repository, tag, login)
    # Somebody was faster, or a container has it by this name.
    with contextlib.suppress(AbsentError, ConflictError), hook.translated(failed, name):
        hook.client.remove_image(name)
    return digest


def pull_with_engine(hook: DockerEngineHook, image: str, login: dict[str, str] | None) -> None:
    """Pull an image by digest or tag; the log-in is used for this and kept nowhere. Raises as `build_with_engine`."""
    failed = "could not pull the image"
    repository, reference = image.split("@") if "@" in image else image.rsplit(":", 1)
    with hook.translated(failed, image):
        for event in hook.client.pull(repository, reference, stream=True, decode=True, auth_config=login):
            _raise_if_failed(event, failed, image, [])


def has_image(hook: DockerEngineHook, image: str) -> bool:
    """Whether the engine has it already."""
    import docker.errors

    with hook.translated("could not look for the image", image):
        try:
            hook.client.inspect_image(image)
        except docker.errors.ImageNotFound:
            return False
    return True


def _events(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    for line in lines:
        for part in line.splitlines():
            if part.strip():
                yield json.loads(part)


def _raise_if_failed(event: dict[str, Any], failed: str, on: str, lines: list[str]) -> None:
    if "error" not in event:
        return
    said = str(event.get("errorDetail", {}).get("message") or event["error"])
    error = translate_saying(said, failed, on)
    if not lines:
        raise error
    # What a command of the build printed says nothing about the engine or the registry: "404 Not Found" may be a package's.
    told = f"{said[:_LONGEST]}; its last lines: {' | '.join(lines[-_LAST_LINES:])[-_LONGEST:]}"
    raise UnavailableError(failed, on=on, why=told, fix=error.fix if "no space" in said else "Mend what they say.")


def _lines(event: dict[str, Any]) -> list[str]:
    """What a build printed: the classic builder's text, or BuildKit's progress."""
    if event.get("id") == "moby.buildkit.trace":
        return printed_lines(str(event.get("aux", "")))
    return [line for line in str(event.get("stream", "")).splitlines() if line.strip()]
