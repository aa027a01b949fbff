"""What a value of the wrong type must be, in words of YAML."""

from typing import Final

_LIST, _NUMBER = "must be a list such as [a, b]", "must be a number such as 0.5"
_TRUE_OR_FALSE, _WHOLE_NUMBER = "must be true or false", "must be a whole number such as 1"
EXPECTED: Final = {
    "model_type": "must be a mapping",
    "dict_type": "must be a mapping such as {name: value}",
    "tuple_type": _LIST,
    "list_type": _LIST,
    "bool_type": _TRUE_OR_FALSE,
    "bool_parsing": _TRUE_OR_FALSE,
    "int_type": _WHOLE_NUMBER,
    "int_parsing": _WHOLE_NUMBER,
    "int_from_float": _WHOLE_NUMBER,
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "string_type": "must be text; a number, true or false needs quotes",
}
"""Pydantic's type of error → what to write."""
