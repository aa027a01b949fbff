"""Writes plain data as YAML that all readers interpret in the same way: in flow style, each string quoted.

PyYAML's own writer quotes only what PyYAML would misread, so a string such as ``7e0`` or ``y`` becomes a number or a
boolean for mig-parted.
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any


def dump(value: Any) -> str:
    """One line that :func:`mig_fleet.documents.parse` reads back as an equal value.

    >>> dump({"all-1g": [{"devices": [0], "mig-enabled": True, "device-filter": "7e0"}]})
    '{"all-1g": [{"devices": [0], "mig-enabled": true, "device-filter": "7e0"}]}'
    """
    if isinstance(value, str):
        return f'"{_UNSAFE.sub(_escape, value)}"'
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{dump(key)}: {dump(item)}' for key, item in value.items())}}}"
    if isinstance(value, Sequence):
        return f"[{', '.join(map(dump, value))}]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, float) and not math.isfinite(value):
        return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
    return repr(value)


_UNSAFE = re.compile(r'[^ -~]|["\\]')


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    if character in '"\\':
        return f"\\{character}"
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
