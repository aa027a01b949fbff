"""The slices of the node pool, and what GKE needs for the pods that serve them."""

import pulumi
import pulumi_kubernetes as k8s

from mig_fleet import Fleet

POOL_LABEL = {"example.com/gpu-pool": "inference"}
CRITICAL = ["system-node-critical", "system-cluster-critical"]


def gpus(kubeconfig: pulumi.Input[str], after: list[pulumi.Resource]) -> Fleet:
    """``kubeconfig`` has the contents, as the cluster of the same program has them; they stay secret."""
    namespaces: dict[str, pulumi.Resource] = {}

    def remember(args: pulumi.ResourceTransformationArgs) -> None:
        if args.type_ == "kubernetes:core/v1:Namespace":
            namespaces[args.props["metadata"]["name"]] = args.resource

    fleet = Fleet(
        "mig",
        {
            "cluster": {"kubeconfig": kubeconfig},
            "operator": {
                "version": "v26.7.0",
                # As NVIDIA's guide for GKE has it: MIG Manager may reboot a node to turn MIG on or off.
                "values": {"migManager": {"env": [{"name": "WITH_REBOOT", "value": "true"}]}},
                "timeout": "30m",
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
        pulumi.ResourceOptions(depends_on=after, transformations=[remember]),
    )
    provider = k8s.Provider("quotas", kubeconfig=kubeconfig)
    for name, namespace in namespaces.items():
        _allow_critical_pods(name, namespace, provider)
    return fleet


def _allow_critical_pods(name: str, namespace: pulumi.Resource, provider: k8s.Provider) -> None:
    """GKE starts a pod of a critical class only in a namespace with a quota for it."""
    k8s.core.v1.ResourceQuota(
        f"critical-pods-{name}",
        metadata={"name": "critical-pods", "namespace": name},
        spec={
            "hard": {"pods": "1000"},
            "scopeSelector": {
                "matchExpressions": [{"scopeName": "PriorityClass", "operator": "In", "values": CRITICAL}]
            },
        },
        opts=pulumi.ResourceOptions(provider=provider, depends_on=[namespace]),
    )
