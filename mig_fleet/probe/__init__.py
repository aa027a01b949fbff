"""The probe: runs on a GPU node, reads NVML, asks the kubelet which pod has which slice, publishes the node's report.
It needs `mig_fleet.model`, NVIDIA's bindings and h2 only.
"""
