"""The names of profiles of GPU instances as NVML reports them."""

from mig_fleet.model.errors import InvalidProfile
from mig_fleet.model.gpus import by_pci
from mig_fleet.model.profiles import Profile


def profile_name(pci_id: str, nvml_profile_id: int, nvml_name: str | None = None) -> str:
    """The profile of a GPU instance: NVML's name, ``MIG 1g.10gb``; else the catalog's for the id; else ``unknown(19)``.

    The driver's name comes first, because one id has different names on different boards and drivers (GB200, GB300).
    Drivers before R510 report no name.
    """
    if name := driver_name(nvml_name):
        return name
    model = by_pci(pci_id)
    row = model.by_nvml_id(nvml_profile_id) if model else None
    return row.name if row else f"unknown({nvml_profile_id})"


def driver_name(nvml_name: str | None) -> str:
    """The profile that NVML calls ``MIG 1g.10gb``; empty if it reports no name, or none that can be read."""
    try:
        return str(Profile.parse((nvml_name or "").removeprefix("MIG ").strip()).whole)
    except InvalidProfile:
        return ""
