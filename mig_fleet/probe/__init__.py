"""The probe: runs on a GPU node, reads NVML, writes the node's report. It carries `mig` and NVIDIA's bindings alone."""
