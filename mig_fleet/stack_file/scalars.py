"""The words and numbers of a stack file: what each may look like, and what it means inside."""

import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator
from pydantic_core import PydanticCustomError

from mig_fleet.model.errors import shown
from mig_fleet.stack_file.problems import UNSHOWN

MOST_PATIENT_S = 60
"""Two reports at least within the time that a verification gives a node that differs (`rollout.convergence`)."""
MANAGER_AT_WORK_S = 1500
"""Five minutes for each of five operands (mig-parted v0.15.0, pkg/mig/reconfigure/reconfigure.go): a `pending` that is
younger may be honest work."""

_WORD = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"


def _seconds(value: object) -> object:
    match = re.fullmatch(r"(\d+)(s|m|h)", value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("should be a duration such as 90s, 45m or 2h")
    return int(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2]]


def _some(value: int) -> int:
    if value == 0:
        raise ValueError("should be longer than nothing")
    return value


def _node_name(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?", value):
        raise ValueError("should be a node's name as `kubectl get nodes` prints it")
    return value


def _not_empty(value: tuple[str, ...]) -> tuple[str, ...]:
    if not value:
        raise ValueError("should name at least one node")
    return value


def _namespace(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", value):
        raise ValueError("should be a namespace's name: at most 63 of a-z, 0-9 and -, the first and last not a -")
    return value


def _labels(value: dict[str, str]) -> dict[str, str]:
    """As the API server takes them (apimachinery, IsQualifiedName and IsValidLabelValue)."""
    for key, word in value.items():
        prefix, slash, name = key.rpartition("/")
        fits = re.fullmatch(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?", prefix) if slash else True
        if not (fits and re.fullmatch(_WORD, name)):
            raise ValueError(f"{shown(key)} is no label's name; names look like release or example.com/team")
        if word and not re.fullmatch(_WORD, word):
            raise ValueError(
                f"{shown(word)} is no label's value: at most 63 letters, digits, -, _ and ., none at an end"
            )
    return value


def _path(value: str) -> str:
    if "\n" in value or "apiVersion" in value:
        raise PydanticCustomError(UNSHOWN, "should be a path to a kubeconfig, not its contents")
    return value


def _prompt(value: int) -> int:
    if value > MOST_PATIENT_S:
        raise ValueError(f"should be at most {MOST_PATIENT_S}s: an update waits two minutes for reports to be right")
    return value


def _worked_off(value: int) -> int:
    if value < MANAGER_AT_WORK_S:
        minutes = MANAGER_AT_WORK_S // 60
        raise ValueError(f"should be at least {minutes}m: so long MIG Manager may wait for operands before it cuts")
    return value


def _labelled(value: dict[str, str]) -> dict[str, str]:
    if not value:
        raise ValueError("should name at least one label")
    return value


def _share(value: object) -> object:
    """``25%`` stays text, a number of nodes stays a number."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("should be a number of nodes such as 2, or a share of the pool such as 25%")
    percent = re.fullmatch(r"(\d{1,3})%", value) if isinstance(value, str) else None
    number = int(percent[1]) if percent else value
    if not isinstance(number, int) or number < 1 or (percent and number > 100):
        raise ValueError("should be a number of nodes from 1 such as 2, or a share of the pool from 1% to 100%")
    return value


Span = Annotated[int, BeforeValidator(_seconds)]
"""Seconds inside; ``0s``, ``90s``, ``45m``, ``2h`` in the stack file."""
Duration = Annotated[Span, AfterValidator(_some)]
"""A :data:`Span` longer than nothing."""
NodeName = Annotated[str, AfterValidator(_node_name)]
Namespace = Annotated[str, AfterValidator(_namespace)]
Labels = Annotated[dict[str, str], AfterValidator(_labels)]
Selection = Annotated[Labels, AfterValidator(_labelled)]
NodeNames = Annotated[tuple[NodeName, ...], AfterValidator(_not_empty)]
Path = Annotated[str, AfterValidator(_path)]
Share = Annotated[int | str, BeforeValidator(_share)]
Interval = Annotated[Duration, AfterValidator(_prompt)]
"""At most :data:`MOST_PATIENT_S`."""
Wedged = Annotated[Duration, AfterValidator(_worked_off)]
"""At least :data:`MANAGER_AT_WORK_S`."""
