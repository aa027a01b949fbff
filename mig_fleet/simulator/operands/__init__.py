"""What NVIDIA's operands, the GPU Operator and the probe do while their pods run on a simulated node."""
