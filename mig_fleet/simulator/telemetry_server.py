"""What a Prometheus scrapes: the exporters of all nodes, kube-state-metrics, and the list of exporters."""

import time
from collections.abc import Mapping
from typing import Any, Final, Self

from aiohttp import web

from mig_fleet.simulator.informer import Informer
from mig_fleet.simulator.node.kubelet import Kubelet
from mig_fleet.simulator.telemetry import exposition, kube_state_metrics
from mig_fleet.simulator.telemetry.kube_state_metrics import Allowlists

TARGETS: Final = "/targets"
KUBE_STATE_METRICS: Final = "/kube-state-metrics/metrics"
EXPORTER_APP: Final = "nvidia-dcgm-exporter"
EXPORTER_PORT: Final = 9400
CONTENT_TYPE: Final = "text/plain; version=0.0.4"


class TelemetryServer:
    """Serves on a free port of loopback, without authentication, as these exporters do.

    kube-state-metrics' allowlists are the parameters ``labels`` and ``annotations`` of its address, with the values of
    its flags ``--metric-labels-allowlist`` and ``--metric-annotations-allowlist``.
    """

    def __init__(self, kubelets: Mapping[str, Kubelet], nodes: Informer, pods: Informer) -> None:
        self._kubelets, self._nodes, self._pods = kubelets, nodes, pods
        self.url = ""

    async def __aenter__(self) -> Self:
        application = web.Application()
        application.router.add_get("/nodes/{node}/metrics", self._exporter)
        application.router.add_get(KUBE_STATE_METRICS, self._kube_state_metrics)
        application.router.add_get(TARGETS, self._targets)
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port, *_ = self._runner.addresses[0]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _exporter(self, request: web.Request) -> web.Response:
        kubelet = self._kubelets.get(request.match_info["node"])
        exporter = kubelet.node.exporter if kubelet else None
        if exporter is None:
            raise web.HTTPNotFound(text="no dcgm-exporter runs on this node")
        answer = exporter(time.time())
        if answer is None:
            raise web.HTTPServiceUnavailable(text="the fault exporter-silent is injected into this node")
        return _metrics(answer)

    async def _kube_state_metrics(self, request: web.Request) -> web.Response:
        allowlists = Allowlists.parse(request.query.get("labels", ""), request.query.get("annotations", ""))
        nodes, pods = self._nodes.objects.values(), self._pods.objects.values()
        return _metrics(exposition.text(kube_state_metrics.render(nodes, pods, allowlists)))

    async def _targets(self, request: web.Request) -> web.Response:
        """The running exporters, for Prometheus' HTTP service discovery, with the labels of its Kubernetes one."""
        found = [self._target(request.host, kubelet) for kubelet in self._kubelets.values() if kubelet.node.exporter]
        return web.json_response(found)

    def _target(self, address: str, kubelet: Kubelet) -> dict[str, Any]:
        node = kubelet.node.name
        labels = {"__metrics_path__": f"/nodes/{node}/metrics", "__meta_kubernetes_pod_node_name": node}
        pods = kubelet.pods.select(lambda pod: pod.labels.get("app") == EXPORTER_APP and not pod.is_terminating)
        for pod in pods:
            labels |= {
                "__meta_kubernetes_namespace": pod.namespace,
                "__meta_kubernetes_pod_name": pod.name,
                "__meta_kubernetes_pod_container_name": str(pod.first_container["name"]),
                "__meta_kubernetes_pod_ip": f"{pod.json['status'].get('podIP', node)}:{EXPORTER_PORT}",
            }
        return {"targets": [address], "labels": labels}


def _metrics(text: str) -> web.Response:
    return web.Response(text=text, headers={"Content-Type": CONTENT_TYPE})
