"""What GPUs are cut into, in words: the same ones in errors, previews, outputs and tables."""

from collections.abc import Mapping


def in_words(profiles: Mapping[str, int] | None) -> str:
    """One GPU's MIG devices: ``3g.40gb + 2x 1g.10gb``, ``no slices``, ``MIG off``.

    >>> in_words({"1g.10gb": 7})
    '7x 1g.10gb'
    """
    if profiles is None:
        return "MIG off"
    parts = [f"{int(n)}x {name}" if n != 1 else name for name, n in sorted(profiles.items(), reverse=True) if n]
    return " + ".join(parts) or "no slices"


def indices_text(indices: list[int]) -> str:
    """GPU indices in words, sorted: ``0-7`` where they are unbroken, else ``0,2``.

    >>> indices_text([0, 1, 2]), indices_text([0, 2])
    ('0-2', '0,2')
    """
    first, last = indices[0], indices[-1]
    unbroken = len(indices) > 1 and last - first == len(indices) - 1
    return f"{first}-{last}" if unbroken else ",".join(map(str, indices))


def cuts_in_words(cuts: Mapping[int, Mapping[str, int] | None]) -> str:
    """A node's GPUs by index, those that look alike together.

    >>> cuts_in_words({0: {"1g.10gb": 7}, 1: {"1g.10gb": 7}, 2: None})
    'GPU 0-1: 7x 1g.10gb; GPU 2: MIG off'
    """
    alike: dict[str, list[int]] = {}
    for index, profiles in sorted(cuts.items()):
        alike.setdefault(in_words(profiles), []).append(index)
    return "; ".join(f"GPU {indices_text(indices)}: {text}" for text, indices in alike.items()) or "no GPUs"


def cuts_by_gpus(text: str) -> dict[str, str]:
    """The parts of such a text: GPU indices → slices.

    >>> cuts_by_gpus("GPU 0-1: 7x 1g.10gb; GPU 2: MIG off")
    {'0-1': '7x 1g.10gb', '2': 'MIG off'}
    """
    parts = (part.removeprefix("GPU ").partition(": ") for part in text.split("; "))
    return {gpus if found else "": slices if found else gpus for gpus, found, slices in parts}
