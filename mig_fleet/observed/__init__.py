"""What is seen of the fleet: one snapshot per run, and how it differs from what is expected. Reads only."""
