"""MIG on nodes of your own, whose operating system has the driver and the container toolkit already."""

import pulumi

from mig_fleet import Fleet

fleet = Fleet.from_config("gpus")
pulumi.export("slices", fleet.slices)
