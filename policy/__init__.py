"""The policy pack: `pulumi preview --policy-pack policy`. The rules themselves are in `mig_fleet.policies`."""
