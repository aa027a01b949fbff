"""One GPU node: its kubelet, and what the operands of the GPU Operator do there while their pods run."""
