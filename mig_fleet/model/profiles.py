"""The MIG profile: a slice of one GPU, written as NVIDIA writes it.

A name has no meaning without a GPU model: ``1g.10gb`` is a double-memory slice of an A100-40GB and a plain one of an
H100-80GB. :mod:`mig_fleet.model.gpus` has the facts about profiles; this module has only their spelling.
"""

import re
from dataclasses import dataclass

from mig_fleet.model.errors import InvalidProfile
from mig_fleet.model.labels import RESOURCE_PREFIX
from mig_fleet.model.short_repr import format_value

# Grammar: go-nvlib pkg/nvlib/device/mig_profile.go, parseMigProfile. Attributes are any alphanumeric words there too.
_FIELDS = re.compile(r"(?:([0-9]+)c\.)?([0-9]+)g\.([0-9]+)gb")
_ATTRIBUTE = re.compile(r"[A-Za-z](?:[A-Za-z0-9.]*[A-Za-z0-9])?")
_LARGEST = 2**63 - 1


@dataclass(frozen=True, slots=True, order=True)
class Profile:
    """A slice of one GPU: ``slices`` of the GPU instance, nominal GB, and the compute slices of the compute instance.

    The GB of the name is not the usable memory and must never be summed: ``1g.18gb`` of an H200 has 16 GiB.

    >>> Profile.parse("1g.10gb+me")
    Profile(slices=1, memory_gb=10, compute=1, attributes=('me',), removed=())
    """

    slices: int
    memory_gb: int
    compute: int
    attributes: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "Profile":
        """Accepts exactly what NVIDIA's parser accepts, aliases such as ``1c.1g.5gb`` included; raises
        InvalidProfile.
        """
        if not isinstance(text, str):
            raise InvalidProfile(text, "it is not a string")
        if "+" in text and "-" in text:
            raise InvalidProfile(text, "it mixes + and - attributes")
        sign = "+" if "+" in text else "-"
        fields, _, tail = text.partition(sign)
        match = _FIELDS.fullmatch(fields)
        if match is None:
            raise InvalidProfile(text, _why_not(text, fields))
        # Python refuses to convert thousands of digits; 20 digits are enough to see that a number is too large.
        slices, memory_gb, compute = (
            int(group.lstrip("0")[:20] or 0) for group in (match[2], match[3], match[1] or match[2])
        )
        if max(slices, memory_gb, compute) > _LARGEST:
            raise InvalidProfile(text[:40], "a number is too large")
        attributes = tuple(sorted(tail.split(","))) if sign in text else ()
        for attribute in attributes:
            if not _ATTRIBUTE.fullmatch(attribute):
                raise InvalidProfile(text, f"{format_value(attribute)} is not an attribute")
        if len(set(attributes)) != len(attributes):
            raise InvalidProfile(text, "duplicate attribute")
        positive, negative = (attributes, ()) if sign == "+" else ((), attributes)
        return cls(slices, memory_gb, compute, positive, negative)

    def __str__(self) -> str:
        split = f"{self.compute}c." if self.is_split else ""
        suffix = (
            f"+{','.join(self.attributes)}" if self.attributes else f"-{','.join(self.removed)}" if self.removed else ""
        )
        return f"{split}{self.slices}g.{self.memory_gb}gb{suffix}"

    @property
    def is_split(self) -> bool:
        """Whether this is only a part of its GPU instance, ``1c.3g.40gb``. The device plugin does not serve parts under
        strategy mixed; under single it does if the node has no other profile (:mod:`mig_fleet.model.strategy`).
        """
        return self.compute != self.slices

    @property
    def is_plain(self) -> bool:
        """Whether it is a whole GPU instance without any suffix."""
        return not (self.is_split or self.attributes or self.removed)

    @property
    def whole(self) -> "Profile":
        """The profile of the GPU instance that this one is a part of."""
        return Profile(self.slices, self.memory_gb, self.slices, self.attributes, self.removed)

    @property
    def kubernetes(self) -> str:
        """The spelling in resource names and labels: ``+`` becomes a dot, nothing else changes
        (k8s-device-plugin internal/rm/rm.go).
        """
        return str(self).replace("+", ".")

    @property
    def resource(self) -> str:
        """The extended resource under strategy mixed, ``nvidia.com/mig-1g.10gb.me``; also the stem of GPU Feature
        Discovery's labels, ``<stem>.count`` and so on.
        """
        return RESOURCE_PREFIX + self.kubernetes


def from_kubernetes(text: str) -> str:
    """A profile in NVIDIA's spelling from that of resources and labels; other text is returned as it is.

    >>> from_kubernetes("nvidia.com/mig-1g.10gb.me"), from_kubernetes("1g.10gb")
    ('1g.10gb+me', '1g.10gb')
    """
    return text.removeprefix("nvidia.com/").removeprefix("mig-").replace("gb.", "gb+", 1)


def _why_not(text: str, fields: str) -> str:
    if fields != fields.strip():
        return "it has leading or trailing spaces"
    if _FIELDS.fullmatch(fields.lower()):
        return f"letters must be lower case, {format_value(text.lower())}"
    spelled = from_kubernetes(text)
    if spelled != text and re.fullmatch(rf"{_FIELDS.pattern}([+-](me(\.all)?|gfx))?", spelled):
        return f"that is the Kubernetes spelling; NVIDIA's tools expect {spelled}"
    return "the fields must be <slices>g.<GB>gb"
