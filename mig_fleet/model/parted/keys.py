"""Keys of a mapping as NVIDIA's tools see them: in YAML ``1.10:`` and ``true:`` are not strings, in JSON they are."""

import math
import struct
from decimal import Decimal

LARGEST_INT = 1 << 63


def key_text(key: object) -> str | None:
    """The string that sigs.k8s.io/yaml converts a key to; None for a key that it refuses."""
    if isinstance(key, bool):
        return "true" if key else "false"
    if isinstance(key, float):
        return _float(key)
    return str(key) if isinstance(key, str) or (isinstance(key, int) and key < LARGEST_INT) else None


def _float(key: float) -> str:
    """The fewest digits that give the same 32-bit number, as Go writes them: ``1.10`` is ``1.1``, ``1e3`` is ``1000``
    and ``1e6`` is ``1e+06`` (FormatFloat 'g' with -1 and 32).
    """
    if math.isnan(key):
        return ".nan"
    try:
        packed = struct.pack("f", key)
    except OverflowError:
        packed = struct.pack("f", math.copysign(math.inf, key))
    (single,) = struct.unpack("f", packed)
    if math.isinf(single):
        return ".inf" if single > 0 else "-.inf"
    texts = (f"{single:.{digits}e}" for digits in range(9))
    mantissa, _, exponent = next(text for text in texts if struct.pack("f", float(text)) == packed).partition("e")
    if not -4 <= int(exponent) < 6:
        return f"{mantissa}e{exponent}"
    return f"{Decimal(f'{mantissa}e{exponent}'):f}"
