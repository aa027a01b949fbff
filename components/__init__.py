"""What Pulumi sees: components, and the three dynamic providers. :mod:`mig_fleet` exports the public names."""
