"""The probe: runs on a GPU node, reads NVML, publishes the node's report. It needs `mig_fleet.model` and NVIDIA's
bindings only.
"""
