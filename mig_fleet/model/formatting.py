"""The MIG devices of GPUs as text, with the same words in errors, previews, outputs and tables."""

from collections.abc import Iterable, Mapping


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


def format_ranges(indices: Iterable[int]) -> str:
    """GPU indices as ranges: ``0-2, 4-7``.

    >>> format_ranges([0, 1, 2, 4, 6, 7])
    '0-2, 4, 6-7'
    """
    runs: list[list[int]] = []
    for index in sorted(indices):
        if runs and index == runs[-1][-1] + 1:
            runs[-1].append(index)
        else:
            runs.append([index])
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)


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


def parse_per_gpu(text: str) -> tuple[Mapping[str, int] | None, ...]:
    """What :func:`format_gpus` wrote: each GPU's MIG devices, in the order of the GPUs; empty for ``no report``.

    >>> parse_per_gpu("GPU 0-1: 3g.40gb + 2x 1g.10gb; GPU 2: MIG off; GPU 3: no slices")
    ({'3g.40gb': 1, '1g.10gb': 2}, {'3g.40gb': 1, '1g.10gb': 2}, None, {})
    """
    found: dict[int, Mapping[str, int] | None] = {}
    for indices, devices in parse_gpus(text).items():
        for index in _parse_indices(indices):
            found[index] = _parse_profiles(devices)
    return tuple(profiles for _, profiles in sorted(found.items()))


def _parse_indices(text: str) -> list[int]:
    if "-" in text:
        first, last = map(int, text.split("-"))
        return list(range(first, last + 1))
    return [int(index) for index in text.split(",") if index]


def _parse_profiles(text: str) -> Mapping[str, int] | None:
    if text == "MIG off":
        return None
    parts = [part.rpartition("x ") for part in text.split(" + ")] if text != "no slices" else []
    return {name: int(count or 1) for count, _, name in parts}
