"""Label selectors and node affinity, as Kubernetes evaluates them. Pure.

Source: kubernetes v1.37.2 apimachinery pkg/labels/selector.go (``Requirement.Matches``) and
pkg/apis/meta/v1/helpers.go (``LabelSelectorAsSelector``).
"""

import re
from collections.abc import Mapping

from mig_fleet.cluster.connection import Json

_NUMBER = re.compile(r"[+-]?[0-9]{1,19}")
"""A number with more digits is not one of 64 bits."""


def selects(selector: Json | None, labels: Mapping[str, str]) -> bool:
    """Whether a label selector matches: a missing one matches nothing, an empty one everything."""
    if selector is None:
        return False
    equal = all(labels.get(key) == value for key, value in (selector.get("matchLabels") or {}).items())
    return equal and all(meets(it, labels.get(it["key"])) for it in selector.get("matchExpressions") or [])


def meets(requirement: Json, found: str | None) -> bool | None:
    """Whether a label's value, ``None`` for a missing label, meets a requirement; ``None`` for an unknown operator."""
    values = requirement.get("values") or []
    match requirement["operator"]:
        case "In":
            return found in values
        case "NotIn":
            return found not in values
        case "Exists":
            return found is not None
        case "DoesNotExist":
            return found is None
        case "Gt" | "Lt" as operator:
            texts = [found or "", *values]
            if len(texts) != 2 or not all(map(_NUMBER.fullmatch, texts)):
                return False
            difference = int(texts[0]) - int(texts[1])
            return difference > 0 if operator == "Gt" else difference < 0
    return None
