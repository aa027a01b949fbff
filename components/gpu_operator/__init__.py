"""NVIDIA's GPU Operator as a Helm release."""

from mig_fleet.components.gpu_operator.component import GpuOperator, GpuOperatorArgs

__all__ = ["GpuOperator", "GpuOperatorArgs"]
