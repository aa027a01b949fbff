"""The command lines of the control plane (Kubernetes 1.37, etcd 3.7)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

CONTROLLERS: Final = "*,-node-ipam-controller,-persistentvolume-attach-detach-controller"
"""All controllers except two that allocate resources no simulated node has. An unknown name prevents the start."""

CLIENT_LIMITS: Final = ["--kube-api-qps=1000", "--kube-api-burst=2000"]


def etcd(directory: Path, ports: Mapping[str, int]) -> list[str]:
    """Without fsync: the data is short-lived, and laptop disks are slow."""
    url = f"http://127.0.0.1:{ports['etcd']}"
    peer = f"http://127.0.0.1:{ports['etcd-peer']}"
    return [
        f"--data-dir={directory / 'etcd'}",
        f"--listen-client-urls={url}",
        f"--advertise-client-urls={url}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


def apiserver(directory: Path, ports: Mapping[str, int]) -> list[str]:
    """TaintNodesByCondition is off: it taints new nodes, and node-lifecycle untaints only about 4.5 per second."""
    pki = directory / "pki"
    return [
        f"--etcd-servers=http://127.0.0.1:{ports['etcd']}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        f"--secure-port={ports['kube-apiserver']}",
        f"--tls-cert-file={pki / 'server.crt'}",
        f"--tls-private-key-file={pki / 'server.key'}",
        f"--client-ca-file={pki / 'ca.crt'}",
        f"--service-account-key-file={pki / 'service-account.crt'}",
        f"--service-account-signing-key-file={pki / 'service-account.key'}",
        "--service-account-issuer=https://kubernetes.default.svc",
        "--service-cluster-ip-range=10.0.0.0/24",
        "--authorization-mode=Node,RBAC",
        "--allow-privileged=true",
        f"--cert-dir={pki}",
        "--endpoint-reconciler-type=none",
        "--enable-priority-and-fairness=false",
        # DNS has no node names; the API server requests logs at the node's IP address.
        "--kubelet-preferred-address-types=InternalIP",
        "--disable-admission-plugins=TaintNodesByCondition",
    ]


def controller_manager(directory: Path, ports: Mapping[str, int]) -> list[str]:
    """Nodes stay Ready for a day without a heartbeat, so that idle nodes use no CPU time."""
    pki = directory / "pki"
    return [
        *_component(pki, "kube-controller-manager", ports),
        "--use-service-account-credentials=true",
        f"--service-account-private-key-file={pki / 'service-account.key'}",
        f"--root-ca-file={pki / 'ca.crt'}",
        "--node-monitor-grace-period=24h",
        f"--controllers={CONTROLLERS}",
    ]


def scheduler(directory: Path, ports: Mapping[str, int]) -> list[str]:
    return _component(directory / "pki", "kube-scheduler", ports)


def _component(pki: Path, name: str, ports: Mapping[str, int]) -> list[str]:
    kubeconfig = pki / f"{name}.kubeconfig"
    return [
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        "--bind-address=127.0.0.1",
        f"--secure-port={ports[name]}",
        f"--cert-dir={pki}",
        "--leader-elect=false",
        *CLIENT_LIMITS,
    ]
