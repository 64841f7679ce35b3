"""Services that can be connected to: an address of the bridge for each, a proxy on its ports, and a name in the pods."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable

from tests.cluster.bridge import Bridge
from tests.cluster.gateways import Gateways
from tests.cluster.name_server import NameServer
from tests.cluster.owners import is_ending
from tests.cluster.service_table import ServiceKey, ServiceTable
from tests.cluster.status import StatusError
from tests.cluster.store import Object, Store
from tests.cluster.tcp_proxy import Address, ProxyLoop, TcpProxy

_log = logging.getLogger(__name__)
_WATCHED = {"Service", "EndpointSlice", "Gateway", "HTTPRoute", "Ingress"}


class ServiceNetwork:
    """What kube-proxy, the cluster's DNS and a gateway's data plane do.

    A Service's address becomes its clusterIP, and a load balancer's too; each new connection to one of its ports is given to
    one of the endpoints that were ready `delay_seconds` ago. So a pod that ends without waiting loses requests.
    """

    def __init__(self, store: Store, bridge: Bridge, *, delay_seconds: float = 1) -> None:
        self._store = store
        self._bridge = bridge
        self.table = ServiceTable(delay_seconds)
        self._addresses: dict[ServiceKey, str] = {}
        self._listening: dict[ServiceKey, dict[int, TcpProxy]] = {}
        self.errors: list[Exception] = []
        self._changed, self._ended = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="cluster-network", daemon=True)
        self._unsubscribe: Callable[[], object] = lambda: None

    def start(self) -> None:
        self._proxies = ProxyLoop()
        self._gateways = Gateways(self._store, self._bridge, self._proxies, self.table)
        self._names = NameServer(self._bridge.gateway, self.find_address)
        self._unsubscribe = self._store.subscribe(self._notice)
        self._changed.set()
        self._thread.start()

    def stop(self) -> None:
        """Raises ExceptionGroup of what was wrong in the network itself."""
        self._ended.set()
        self._changed.set()
        if self._thread.is_alive():
            self._thread.join(20)
            self._names.stop()
            self._proxies.stop()
        self._unsubscribe()
        if self.errors:
            raise ExceptionGroup("the network failed", self.errors[:5])

    def find_address(self, name: str, namespace: str) -> str | None:
        """A Service's address, once it has one."""
        return self._addresses.get((namespace, name))

    def _notice(self, _: str, obj: Object) -> None:
        if obj["kind"] in _WATCHED:
            self._changed.set()

    def _run(self) -> None:
        pause: float | None = None
        while not self._ended.is_set():
            self._changed.wait(pause)
            self._changed.clear()
            try:
                self._sync()
            except StatusError as error:  # somebody else wrote meanwhile: which is noticed
                _log.info("network: %s", error)
            except Exception as error:
                self.errors.append(error)
            pause = self.table.settle()

    def _sync(self) -> None:
        services = [each for each in self._store.list("Service") if not is_ending(each) and _has_address(each)]
        for service in services:
            self._serve(service)
        for key in self._addresses.keys() - {_key(service) for service in services}:
            self._end(key)
        self.table.update(self._store.list("EndpointSlice"))
        self._gateways.sync()

    def _serve(self, service: Object) -> None:
        key = _key(service)
        if key not in self._addresses:
            self._addresses[key] = self._claim(service["spec"].get("clusterIP", ""))
            self._listening[key] = {}
        listening, wanted = self._listening[key], {port["port"]: port for port in service["spec"]["ports"]}
        for number in listening.keys() - wanted.keys():
            listening.pop(number).close()
        for number in wanted.keys() - listening.keys():
            listening[number] = self._listen(key, (self._addresses[key], number), wanted[number].get("name", ""))
        self._tell(service, self._addresses[key])

    def _claim(self, address: str) -> str:
        """The address that the API has given to a Service already, if it is of this network, or a new one."""
        address = address if self._bridge.holds(address) else self._bridge.service_address()
        self._bridge.add_address(address)
        return address

    def _listen(self, key: ServiceKey, address: Address, port_name: str) -> TcpProxy:
        return TcpProxy(self._proxies, address, lambda _: self.table.choose(key, port_name))

    def _tell(self, service: Object, address: str) -> None:
        spec, meta = service["spec"], service["metadata"]

        def change(stored: Object) -> None:
            stored["spec"] |= {"clusterIP": address, "clusterIPs": [address]}

        if spec.get("clusterIP") != address:
            self._store.update("Service", meta["namespace"], meta["name"], change)
        status = {"loadBalancer": {"ingress": [{"ip": address, "ipMode": "VIP"}]}}
        if spec.get("type") == "LoadBalancer" and service.get("status") != status:
            self._store.set_status("Service", meta["namespace"], meta["name"], status)

    def _end(self, key: ServiceKey) -> None:
        for proxy in self._listening.pop(key).values():
            proxy.close()
        with contextlib.suppress(OSError):
            self._bridge.remove_address(self._addresses.pop(key))


def _key(service: Object) -> ServiceKey:
    return service["metadata"]["namespace"], service["metadata"]["name"]


def _has_address(service: Object) -> bool:
    return bool(service["spec"].get("clusterIP") != "None") and service["spec"].get("type") != "ExternalName"
