"""The JSON Schema of a layout, a GPU model and a profile, from the catalog."""

import re
from typing import Any, Final

from mig_fleet.model import gpus
from mig_fleet.model.errors import MigError
from mig_fleet.model.placement.confirmation import CONFIRMED_KEYS

LAYOUT: Final = "#/$defs/Layout"
GPU: Final = {"$ref": "#/$defs/GpuModel"}
_PROFILE: Final = r"^([0-9]+c\.)?[0-9]+g\.[0-9]+gb([+-][A-Za-z0-9.,]+)?$"


def layout() -> dict[str, Any]:
    """A layout: a GPU model and exactly one form."""
    forms = {"all": _profiles(), "gpus": _groups(), "disabled": {"const": True}, "balanced": {"const": True}}
    return {
        "type": "object",
        "properties": {"gpu": GPU, **forms, "confirmed": _confirmed()},
        "required": ["gpu"],
        "oneOf": [{"required": [form]} for form in forms],
        "additionalProperties": False,
        "examples": [
            {"gpu": "H100-80GB", "all": {"1g.10gb": 7}},
            {"gpu": "H100-80GB", "disabled": True},
            {"gpu": "H100-80GB", "balanced": True},
            {
                "gpu": "A100-80GB",
                "gpus": [
                    {"devices": [0, 1], "profiles": {"3g.40gb": 2}},
                    {"devices": [2, 3], "disabled": True},
                ],
            },
        ],
    }


def gpu_model() -> dict[str, Any]:
    """Names of the catalog for completion, or any other spelling that the catalog knows."""
    models = gpus.all_models()
    stems = {model.short.rpartition("-")[0] for model in models}
    boards = {product.removeprefix("NVIDIA ") for model in models for product in model.product_names}
    others = sorted(stems | boards | {model.name for model in models} | {model.short for model in models})
    words = "|".join(_any_case(name) for name in others if _is_known(name))
    return {
        "anyOf": [
            {"enum": [model.short for model in models]},
            {
                "type": "string",
                "description": "A product name as NVML or a node label prints it, or a PCI ID.",
                "pattern": f"^({_any_case('NVIDIA')}[- ].+|0[xX][0-9A-Fa-f]{{8}}|{words})$",
            },
        ]
    }


def _is_known(name: str) -> bool:
    try:
        return bool(name and gpus.find(name))
    except MigError:
        return False


def _any_case(name: str) -> str:
    """The name in upper and lower case, with blanks or dashes between its words."""
    letters = (f"[{char.upper()}{char.lower()}]" if char.isalpha() else re.escape(char) for char in name)
    return re.sub(r"(\\?[- ])+", "[- ]+", "".join(letters))


def _profiles() -> dict[str, Any]:
    models = gpus.all_models()
    names = dict.fromkeys(name for model in models for row in model.profiles.values() for name in row.names)
    having = {name: [model.short for model in models if model.knows(name)] for name in names}
    count = {"type": "integer", "minimum": 0}
    return {
        "type": "object",
        "properties": {name: {**count, "description": f"On {', '.join(found)}."} for name, found in having.items()},
        "patternProperties": {_PROFILE: count},
        "additionalProperties": False,
        "minProperties": 1,
        "examples": [{"1g.10gb": 7}, {"3g.40gb": 1, "1g.10gb": 4}],
    }


def _groups() -> dict[str, Any]:
    group = {
        "type": "object",
        "properties": {
            "devices": {
                "type": "array",
                "items": {"type": "integer", "minimum": 0},
                "minItems": 1,
                "uniqueItems": True,
                "examples": [[0, 1]],
            },
            "profiles": {"$ref": "#/$defs/Layout/properties/all"},
            "disabled": {"const": True},
        },
        "required": ["devices"],
        "oneOf": [{"required": ["profiles"]}, {"required": ["disabled"]}],
        "additionalProperties": False,
    }
    return {"type": "array", "items": group, "minItems": 1}


def _confirmed() -> dict[str, Any]:
    written = {"type": "string", "pattern": r"\S", "examples": ["nvidia-smi mig -lgip on tray-3"]}
    return {
        "type": "object",
        "properties": {key: dict(written) for key in CONFIRMED_KEYS},
        "minProperties": 1,
        "additionalProperties": False,
    }
