"""The service account of the pod in which this process runs.

Kubernetes mounts its token and the API server's certificate into the pod, and sets the address (Kubernetes, "Accessing
the Kubernetes API from a Pod"). The kubeconfig made of them names the files, so it holds no credential, and the
kubelet's next token is read from the same file.
"""

import json
import os
from pathlib import Path
from typing import Final

from mig_fleet.cluster.errors import NoCredentials

ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""client-go rest/config.go, InClusterConfig."""
ADDRESS: Final = ("KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT")
"""Environment variables that the kubelet sets in each container."""
CONTEXT: Final = "in-cluster"


def runs_in_pod() -> bool:
    """Whether this process is in a pod that has a service account."""
    return all(map(os.environ.get, ADDRESS)) and (ACCOUNT / "token").is_file()


def service_account_kubeconfig() -> str:
    """A kubeconfig of the service account, as JSON. Raises :class:`~mig_fleet.cluster.errors.NoCredentials` outside of
    a pod.
    """
    host, port = (os.environ.get(name, "") for name in ADDRESS)
    if not (host and port):
        raise NoCredentials(f"needs a pod, and {ADDRESS[0]} is not set in this process")
    if not (ACCOUNT / "token").is_file():
        raise NoCredentials(f"needs a pod with a service account, and {ACCOUNT}/token does not exist")
    server = f"https://{f'[{host}]' if ':' in host else host}:{port}"
    cluster = {"server": server, "certificate-authority": str(ACCOUNT / "ca.crt")}
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": CONTEXT, "cluster": cluster}],
            "users": [{"name": CONTEXT, "user": {"tokenFile": str(ACCOUNT / "token")}}],
            "contexts": [{"name": CONTEXT, "context": {"cluster": CONTEXT, "user": CONTEXT}}],
            "current-context": CONTEXT,
        }
    )
