"""What the probes of a fleet cost an API server: while nothing changes, and while their nodes change in waves.

    python -m benchmarks.probe_requests [--nodes 1000] [--waves 4]

The control plane is real, and the nodes are objects on it. The probes are the product's own loops with their default
intervals, one thread of a process for each node, with the token of a service account; what NVML shows is a report of
eight H100. Requests are those that the API server counts (`apiserver_request_total`), without the writes of this
benchmark; it counts a watch when it ends. Its processor time is its own count, too. First the probes report once. Then
nothing changes, for as long as it takes each of them to send one heartbeat. Then every node gets another config,
`pending` and `success`, wave by wave.

Exits 1 when a probe sends more than one request a minute while nothing changes, or more than 6 for a change of its
node.
"""

import argparse
import asyncio
import multiprocessing
import os
import resource
import sys
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from multiprocessing.process import BaseProcess
from pathlib import Path

from benchmarks.project import ROOT
from benchmarks.request_count import Count, Load
from benchmarks.synthetic_nodes import REPORTS, a_node, a_report
from mig_fleet import toolchain
from mig_fleet.model import labels
from mig_fleet.model.report import HEARTBEAT_S, Report
from mig_fleet.probe.__main__ import new_parser
from mig_fleet.probe.kubernetes import CREDENTIALS_VARIABLE
from mig_fleet.probe.watch import Watch
from mig_fleet.simulator.api import Api, Json
from mig_fleet.simulator.control_plane import ControlPlane

MOST_IDLE = 1.0
"""Requests of a probe in a minute while nothing changes."""
MOST_PER_CHANGE = 6.0
"""Requests of a probe for one change of its node."""
PARALLEL_REQUESTS = 32
OWN = "PATCH nodes", "LIST configmaps"
"""Requests of this benchmark."""
ACCOUNTS = f"/api/v1/namespaces/{REPORTS}/serviceaccounts"
RBAC = "rbac.authorization.k8s.io"


@dataclass(frozen=True)
class Pace:
    """In seconds."""

    start_s: float = 60.0
    """In which the probes start, one after the other."""
    idle_s: float = HEARTBEAT_S
    """For how long nothing changes."""
    pending_s: float = 20.0
    """For how long MIG Manager works on a wave, and how long it is until the next one."""


class Nvml:
    """Shows the same GPUs at each reading."""

    shown = Report.from_json(a_report("a-node", 0)["data"][labels.REPORT_KEY])

    def read(self, node: str) -> Report:
        return replace(self.shown, node=node, allocations=(), allocations_error="")


async def measure(folder: Path, nodes: int, waves: int, pace: Pace) -> tuple[Load, Load, Load]:
    """The load without probes, while nothing changes, and while all nodes change in ``waves`` waves."""
    names = [f"gpu-node-{n:04d}" for n in range(nodes)]
    work = await asyncio.to_thread(toolchain.workspace, ROOT)
    plane, context = ControlPlane(folder / "cluster", work.bin), multiprocessing.get_context("spawn")
    plane.directory.mkdir()
    try:
        await plane.start(large=True)
        async with Api(plane.directory) as api:
            await create_objects(api, names)
            await asyncio.sleep(pace.pending_s)
            empty = await Count.read(api)
            await asyncio.sleep(pace.pending_s)
            without = Load(empty, await Count.read(api), OWN)
            environment = await credentials(api, plane, folder)
            arguments = names, environment, pace.start_s, folder / "probes.log"
            probes = context.Process(target=run_probes, args=arguments, daemon=True)
            probes.start()
            await first_reports(api, names, probes)
            await asyncio.sleep(pace.pending_s)  # each probe repeats its first report once
            started = await Count.read(api)
            await asyncio.sleep(pace.idle_s)
            idle = await Count.read(api)
            size = -(-nodes // waves)
            for first in range(0, nodes, size):
                await change(api, names[first : first + size], pace)
            changed = await Count.read(api)
            probes.kill()
            return without, Load(started, idle, OWN), Load(idle, changed, OWN)
    finally:
        plane.stop()


async def create_objects(api: Api, names: list[str]) -> None:
    """Every node, and the service account of the probes; their rights are tested elsewhere, so it has all."""
    await api.create("/api/v1/namespaces", {"metadata": {"name": REPORTS}})
    await api.create(ACCOUNTS, {"metadata": {"name": labels.PROBE}})
    binding = {
        "metadata": {"name": labels.PROBE},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", "name": labels.PROBE, "namespace": REPORTS}],
    }
    await api.create(f"/apis/{RBAC}/v1/clusterrolebindings", binding)
    await on_each(names, lambda name: api.create("/api/v1/nodes", a_node(name)))


async def credentials(api: Api, plane: ControlPlane, folder: Path) -> dict[str, str]:
    """The environment of a probe, with the files that it reads in ``folder``."""
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 86400}}
    token = (await api.create(f"{ACCOUNTS}/{labels.PROBE}/token", request))["status"]["token"]
    authority = (plane.directory / "pki" / "ca.crt").read_text()
    for name, text in {"token": token, "namespace": REPORTS, "ca.crt": authority}.items():
        (folder / name).write_text(text)
    port = str(plane.ports["kube-apiserver"])
    return {
        "KUBERNETES_SERVICE_HOST": "127.0.0.1",
        "KUBERNETES_SERVICE_PORT": port,
        CREDENTIALS_VARIABLE: str(folder),
    }


def run_probes(names: list[str], environment: dict[str, str], start_s: float, log: Path) -> None:
    """The process of the probes; they start evenly within ``start_s``. It ends with its parent."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # two connections for each probe
    os.environ.update(environment)
    flags = new_parser("")[0].parse_args(["watch"])
    with log.open("w") as sys.stderr:
        for name in names:
            probe = Watch(name, flags.interval, flags.heartbeat, Nvml())
            threading.Thread(target=probe.run, name=name, daemon=True).start()
            time.sleep(start_s / len(names))
        if parent := multiprocessing.parent_process():
            parent.join()


async def first_reports(api: Api, names: list[str], probes: BaseProcess) -> None:
    """Wait until each probe has reported."""
    selected = {"labelSelector": labels.REPORT_LABEL}
    while len((await api.get(f"/api/v1/namespaces/{REPORTS}/configmaps", **selected))["items"]) < len(names):
        if not probes.is_alive():
            sys.exit("the process of the probes has ended")
        await asyncio.sleep(1)


async def change(api: Api, names: list[str], pace: Pace) -> None:
    """What an update and MIG Manager write to the nodes of a wave."""

    async def write(**written: str | None) -> None:
        await on_each(names, lambda name: api.patch(f"/api/v1/nodes/{name}", {"metadata": {"labels": written}}))

    await write(**{labels.CONFIG: "other-12345678", labels.STATE: None})
    await write(**{labels.STATE: "pending"})
    await asyncio.sleep(pace.pending_s)
    await write(**{labels.STATE: "success"})
    await asyncio.sleep(pace.pending_s)


async def on_each(names: Iterable[str], act: Callable[[str], Awaitable[Json]]) -> None:
    limit = asyncio.Semaphore(PARALLEL_REQUESTS)

    async def one(name: str) -> None:
        async with limit:
            await act(name)

    await asyncio.gather(*map(one, names))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=1000, help="nodes, each with a probe (default: %(default)s)")
    parser.add_argument("--waves", type=int, default=4, help="in which all nodes change (default: %(default)s)")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="requests-") as folder:
        without, idle, changing = asyncio.run(measure(Path(folder), chosen.nodes, chosen.waves, Pace()))
    print(f"no probes: {without}")
    print(f"{chosen.nodes} probes, nothing changes: {idle}")
    print(f"{chosen.nodes} probes, all nodes change in {chosen.waves} waves: {changing}")
    of_idle = idle.per_minute / chosen.nodes
    of_change = (changing.per_minute - idle.per_minute) * changing.minutes / chosen.nodes
    print(f"a probe: {of_idle:.2f} requests a minute while nothing changes (bound {MOST_IDLE:g})")
    print(f"a probe: {of_change:.1f} more requests for a change of its node (bound {MOST_PER_CHANGE:g})")
    return 0 if of_idle <= MOST_IDLE and of_change <= MOST_PER_CHANGE else 1


if __name__ == "__main__":
    sys.exit(main())
