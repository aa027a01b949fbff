"""A stack file as plain data, whatever is in the file: bounded, without duplicate keys, one error with its place."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

LARGEST_BYTES = 1024 * 1024
MOST_VALUES = 100_000
"""After aliases are followed: nine lines of YAML can stand for a billion values."""


def read(path: Path) -> Any:
    """The document; raises ``OSError``, or ``ValueError`` that names the file and, where there is one, the line."""
    if path.stat().st_size > LARGEST_BYTES:
        raise ValueError(f"{path} is larger than a stack file can be ({LARGEST_BYTES // 1024} KiB)")
    try:
        text = path.read_text()
        root = yaml.compose(text, yaml.SafeLoader)
        if root is None:
            return None
        if _size(root, {}) > MOST_VALUES:
            raise ValueError(f"{path} stands for more than {MOST_VALUES} values once its aliases are followed")
        for key in _repeated(root, set()):
            raise ValueError(f"{path}, line {key.start_mark.line + 1}: key '{key.value}' stands there twice")
        return yaml.safe_load(text)
    except (yaml.YAMLError, UnicodeDecodeError) as exc:
        raise ValueError(f"{path} is not a YAML file: {exc}") from None
    except RecursionError:
        raise ValueError(f"{path} is nested too deeply, or an alias in it contains itself") from None


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield key
            yield value
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value


def _size(node: yaml.Node, known: dict[int, int]) -> int:
    """Values below a node with aliases followed; each node is counted once and remembered."""
    if id(node) not in known:
        known[id(node)] = 1 + sum(_size(child, known) for child in _children(node))
    return known[id(node)]


def _repeated(node: yaml.Node, seen: set[int]) -> Iterator[yaml.Node]:
    """Keys that stand in one mapping twice, where a YAML reader would silently keep the last."""
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        names: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in names and key.value != "<<":
                yield key
            elif isinstance(key, yaml.ScalarNode):
                names.add(key.value)
    for child in _children(node):
        yield from _repeated(child, seen)
