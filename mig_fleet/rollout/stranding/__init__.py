"""Pods that would find no slice after a change."""
