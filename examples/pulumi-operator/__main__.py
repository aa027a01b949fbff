"""The program that the workspace pod of the Pulumi Kubernetes Operator runs."""

import pulumi

from mig_fleet import Fleet

fleet = Fleet.from_config("gpus")
pulumi.export("slices", fleet.slices)
