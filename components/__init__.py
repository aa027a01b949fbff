"""What Pulumi sees: components, and the dynamic providers. :mod:`mig_fleet` exports the public names."""
