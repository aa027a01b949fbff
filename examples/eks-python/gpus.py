"""The slices of the node group."""

import pulumi

from mig_fleet import Fleet

POOL_LABEL = {"example.com/gpu-pool": "inference"}


def gpus(kubeconfig: pulumi.Input[str], opts: pulumi.ResourceOptions | None = None) -> Fleet:
    """``kubeconfig`` has the contents, as the cluster of the same program has them; they stay secret."""
    return Fleet(
        "mig",
        {
            "cluster": {"kubeconfig": kubeconfig},
            "operator": {
                "version": "v26.7.0",
                # Both are in the AMI (EKS user guide, "EKS AL2023 NVIDIA AMIs").
                "values": {"driver": {"enabled": False}, "toolkit": {"enabled": False}},
            },
            "layouts": {"dense": {"gpu": "H100-80GB", "all": {"1g.10gb": 7}}},
            "pools": {
                "inference": {
                    "gpu": "H100-80GB",
                    "gpus_per_node": 8,
                    "selector": {"match_labels": POOL_LABEL},
                    "layout": "dense",
                    "rollout": {"canary": 1, "max_unavailable": 1},
                }
            },
        },
        opts,
    )
