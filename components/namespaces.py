"""The namespaces of a program that names none."""

from typing import Final

from mig_fleet.stack_file.settings import Operator, Probe

OPERATOR_NAMESPACE: Final = str(Operator.model_fields["namespace"].default)
"""Where MIG Manager runs."""
REPORTS_NAMESPACE: Final = str(Probe.model_fields["namespace"].default)
"""Where the probes run and write their reports."""
