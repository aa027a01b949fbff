"""The GPUs of a node: which pods have them, and which of them a change affects."""
