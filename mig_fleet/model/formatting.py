"""The MIG devices of GPUs as text, with the same words in errors, previews, outputs and tables."""

from collections.abc import Mapping


def format_profiles(profiles: Mapping[str, int] | None) -> str:
    """One GPU's MIG devices: ``3g.40gb + 2x 1g.10gb``, ``no slices``, ``MIG off``.

    >>> format_profiles({"1g.10gb": 7})
    '7x 1g.10gb'
    """
    if profiles is None:
        return "MIG off"
    parts = [f"{n}x {name}" if n != 1 else name for name, n in sorted(profiles.items(), reverse=True) if n]
    return " + ".join(parts) or "no slices"


def format_indices(indices: list[int]) -> str:
    """Sorted GPU indices: ``0-7`` if none is missing in between, else ``0,2``.

    >>> format_indices([0, 1, 2]), format_indices([0, 2])
    ('0-2', '0,2')
    """
    first, last = indices[0], indices[-1]
    unbroken = len(indices) > 1 and last - first == len(indices) - 1
    return f"{first}-{last}" if unbroken else ",".join(map(str, indices))


def format_gpus(by_index: Mapping[int, Mapping[str, int] | None]) -> str:
    """A node's GPUs, given by index; equal ones are grouped.

    >>> format_gpus({0: {"1g.10gb": 7}, 1: {"1g.10gb": 7}, 2: None})
    'GPU 0-1: 7x 1g.10gb; GPU 2: MIG off'
    """
    equal: dict[str, list[int]] = {}
    for index, profiles in sorted(by_index.items()):
        equal.setdefault(format_profiles(profiles), []).append(index)
    return "; ".join(f"GPU {format_indices(indices)}: {text}" for text, indices in equal.items()) or "no GPUs"


def parse_gpus(text: str) -> dict[str, str]:
    """What :func:`format_gpus` wrote: GPU indices → MIG devices.

    >>> parse_gpus("GPU 0-1: 7x 1g.10gb; GPU 2: MIG off")
    {'0-1': '7x 1g.10gb', '2': 'MIG off'}
    """
    parts = (part.removeprefix("GPU ").partition(": ") for part in text.split("; "))
    return {gpus if found else "": slices if found else gpus for gpus, found, slices in parts}
