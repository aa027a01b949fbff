"""A program of a user, with packages that have the names of folders in this repository."""

PROJECT = """
name: our-gpus
runtime: {name: python, options: {toolchain: pip, virtualenv: .venv}}
"""
PROGRAM = """
import mig_fleet
import pulumi
import pulumi_kubernetes as k8s
from components.pool import OURS
from mig_fleet import GpuOperator, Layout, MigLayouts, MigProbe, Pool
from mig_fleet.model import parted
from mig_fleet.model.strategy import Strategy
from probe import sensor

config = pulumi.Config()
kubeconfig = config.require("kubeconfig")
provider = k8s.Provider("cluster", kubeconfig=kubeconfig)
here = pulumi.ResourceOptions(providers=[provider])
namespace = k8s.core.v1.Namespace(
    "operator", metadata={"name": "gpu-operator"}, opts=pulumi.ResourceOptions(provider=provider)
)
dense = Layout.uniform("dense", "H100-80GB", {"1g.10gb": 7})
layouts = MigLayouts(
    "layouts",
    {
        "cluster": {"kubeconfig": kubeconfig},
        "namespace": namespace.metadata["name"],
        "reports_namespace": "mig-fleet",
        "file": parted.dump([dense]),
    },
    here,
)
operator = GpuOperator(
    "operator",
    {
        "namespace": namespace.metadata["name"],
        "chart": config.require("chart"),
        "strategy": "mixed",
        "metrics": "dcgm-metrics",
    },
    pulumi.ResourceOptions(providers=[provider], depends_on=[layouts]),
)
probe = MigProbe(
    "probe",
    {"namespace": "mig-fleet", "image": "python:3.13", "runtime_class": "nvidia", "interval_seconds": 2},
    pulumi.ResourceOptions(providers=[provider], depends_on=[operator]),
)
pool = Pool(
    "inference",
    {
        "cluster": {"kubeconfig": kubeconfig},
        "namespace": "gpu-operator",
        "reports_namespace": "mig-fleet",
        "gpu": "H100-80GB",
        "gpus_per_node": 2,
        "nodes": config.require_object("nodes"),
        "layout": dense,
        "strategy": Strategy.MIXED,
        "rollout": {"timeout_seconds": 90},
    },
    pulumi.ResourceOptions(providers=[provider], depends_on=[layouts, probe]),
)
pulumi.export("slices", pool.slices)
pulumi.export("ours", [OURS, sensor.OURS])
pulumi.export("package", mig_fleet.__file__)
"""
FILES = {
    "Pulumi.yaml": PROJECT,
    "__main__.py": PROGRAM,
    "components/__init__.py": "",
    "components/pool.py": "OURS = 'components of the user'\n",
    "probe/__init__.py": "",
    "probe/__main__.py": "raise SystemExit('this is the probe of the user')\n",
    "probe/sensor.py": "OURS = 'probe of the user'\n",
}
