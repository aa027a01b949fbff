"""A real control plane on loopback: etcd, kube-apiserver, kube-controller-manager, kube-scheduler as child processes."""

from simulator.control_plane.plane import BINARIES, ControlPlane

__all__ = ["BINARIES", "ControlPlane"]
