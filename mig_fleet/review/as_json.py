"""Reviews as JSON for other programs. Keys are the names of the fields in camelCase."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from mig_fleet.review.review import Review


def to_json(reviews: Sequence[Review]) -> str:
    """``{"reviews": [...]}``"""
    return json.dumps({"reviews": [_plain(review) for review in reviews]}, indent=2, ensure_ascii=False) + "\n"


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return {_camel(each.name): _plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, tuple) else value


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(map(str.capitalize, rest))
