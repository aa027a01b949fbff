"""Reads and checks a stack file: its settings, their meaning, and the nodes that they refer to."""
