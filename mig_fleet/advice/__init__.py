"""Advice about layouts from the measured use of slices. It changes nothing.

Data flows one way: a Prometheus (prometheus, queries) → measurements of slices (reading) → the use of each profile of a
layout (use) → what it needs (needs) → a size (sizing, replacement) → a layout (layout_advice) → text (stack_text). All
but :mod:`~mig_fleet.advice.prometheus` and :mod:`~mig_fleet.advice.credentials` is pure.
"""
