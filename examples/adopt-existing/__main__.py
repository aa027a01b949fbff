"""A cluster that had MIG before: the first update changes no GPU."""

import pulumi

from mig_fleet import Fleet

fleet = Fleet.from_config("gpus")
pulumi.export("slices", fleet.slices)
