"""The Pulumi program: settings → components → outputs."""

import sys

import pulumi

from mig_fleet.stack_file import fleet, membership
from mig_fleet.stack_file.problems import InvalidSettings
from mig_fleet.stacks import program
from mig_fleet.stacks.interrupt import exit_silently_on_interrupt
from mig_fleet.stacks.last_outputs import keep_last_outputs

exit_silently_on_interrupt()
keep_last_outputs()
try:
    declared = membership.resolve_nodes(fleet.from_pulumi(), f"stack '{pulumi.get_stack()}'")
except InvalidSettings as exc:
    pulumi.log.error(str(exc))
    sys.exit(32)  # Pulumi's "the reason has been given": no second message, no traceback
for name, value in program.deploy(declared).items():
    pulumi.export(name, value)
