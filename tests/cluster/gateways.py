"""Gateways with their HTTPRoutes, and Ingresses: an address for each, and connections given to Services by weight."""

from __future__ import annotations

from tests.cluster.bridge import Bridge
from tests.cluster.owners import is_ending
from tests.cluster.service_table import ServiceKey, ServiceTable
from tests.cluster.store import Object, Store
from tests.cluster.tcp_proxy import Address, ProxyLoop, TcpProxy

CONTROLLER = "example.com/gateway-controller"
# Each: the Service, the port of it, the weight.
Backends = list[tuple[ServiceKey, int, int]]


class Gateways:
    """The data plane and the statuses of all Gateways and Ingresses, each time `sync` is called.

    Each new connection is routed by the Host of its first request. There is no TLS: HTTPS listeners are programmed, and do
    not listen.
    """

    def __init__(self, store: Store, bridge: Bridge, proxies: ProxyLoop, table: ServiceTable) -> None:
        self._store = store
        self._bridge = bridge
        self._proxies = proxies
        self._table = table
        self._addresses: dict[str, str] = {}
        self._listening: dict[Address, TcpProxy] = {}
        self._routes: dict[Address, list[tuple[list[str], Backends]]] = {}

    def sync(self) -> None:
        gateways = [each for each in self._store.list("Gateway") if not is_ending(each)]
        ingresses = [each for each in self._store.list("Ingress") if not is_ending(each)]
        routes = [each for each in self._store.list("HTTPRoute") if not is_ending(each)]
        wanted: dict[Address, list[tuple[list[str], Backends]]] = {}
        for gateway in gateways:
            address = self._address(gateway)
            for listener in gateway["spec"]["listeners"]:
                if listener.get("protocol") == "HTTP":
                    wanted[address, listener["port"]] = [
                        _route(route, listener) for route in routes if _attached(route, gateway, listener)
                    ]
            self._write(gateway, _gateway_status(gateway, address, routes, self._store.now()))
        for ingress in ingresses:
            address = self._address(ingress)
            wanted[address, 80] = [_rule(ingress, rule) for rule in ingress["spec"].get("rules", [])]
            self._write(ingress, {"loadBalancer": {"ingress": [{"ip": address}]}})
        for route in routes:
            self._write(route, self._route_status(route, gateways))
        self._listen(wanted)
        self._release({each["metadata"]["uid"] for each in (*gateways, *ingresses)})

    def _address(self, of: Object) -> str:
        uid = of["metadata"]["uid"]
        if uid not in self._addresses:
            self._addresses[uid] = self._bridge.service_address()
            self._bridge.add_address(self._addresses[uid])
        return self._addresses[uid]

    def _release(self, uids: set[str]) -> None:
        for uid in self._addresses.keys() - uids:
            self._bridge.remove_address(self._addresses.pop(uid))

    def _listen(self, wanted: dict[Address, list[tuple[list[str], Backends]]]) -> None:
        self._routes = wanted
        for address in self._listening.keys() - wanted.keys():
            self._listening.pop(address).close()
        for address in wanted.keys() - self._listening.keys():
            self._listening[address] = self._proxy(address)

    def _proxy(self, address: Address) -> TcpProxy:
        return TcpProxy(self._proxies, address, lambda host: self._choose(address, host), http=True)

    def _choose(self, address: Address, host: str) -> Address | None:
        for hosts, backends in self._routes.get(address, []):
            if backends and (not hosts or any(_matches(host, pattern) for pattern in hosts)):
                chosen = self._table.weighted([key for key, _, _ in backends], [weight for _, _, weight in backends])
                return (
                    self._endpoint(chosen, next(port for key, port, _ in backends if key == chosen)) if chosen else None
                )
        return None

    def _endpoint(self, key: ServiceKey, number: int) -> Address | None:
        service = self._store.find("Service", *key)
        if service is None:
            return None
        name = next((port.get("name", "") for port in service["spec"]["ports"] if port["port"] == number), None)
        return None if name is None else self._table.choose(key, name)

    def _write(self, obj: Object, status: Object) -> None:
        """Conditions keep their times as long as they stay as they are."""
        if _without_times(obj.get("status", {})) != _without_times(status):
            meta = obj["metadata"]
            self._store.set_status(obj["kind"], meta["namespace"], meta["name"], status)

    def _route_status(self, route: Object, gateways: list[Object]) -> Object:
        namespace, now = route["metadata"]["namespace"], self._store.now()
        missing = [
            f'service "{ref["name"]}" not found'
            for rule in route["spec"].get("rules", [])
            for ref in rule.get("backendRefs", [])
            if self._store.find("Service", ref.get("namespace", namespace), ref["name"]) is None
        ]
        resolved = ("False", "BackendNotFound", missing[0]) if missing else ("True", "ResolvedRefs", "")
        generation = route["metadata"].get("generation", 1)
        parents = []
        for reference in route["spec"].get("parentRefs", []):
            if any(_refers(reference, namespace, gateway) for gateway in gateways):
                conditions = [
                    _condition("Accepted", "True", "Accepted", "", generation, now),
                    _condition("ResolvedRefs", *resolved, generation, now),
                ]
                parents.append({"parentRef": reference, "controllerName": CONTROLLER, "conditions": conditions})
        return {"parents": parents}


def _refers(reference: Object, namespace: str, gateway: Object) -> bool:
    meta = gateway["metadata"]
    return (reference["name"], reference.get("namespace", namespace)) == (meta["name"], meta["namespace"])


def _attached(route: Object, gateway: Object, listener: Object) -> bool:
    namespace = route["metadata"]["namespace"]
    return any(
        _refers(reference, namespace, gateway) and reference.get("sectionName") in {None, listener["name"]}
        for reference in route["spec"].get("parentRefs", [])
    )


def _route(route: Object, listener: Object) -> tuple[list[str], Backends]:
    hosts = route["spec"].get("hostnames") or ([listener["hostname"]] if listener.get("hostname") else [])
    namespace = route["metadata"]["namespace"]
    references = route["spec"]["rules"][0].get("backendRefs", [])
    return hosts, [
        ((ref.get("namespace", namespace), ref["name"]), ref["port"], ref.get("weight", 1)) for ref in references
    ]


def _rule(ingress: Object, rule: Object) -> tuple[list[str], Backends]:
    service = rule["http"]["paths"][0]["backend"]["service"]
    key = (ingress["metadata"]["namespace"], service["name"])
    return [rule["host"]] if rule.get("host") else [], [(key, service["port"].get("number", 80), 1)]


def _matches(host: str, pattern: str) -> bool:
    return host.endswith(pattern[1:]) if pattern.startswith("*.") else host == pattern


def _gateway_status(gateway: Object, address: str, routes: list[Object], now: str) -> Object:
    generation = gateway["metadata"].get("generation", 1)

    def conditions(*types: str) -> list[Object]:
        return [_condition(type_, "True", type_, "", generation, now) for type_ in types]

    listeners = [
        {
            "name": listener["name"],
            "attachedRoutes": sum(_attached(route, gateway, listener) for route in routes),
            "supportedKinds": [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute"}],
            "conditions": conditions("Accepted", "Programmed", "ResolvedRefs"),
        }
        for listener in gateway["spec"]["listeners"]
    ]
    addresses = [{"type": "IPAddress", "value": address}]
    return {"addresses": addresses, "conditions": conditions("Accepted", "Programmed"), "listeners": listeners}


def _condition(type_: str, status: str, reason: str, message: str, generation: int, now: str) -> Object:
    return {
        "type": type_,
        "status": status,
        "reason": reason,
        "message": message,
        "observedGeneration": generation,
        "lastTransitionTime": now,
    }


def _without_times(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_times(item) for key, item in value.items() if key != "lastTransitionTime"}
    return [_without_times(item) for item in value] if isinstance(value, list) else value
