"""A slice for each developer: the slices of the nodes, and a namespace with a quota for each person."""

import pulumi
import pulumi_kubernetes as k8s
from shares import require_enough, shares_of

from mig_fleet import Fleet

SLICE = "nvidia.com/mig-1g.10gb"

shares = shares_of(pulumi.Config().require_object("developers"))
fleet = Fleet.from_config("gpus")
cluster = pulumi.Config("mig-fleet").require_object("cluster")
provider = k8s.Provider("developers", kubeconfig=cluster.get("kubeconfig"), context=cluster.get("context"))
on_cluster = pulumi.ResourceOptions(provider=provider)
for name, slices in shares.items():
    namespace = k8s.core.v1.Namespace(f"dev-{name}", metadata={"name": f"dev-{name}"}, opts=on_cluster)
    k8s.core.v1.ResourceQuota(
        f"slices-{name}",
        metadata={"name": "slices", "namespace": namespace.metadata["name"]},
        # Resources of GPUs have requests only. Whole GPUs are not offered.
        spec={"hard": {f"requests.{SLICE}": str(slices), "requests.nvidia.com/gpu": "0"}},
        opts=on_cluster,
    )
pulumi.export("slices", fleet.slices)
pulumi.export("free", fleet.capacity.apply(lambda capacity: require_enough(shares, capacity.get(SLICE, 0))))
