"""A cluster that others set up: the operator as a Helm release of another program, NVIDIA's stock configs, users' pods.

The other program is a Pulumi program of its own; its release is written by Helm's own library, as `helm install` does.
"""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mig_fleet.model import labels
from mig_fleet.observed.operands import MIG_MANAGER
from mig_fleet.simulator import Fleet
from mig_fleet.simulator.polling import wait_until
from tests.engine.deployment import TIMEOUT_S, engine
from tests.forked_python import forked_python

ROOT = Path(__file__).parents[2]
CHART = ROOT / "mig_fleet" / "simulator" / "charts" / "gpu-operator"
NAMESPACE = "gpu-operator"
VALUES = {"mig": {"strategy": "mixed"}}

STOCK = {
    "gpu-node-1": "all-1g.10gb",
    "gpu-node-2": "all-balanced",
    "gpu-node-3": "all-disabled",
    "gpu-node-4": "all-3g.40gb",
}
"""Node of the default fleet → a config of NVIDIA's own file."""

OFFERED = {
    "gpu-node-1": {"nvidia.com/mig-1g.10gb": "56"},
    "gpu-node-2": {"nvidia.com/mig-1g.10gb": "16", "nvidia.com/mig-2g.20gb": "8", "nvidia.com/mig-3g.40gb": "8"},
    "gpu-node-3": {"nvidia.com/gpu": "8"},
    "gpu-node-4": {"nvidia.com/mig-3g.40gb": "8"},
}
"""Node → what its kubelet then offers."""

PROGRAM = f"""\
import json, os
import pulumi
import pulumi_kubernetes as k8s

provider = k8s.Provider("cluster", kubeconfig=os.environ["KUBECONFIG"])
k8s.helm.v3.Release(
    "gpu-operator",
    name="gpu-operator",
    chart={str(CHART)!r},
    namespace={NAMESPACE!r},
    create_namespace=True,
    values=json.loads(os.environ["VALUES"]),
    opts=pulumi.ResourceOptions(provider=provider),
)
"""


@dataclass(frozen=True)
class ForeignOperator:
    """The other program's project."""

    folder: Path
    fleet: Fleet
    environment: Mapping[str, str]
    pulumi: Path

    @classmethod
    def create(cls, folder: Path, fleet: Fleet) -> "ForeignOperator":
        """The project in an empty folder, with nothing deployed."""
        (folder / "state").mkdir()
        (folder / "__main__.py").write_text(PROGRAM)
        (folder / ".venv").symlink_to(forked_python())
        (folder / "Pulumi.yaml").write_text(
            "name: platform\nruntime: {name: python, options: {toolchain: pip, virtualenv: .venv}}\n"
        )
        created = cls(folder, fleet, *engine(folder))
        created._run("stack", "init", "--secrets-provider", "passphrase")
        return created

    def install(self, values: Mapping[str, Any] | None = None) -> None:
        """Install the release, or upgrade it to other values."""
        self._run("up", "--yes", "--skip-preview", VALUES=json.dumps({**VALUES, **(values or {})}))

    def apply_stock_configs(self) -> None:
        """Label the nodes, as a user does with kubectl; returns when each node offers its slices."""
        for node, config in STOCK.items():
            self.fleet.call("patch", f"/api/v1/nodes/{node}", {"metadata": {"labels": {labels.CONFIG: config}}})
        wait_until(self._offers_all, "each node offers the slices of its stock config")

    def wait_until_all_succeed(self) -> None:
        """Return when a new MIG Manager runs on each node and has applied the node's config."""
        path = f"/api/v1/namespaces/{NAMESPACE}/pods"

        def settled() -> bool:
            pods = self.fleet.call("get", path, labelSelector=f"app={MIG_MANAGER}")["items"]
            mounted = [pod for pod in pods if labels.LAYOUTS_CONFIG_MAP in str(pod["spec"]["volumes"])]
            return len(mounted) == len(pods) == len(STOCK) and self._offers_all()

        wait_until(settled, "each MIG Manager reads the new layout file, and each node offers its slices")

    def _offers_all(self) -> bool:
        nodes = {node["metadata"]["name"]: node for node in self.fleet.nodes()}
        return all(
            nodes[name]["metadata"]["labels"].get(labels.STATE) == "success"
            and {
                key: number
                for key, number in nodes[name]["status"]["allocatable"].items()
                if labels.is_gpu_resource(key) and number != "0"
            }
            == offer
            for name, offer in OFFERED.items()
        )

    def _run(self, *arguments: str, **variables: str) -> None:
        done = subprocess.run(
            [self.pulumi, *arguments, "--stack", "others", "--non-interactive", "--color", "never"],
            cwd=self.folder,
            env={**self.environment, "KUBECONFIG": str(self.fleet.kubeconfig), **variables},
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
