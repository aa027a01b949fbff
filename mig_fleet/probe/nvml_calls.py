"""Calls of NVML: an initialized library, and each refusal as one error with its likely cause."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pynvml

LIKELY_CAUSES = {
    pynvml.NVML_ERROR_NO_PERMISSION: "the container may not read MIG devices; is NVIDIA_MIG_MONITOR_DEVICES=all set?",
    pynvml.NVML_ERROR_DRIVER_NOT_LOADED: "the NVIDIA kernel module is not loaded on this node",
    pynvml.NVML_ERROR_LIBRARY_NOT_FOUND: "no libnvidia-ml.so.1 here: no driver, or no runtime class 'nvidia'",
    pynvml.NVML_ERROR_FUNCTION_NOT_FOUND: "the driver is too old for this call",
    pynvml.NVML_ERROR_GPU_IS_LOST: "a GPU fell off the bus; look at the kernel log for XID 79",
    pynvml.NVML_ERROR_RESET_REQUIRED: "the GPU must be reset, or the node rebooted",
    pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH: "the driver was upgraded under a running system; reload it or reboot",
    pynvml.NVML_ERROR_ARGUMENT_VERSION_MISMATCH: "the driver is too old for this form of the call",
}


class NvmlError(Exception):
    """NVML refused a call; the text has the call, NVML's own message and the likely cause."""


@contextmanager
def initialized() -> Iterator[None]:
    """NVML between its initialization and its shutdown. Raises NvmlError."""
    call(pynvml.nvmlInit)
    try:
        yield
    finally:
        # If this fails, the reading is still true, and the process ends anyway.
        with suppress(pynvml.NVMLError):
            pynvml.nvmlShutdown()


def call(function: Callable[..., Any], *args: Any, absent: tuple[int, ...] = ()) -> Any:
    """NVML's answer, or None for error codes that mean 'does not exist' (``absent``). Raises NvmlError."""
    try:
        return function(*args)
    except pynvml.NVMLError as exc:
        if exc.value in absent:
            return None
        cause = LIKELY_CAUSES.get(exc.value)
        raise NvmlError(f"{function.__name__}: {exc}{f' ({cause})' if cause else ''}") from None
