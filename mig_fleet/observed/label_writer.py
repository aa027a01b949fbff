"""The client that wrote a node's config label, from the node's ``managedFields``."""

from collections.abc import Iterable

from mig_fleet.foreign_text import printable
from mig_fleet.model import labels
from mig_fleet.observed.objects import Manager

_FIELD = f'"f:{labels.CONFIG}":'.encode()
"""How a field set names the label (sigs.k8s.io/structured-merge-diff, fieldpath/serialize.go)."""


def config_writer(managers: Iterable[Manager] | None) -> str:
    """The field manager that wrote the label last, such as ``kubectl-label`` or ``nfd-master``; empty if none did.

    A field set is searched as bytes: parsing those of a thousand nodes would take as long as the rest of the LIST.
    """
    found = [each for each in managers or () if _FIELD in bytes(each.fields_v1)]
    return printable(max(found, key=lambda each: each.time or "").manager) if found else ""
