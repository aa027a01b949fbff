"""What a simulated node's exporters report: dcgm-exporter's series of its GPUs, kube-state-metrics' of the cluster.

It knows the fields of DCGM itself, as the real exporter does, and shares nothing with the product's monitoring.
"""
