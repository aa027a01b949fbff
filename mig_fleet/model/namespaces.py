"""The namespaces of a stack or a program that names none."""

from typing import Final

OPERATOR_NAMESPACE: Final = "gpu-operator"
"""Where MIG Manager runs."""
REPORTS_NAMESPACE: Final = "mig-fleet"
"""Where the probes run and write their reports."""
