"""A fleet that never ran: its pools, and what its exporters answer to a scrape.

Each node has 8 GPUs with 7 slices each, and a pod on every slice.
"""

import io
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import combinations_with_replacement, islice

from mig_fleet.model import gpus, prove
from mig_fleet.monitoring.exporter import Generation, metrics_csv
from mig_fleet.monitoring.fleet import MonitoredFleet, MonitoredPool
from mig_fleet.monitoring.kube_state_metrics import ANNOTATIONS, LABELS
from mig_fleet.simulator.history import Period, SyntheticNode, SyntheticPod, synthetic_snapshot, write
from mig_fleet.simulator.telemetry.kube_state_metrics import Allowlists

GPU, GPUS, SLICES = "H100-80GB", 8, {"1g.10gb": 7}
SLICES_PER_NODE = GPUS * sum(SLICES.values())
TEAMS = 10
SCRAPES = 8
"""Different answers of a node: the load of the pods changes from one scrape to the next."""
NODE = "node-0000"
"""The node that the answers of all others are made of."""


@dataclass(frozen=True)
class SyntheticFleet:
    """``pools`` pools, each of which may have any of ``layouts`` configs; all nodes have the first one."""

    nodes: int
    pools: int = 1
    layouts: int = 1

    @property
    def monitored(self) -> MonitoredFleet:
        per_gpu = [SLICES, *islice(_other_layouts(), self.layouts - 1)]
        configs = {f"layout-{number}-1a2b3c4d": [profiles] * GPUS for number, profiles in enumerate(per_gpu)}
        return MonitoredFleet(
            tuple(MonitoredPool(_pool(number), GPU, GPUS, configs, price=2.5) for number in range(self.pools))
        )

    @property
    def names(self) -> list[str]:
        return [_node(number) for number in range(self.nodes)]

    def exporter(self, node: int, scrape: int) -> str:
        """The series of the node's dcgm-exporter, with the labels of its target."""
        return self._of(node, self._scraped[(scrape + node) % SCRAPES][0])

    def kube_state_metrics(self) -> str:
        return "".join(self._of(node, self._scraped[0][1]) for node in range(self.nodes))

    def _of(self, number: int, text: str) -> str:
        text = text.replace(NODE, _node(number)).replace("GPU-", f"GPU-{number}-")
        return text.replace(f'"{_pool(0)}-', f'"{_pool(number % self.pools)}-')

    @cached_property
    def _scraped(self) -> list[tuple[str, str]]:
        """The series of dcgm-exporter and of kube-state-metrics of one node, at each scrape."""
        pods = [
            SyntheticPod(f"{NODE}-pod-{n}", next(iter(SLICES)), namespace=f"team-{n % TEAMS}")
            for n in range(SLICES_PER_NODE)
        ]
        node = SyntheticNode(NODE, GPU, [SLICES] * GPUS, _pool(0), next(iter(self.monitored.pools[0].configs)), pods)
        allowlists = Allowlists(frozenset(LABELS), frozenset(ANNOTATIONS))
        found = []
        for second in range(0, SCRAPES * 30, 30):
            file = io.StringIO()
            write(
                file,
                [Period(synthetic_snapshot([node]), second, second + 30)],
                30,
                metrics_csv(Generation.LEGACY),
                allowlists,
            )
            # The time at the end of a line is that of the scrape for Prometheus.
            lines = [line.rpartition(" ")[0] + "\n" for line in file.getvalue().splitlines() if line[0] != "#"]
            of_node = [line for line in lines if line.startswith("kube_")]
            found.append(("".join(line for line in lines if line not in of_node), "".join(of_node)))
        return found


def _node(number: int) -> str:
    return f"node-{number:04}"


def _pool(number: int) -> str:
    return f"pool-{number:02}"


def _other_layouts() -> Iterator[dict[str, int]]:
    """Layouts of a GPU that fit, the fullest first."""
    model = gpus.find(GPU)
    for size in range(6, 0, -1):
        for names in combinations_with_replacement(model.profiles, size):
            if prove(model, Counter(names)):
                yield dict(Counter(names))


@contextmanager
def exporters(fleet: SyntheticFleet) -> Iterator[str]:
    """The address that serves ``/<number of the node>`` and ``/kube-state-metrics``."""
    kube_state_metrics = fleet.kube_state_metrics().encode()
    scrapes: Counter[str] = Counter()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path[1:]
            scrapes[name] += 1
            of_node = name.isdecimal()
            body = fleet.exporter(int(name), scrapes[name]).encode() if of_node else kube_state_metrics
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            """Requests are not news."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
