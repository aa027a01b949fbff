"""An EKS cluster, a node group of H100 GPUs, and their slices: one program."""

import json

import pulumi
import pulumi_aws as aws
import pulumi_eks as eks
from gpus import POOL_LABEL, gpus

from mig_fleet import Fleet

POLICIES = ("AmazonEKSWorkerNodePolicy", "AmazonEKS_CNI_Policy", "AmazonEC2ContainerRegistryReadOnly")

config = pulumi.Config()
trusted = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ec2.amazonaws.com"}}
role = aws.iam.Role("nodes", assume_role_policy=json.dumps({"Version": "2012-10-17", "Statement": [trusted]}))
attached = [
    aws.iam.RolePolicyAttachment(name, role=role.name, policy_arn=f"arn:aws:iam::aws:policy/{name}")
    for name in POLICIES
]
cluster = eks.Cluster(
    "gpus",
    authentication_mode=eks.AuthenticationMode.API,
    instance_roles=[role],
    skip_default_node_group=True,
)
system = eks.ManagedNodeGroup(
    "system",
    cluster=cluster,
    node_role=role,
    instance_types=["m7i.large"],
    scaling_config={"desired_size": 2, "min_size": 2, "max_size": 3},
    opts=pulumi.ResourceOptions(depends_on=attached),
)
nodes = eks.ManagedNodeGroup(
    "h100",
    cluster=cluster,
    node_role=role,
    instance_types=["p5.48xlarge"],
    # It has the driver and the container toolkit.
    ami_type="AL2023_x86_64_NVIDIA",
    labels=POOL_LABEL,
    # No pod takes a whole GPU before the first update has partitioned it.
    taints=[{"key": "mig-fleet.dev/startup", "value": "true", "effect": "NO_SCHEDULE"}],
    scaling_config={"desired_size": config.get_int("nodes") or 1, "min_size": 1, "max_size": 4},
    opts=pulumi.ResourceOptions(depends_on=attached),
)
fleet: Fleet = gpus(cluster.kubeconfig_json, pulumi.ResourceOptions(depends_on=[system, nodes]))
pulumi.export("kubeconfig", pulumi.Output.secret(cluster.kubeconfig_json))
pulumi.export("slices", fleet.slices)
