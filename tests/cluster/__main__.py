"""Run a cluster until SIGTERM: `python -m tests.cluster --port 6443 --kubeconfig kubeconfig.yaml`."""

from __future__ import annotations

import argparse
import signal
from pathlib import Path

from tests.cluster import start_cluster


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--kubeconfig", type=Path, default=Path("kubeconfig.yaml"), help="file to write")
    parser.add_argument("--gateway", action="store_true", help="with the kinds of the Gateway API")
    parser.add_argument("--no-rbac", action="store_true", help="everybody may do everything")
    parser.add_argument("--tls", action="store_true")
    options = parser.parse_args()
    ending = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, ending)
    with start_cluster(
        host=options.host, port=options.port, gateway=options.gateway, rbac=not options.no_rbac, tls=options.tls
    ) as cluster:
        cluster.kubeconfig(options.kubeconfig)
        print(f"{cluster.url} {options.kubeconfig}", flush=True)  # noqa: T201
        signal.sigwait(ending)


if __name__ == "__main__":
    main()
