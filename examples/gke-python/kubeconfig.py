"""The kubeconfig of a GKE cluster, whose token comes from gke-gcloud-auth-plugin."""

from typing import Any

import pulumi


def kubeconfig_of(
    name: pulumi.Input[str], endpoint: pulumi.Input[str], certificate: pulumi.Input[Any]
) -> pulumi.Output[str]:
    """``certificate`` is that of the cluster's authority, in base64."""
    token = {
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "command": "gke-gcloud-auth-plugin",
        "installHint": "gcloud components install gke-gcloud-auth-plugin",
        "provideClusterInfo": True,
        "interactiveMode": "Never",
    }
    server = pulumi.Output.concat("https://", endpoint)
    return pulumi.Output.json_dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": name, "cluster": {"server": server, "certificate-authority-data": certificate}}],
            "users": [{"name": name, "user": {"exec": token}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
            "current-context": name,
        }
    )
