"""What is observed of a fleet, and how it differs from what is expected. Reads only."""
