"""A real control plane on loopback: etcd, API server, controller-manager and scheduler as child processes."""

from mig_fleet.simulator.control_plane.plane import ControlPlane

__all__ = ["ControlPlane"]
