"""Writes plain data as YAML in block style, for files that people read and change."""

import re
from typing import Any

import yaml


def dump_blocks(value: Any) -> str:
    """Lines that every reader of YAML interprets in the same way: PyYAML alone would write ``y`` and ``7e0`` as they
    are, which others read as a boolean and a number.

    >>> dump_blocks({"release": "y", "paths": ["a"]})
    'release: "y"\\npaths:\\n- a\\n'
    """
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10_000)


class _Dumper(yaml.SafeDumper):
    """Quotes each string that is a boolean or a number to any reader, and repeats values instead of aliases."""

    def ignore_aliases(self, _data: Any) -> bool:
        return True


_AMBIGUOUS = re.compile(r"[yYnN~]|[-+.\d].*")


def _string(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    style = '"' if _AMBIGUOUS.fullmatch(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _string)
