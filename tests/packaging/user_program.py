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
from mig_fleet import GpuOperator, MigLayouts, MigProbe, Monitoring, Pool
from probe import sensor

config = pulumi.Config()
kubeconfig = config.require("kubeconfig")
provider = k8s.Provider("cluster", kubeconfig=kubeconfig)
here = pulumi.ResourceOptions(providers=[provider])
namespace = k8s.core.v1.Namespace(
    "operator", metadata={"name": "gpu-operator"}, opts=pulumi.ResourceOptions(provider=provider)
)


def after(*resources: pulumi.Resource) -> pulumi.ResourceOptions:
    return pulumi.ResourceOptions(providers=[provider], depends_on=resources)


layouts = MigLayouts(
    "layouts",
    {
        "cluster": {"kubeconfig": kubeconfig},
        "layouts": [{"name": "dense", "gpu": "H100-80GB", "all": {"1g.10gb": 7}}],
    },
    after(namespace),
)
monitoring = Monitoring(
    "monitoring",
    {
        "pools": {
            "inference": {
                "layout": {"name": "dense", "gpu": "H100-80GB", "all": {"1g.10gb": 7}},
                "gpus_per_node": 2,
            }
        },
        "carried": layouts.carried,
    },
    after(layouts),
)
operator = GpuOperator(
    "operator",
    {"chart": config.require("chart"), "metrics": monitoring.metrics},
    after(layouts, monitoring),
)
probe = MigProbe("probe", {"image": "python:3.13", "interval_seconds": 2}, after(operator))
pool = Pool(
    "inference",
    {
        "cluster": {"kubeconfig": kubeconfig},
        "gpus_per_node": 2,
        "nodes": config.require_object("nodes"),
        "layout": {"name": "dense", "gpu": "H100-80GB", "all": {"1g.10gb": 7}},
        "rollout": {"timeout_seconds": 90},
    },
    after(layouts, probe),
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
