"""A GKE cluster, a node pool of H100 GPUs, and their slices: one program."""

import pulumi
import pulumi_gcp as gcp
from gpus import POOL_LABEL, gpus
from kubeconfig import kubeconfig_of

config = pulumi.Config()
zone = config.require("zone")
scopes = ["https://www.googleapis.com/auth/cloud-platform"]
cluster = gcp.container.Cluster(
    "gpus",
    location=zone,
    initial_node_count=1,
    remove_default_node_pool=True,
    deletion_protection=False,
)
system = gcp.container.NodePool(
    "system",
    cluster=cluster.name,
    location=zone,
    node_count=2,
    node_config={"machine_type": "e2-standard-4", "oauth_scopes": scopes},
)
nodes = gcp.container.NodePool(
    "h100",
    cluster=cluster.name,
    location=zone,
    node_count=config.get_int("nodes") or 1,
    # An upgrade of GKE would replace nodes beside the waves of mig-fleet; start it yourself.
    management={"auto_upgrade": False, "auto_repair": True},
    node_config={
        "machine_type": "a3-highgpu-8g",
        # The operator installs the driver on Ubuntu, and not on Google's Container-Optimized OS.
        "image_type": "UBUNTU_CONTAINERD",
        "oauth_scopes": scopes,
        "guest_accelerators": [
            {
                "type": "nvidia-h100-80gb",
                "count": 8,
                "gpu_driver_installation_config": {"gpu_driver_version": "INSTALLATION_DISABLED"},
            }
        ],
        # Without the first label GKE runs its own device plugin beside the operator's.
        "labels": {"gke-no-default-nvidia-gpu-device-plugin": "true", **POOL_LABEL},
    },
)
kubeconfig = kubeconfig_of(cluster.name, cluster.endpoint, cluster.master_auth.cluster_ca_certificate)
fleet = gpus(kubeconfig, [system, nodes])
pulumi.export("kubeconfig", pulumi.Output.secret(kubeconfig))
pulumi.export("slices", fleet.slices)
