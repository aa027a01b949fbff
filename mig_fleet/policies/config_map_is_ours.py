"""mig-config-map-is-ours: MIG Manager does not read the ConfigMap that the GPU Operator overwrites."""

from mig_fleet.model.finding import Finding
from mig_fleet.model.labels import LAYOUTS_CONFIG_MAP, OPERATOR_OWNED_CONFIG_MAP
from mig_fleet.policies.rule import Rule


def check(name: str) -> list[Finding]:
    """``name`` is the ConfigMap that MIG Manager reads its layouts from."""
    if name != OPERATOR_OWNED_CONFIG_MAP:
        return []
    text = f"the layouts' ConfigMap must not be {name!r}, which the GPU operator overwrites; use {LAYOUTS_CONFIG_MAP!r}"
    return [Finding(name, text, Rule.CONFIG_MAP)]
