"""A pool whose nodes come and go."""

import pulumi

from mig_fleet import Fleet

fleet = Fleet.from_config("gpus")
pulumi.export("slices", fleet.slices)
