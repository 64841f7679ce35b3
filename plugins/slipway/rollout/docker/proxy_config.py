"""The configuration of the nginx in front of a model's containers: one whole file, made from a `Route` and read back as one.

It is the only record of which container is in service. Its first line says so to us, the rest to nginx, which tells it to
whoever asks its status port: a rollout that was killed may have written a configuration that nginx never loaded.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from ipaddress import IPv4Address

from slipway.core.errors import ConfigurationError
from slipway.rollout.served import check, check_image

PUBLIC_PORT = 8080  # inside the proxy's container; the engine publishes it
STATUS_PORT = 8081  # not published: tells the route that nginx has loaded
SERVER_PORT = 8080  # of the model server's containers
SHUTDOWN_SECONDS = 90  # more than a server may take for an answer (60 s) after a body (30 s)

_MARK = "# slipway "
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")

# What is limited on purpose is limited by the model server: sizes, and the time of heads, bodies and answers. The times
# here are longer than its own, so that its own answers (408, 413, 503) reach the client.
_TEXT = """\
{mark}
worker_processes {workers};
worker_rlimit_nofile 16384;
worker_shutdown_timeout {shutdown}s;
pid /tmp/nginx.pid;
error_log stderr warn;
events {{
  worker_connections 8000;
}}
http {{
  access_log off;
  server_tokens off;
  merge_slashes off;
  client_body_temp_path /tmp/body;
  proxy_temp_path /tmp/proxy;
  fastcgi_temp_path /tmp/fastcgi;
  uwsgi_temp_path /tmp/uwsgi;
  scgi_temp_path /tmp/scgi;
  client_header_timeout 15s;
  client_body_timeout 40s;
  client_max_body_size 0;
  large_client_header_buffers 4 32k;
  send_timeout 75s;
  keepalive_timeout 75s;
  keepalive_requests 1000000;
  server {{
    listen {status};
    return 200 '{route}';
  }}
{servers}}}
"""
_UPSTREAM = """\
  upstream model {{
    server {address}:{port} max_fails=0;
    keepalive 128;
    keepalive_timeout 60s;
    keepalive_requests 1000000;
  }}
  server {{
    listen {public} backlog=1024;
    error_page 502 504 =503 @away;
    location / {{
      proxy_pass http://model;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_pass_header Server;
      proxy_pass_header Date;
      proxy_request_buffering off;
      proxy_buffer_size 32k;
      proxy_buffers 8 32k;
      proxy_max_temp_file_size 0;
      proxy_connect_timeout 5s;
      proxy_send_timeout 75s;
      proxy_read_timeout 75s;
      proxy_next_upstream off;
    }}
    location @away {{
      internal;
      default_type application/json;
      add_header Retry-After 1 always;
      return 503 '{{"error": "the model server does not answer; it is restarted when it has ended"}}';
    }}
  }}
"""
_NOBODY = """\
  server {{
    listen {public} backlog=1024;
    default_type application/json;
    add_header Retry-After 5 always;
    return 503 '{{"error": "no version is in service yet"}}';
  }}
"""


@dataclass(frozen=True)
class Upstream:
    """The container in service: its name, fixed address, image and bundle digest, and how many workers it has."""

    container: str
    address: str
    image: str
    digest: str
    workers: int


@dataclass(frozen=True)
class Route:
    """Where requests go, and which containers had them before, the last one first."""

    active: Upstream | None = None
    served_before: tuple[str, ...] = ()

    def switched(self, upstream: Upstream, *, rejects: bool = False) -> Route:
        """The route after `upstream` took over; what is in service now is forgotten if that `rejects` it."""
        left = [self.active.container] if self.active else []
        names = [name for name in self.served_before if name not in left]
        names = names if rejects else left + names
        return Route(upstream, tuple(dict.fromkeys(name for name in names if name != upstream.container))[:20])

    @property
    def text(self) -> str:
        """What the configuration begins with, and what nginx answers at its status port when it has loaded it.

        What is checked has no quote, dollar or backslash, so that nginx takes the text as it is.
        """
        return json.dumps(asdict(self))


def proxy_config(route: Route) -> str:
    """nginx's configuration.

    Raises:
        ConfigurationError: a name, address or digest is none; nothing else may get into the text.
    """
    active = route.active
    _check_all(route)
    servers = _UPSTREAM if active else _NOBODY
    return _TEXT.format(
        mark=_MARK + route.text,
        workers=active.workers if active else 1,
        shutdown=SHUTDOWN_SECONDS,
        status=STATUS_PORT,
        route=route.text,
        servers=servers.format(address=active.address if active else "", port=SERVER_PORT, public=PUBLIC_PORT),
    )


def parse_proxy_config(text: str, on: str) -> Route:
    """The route that a configuration was made from. Raises ConfigurationError: it is none of ours, or was edited."""
    try:
        first = text.split("\n", 1)[0]
        if not first.startswith(_MARK):
            raise ValueError("its first line is not Slipway's")
        return _parse(first.removeprefix(_MARK))
    except (ValueError, TypeError, KeyError, ConfigurationError) as error:
        raise ConfigurationError(
            "could not read which version is in service",
            on=on,
            why=f"the proxy's configuration is not as Slipway wrote it: {error}",
            fix="Remove that container and its volume of the same name, then clear this task.",
        ) from error


def parse_loaded(text: str) -> Route | None:
    """The route that nginx answered at its status port; None: another program's answer, or an older form of ours."""
    try:
        return _parse(text)
    except (ValueError, TypeError, KeyError, ConfigurationError):
        return None


def _parse(text: str) -> Route:
    value = json.loads(text)
    active = Upstream(**value["active"]) if value["active"] else None
    route = Route(active, tuple(value["served_before"]))
    _check_all(route)
    return route


def _check_all(route: Route) -> None:
    for name in route.served_before:
        check("container", name, bool(_NAME.fullmatch(name)))
    if route.active is None:
        return
    active = route.active
    check("container", active.container, bool(_NAME.fullmatch(active.container)))
    check("address", active.address, _is_address(active.address))
    check_image(active.image, active.digest)
    check("workers", active.workers, type(active.workers) is int and 1 <= active.workers <= 64)


def _is_address(text: str) -> bool:
    try:
        return str(IPv4Address(text)) == text
    except ValueError:
        return False
