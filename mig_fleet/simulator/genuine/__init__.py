"""Runs NVIDIA's own programs on a simulated driver: in a mount namespace with the PCI devices and modules of the node.

Data flows one way: what a node's programs read beside NVML (node_files) → the namespace, whose process executes
``inside.py`` (namespace) → one driver with its programs (machine).
"""

from mig_fleet.simulator.genuine.machine import Machine, machine
from mig_fleet.simulator.genuine.namespace import Finished, Namespace, require_namespaces, why_unavailable

__all__ = ["Finished", "Machine", "Namespace", "machine", "require_namespaces", "why_unavailable"]
