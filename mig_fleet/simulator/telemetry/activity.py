"""How busy a pod keeps its slice: a function of the pod and the time, so that every run has the same values."""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from mig_fleet.simulator.node.pod import PREFIX

ACTIVITY: Final = PREFIX + "activity"
"""Pod annotation: the level of its activity, 0 to 1. At 0 and 1 it is constant; without it the level follows from the
pod's name.
"""
MEMORY: Final = PREFIX + "memory"
"""Pod annotation: the share of its slice's memory that it uses, 0 to 1."""

SLOW_S: Final = 2400.0
FAST_S: Final = 170.0
"""Periods of the two waves, as of a service with a changing load."""


@dataclass(frozen=True, slots=True)
class Load:
    """Ratios of one slice, or of one GPU without MIG, 0 to 1."""

    engine: float = 0.0
    sm: float = 0.0
    tensor: float = 0.0
    dram: float = 0.0
    memory: float = 0.0
    """Of the memory that programs can use."""


IDLE: Final = Load()


def load(pod: str, annotations: Mapping[str, str], now: float) -> Load:
    """The load by a pod, ``namespace/name``, at a time in seconds since 1970."""
    level = _annotated(annotations, ACTIVITY, 0.25 + 0.6 * _fraction(pod, "level"))
    engine = _wave(pod, level, now)
    return Load(
        engine=engine,
        sm=engine * (0.55 + 0.4 * _fraction(pod, "sm")),
        tensor=engine * (0.1 + 0.5 * _fraction(pod, "tensor")),
        dram=engine * (0.2 + 0.5 * _fraction(pod, "dram")),
        memory=_annotated(annotations, MEMORY, 0.25 + 0.5 * _fraction(pod, "memory")),
    )


def _wave(pod: str, level: float, now: float) -> float:
    """The level with two waves around it, whose height is 0 at the levels 0 and 1."""
    phase = 2 * math.pi * _fraction(pod, "phase")
    height = 0.6 * min(level, 1 - level)
    slow, fast = (math.sin(2 * math.pi * now / period + phase) for period in (SLOW_S, FAST_S))
    return level + height * (0.7 * slow + 0.3 * fast)


def _annotated(annotations: Mapping[str, str], name: str, default: float) -> float:
    """The number in an annotation, limited to 0 to 1; ``default`` if there is none."""
    try:
        return min(1.0, max(0.0, float(annotations[name])))
    except (KeyError, ValueError):
        return default


def _fraction(pod: str, purpose: str) -> float:
    """A constant of the pod, 0 to 1."""
    return int.from_bytes(hashlib.sha256(f"{purpose}/{pod}".encode()).digest()[:4]) / 2**32
