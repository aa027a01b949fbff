"""Two pools of the simulated fleet: dense slices for inference, one layout per GPU for training."""

import pulumi

from mig_fleet import Fleet
from mig_fleet.simulator import CHARTS

config = pulumi.Config()
fleet = Fleet(
    "gpus",
    {
        "cluster": {"kubeconfig": config.get("kubeconfig") or ".mig-fleet/fleet/kubeconfig"},
        # A stand-in for NVIDIA's chart with the same values interface; leave these lines out on a real cluster.
        "operator": {"chart": str(CHARTS / "gpu-operator"), "repository": None, "timeout": "2m"},
        "probe": {"interval": "2s"},
        "layouts": {
            "dense": {"gpu": "H100-80GB", "all": {"1g.10gb": 7}},
            "split": {
                "gpu": "A100-80GB",
                "gpus": [
                    {"devices": [0, 1], "profiles": {"3g.40gb": 2}},
                    {"devices": [2, 3], "disabled": True},
                ],
            },
        },
        "pools": {
            "inference": {
                "gpu": "H100-80GB",
                "gpus_per_node": 8,
                "nodes": ["gpu-node-1", "gpu-node-2"],
                "layout": "dense",
                "rollout": {"canary": 1, "max_unavailable": 1},
            },
            "training": {"gpu": "A100-80GB", "gpus_per_node": 4, "nodes": ["gpu-node-4"], "layout": "split"},
        },
        "prices": {"H100-80GB": 2.5, "A100-80GB": 1.6},
    },
)
pulumi.export("slices", fleet.slices)
pulumi.export("capacity", fleet.capacity)
pulumi.export("cost", fleet.cost)
