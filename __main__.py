"""mig-fleet: the stack's settings become components, and the components' findings its outputs."""

import sys

import pulumi

from stacks import fleet, membership, program
from stacks.interrupt import quiet
from stacks.problems import InvalidSettings

quiet()
try:
    declared = membership.joined(fleet.from_pulumi(), f"stack '{pulumi.get_stack()}'")
except InvalidSettings as exc:
    pulumi.log.error(str(exc))
    sys.exit(32)  # Pulumi's "the reason has been given": no second message, no traceback
for name, value in program.deploy(declared).items():
    pulumi.export(name, value)
