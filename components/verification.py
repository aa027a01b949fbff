"""Verification: a wave is done when NVML, the kubelet and GFD agree. PINNED: this module's path and its class names are
state.

Pulumi stores the provider by module path and class name, and loads it from the *old* state on destroy: never move or
rename either. The provider keeps no attributes, because they would be stored too.

A preview that finds nothing to do needs none of the steps of a change, so they are imported in the methods.
"""

from typing import Any

import pulumi
from pulumi.dynamic import (
    CheckResult,
    CreateResult,
    DiffResult,
    ReadResult,
    Resource,
    ResourceProvider,
    UpdateResult,
)

from mig_fleet.components.preview import check_wave, connection_of
from mig_fleet.observed.differences import verification_drift
from mig_fleet.observed.snapshot import observe
from mig_fleet.rollout.wave import Props, Wave, stored


class VerificationProvider(ResourceProvider):
    """Waits until a wave's nodes are as expected, recovers them if allowed, and restores their scheduling."""

    serialize_as_secret_always = False

    def check(self, olds: Props, news: Props) -> CheckResult:
        """Called for every wave in each preview and each up. Adds ``drift``: the differences a reviewer must see."""
        return check_wave(
            olds,
            news,
            _desired,
            lambda wave: verification_drift(
                wave.expected, wave.nodes, observe(wave.cluster, wave.reports_namespace).nodes
            ),
        )

    def diff(self, _id: str, olds: Props, news: Props) -> DiffResult:
        """An update if the desired state differs or `check` found drift; never a replacement: the nodes still exist."""
        changed = _desired(Wave.from_properties(olds)) != _desired(Wave.from_properties(news))
        return DiffResult(changes=changed or bool(news.get("drift")))

    def create(self, props: Props) -> CreateResult:
        return CreateResult(props["wave"], _verified(props, {}))

    def update(self, _id: str, olds: Props, news: Props) -> UpdateResult:
        return UpdateResult(_verified(news, olds))

    def read(self, id_: str, props: Props) -> ReadResult:
        """Called by `pulumi refresh`: the slices that the nodes have now become the state's."""
        from mig_fleet.rollout.verify import read_slices

        return ReadResult(id_, {**props, **read_slices(Wave.from_properties(props))})


class Verification(Resource, module="mig", name="Verification"):
    """A wave with verified slices."""

    slices: pulumi.Output[dict[str, str]]
    """Node → the slices that NVML reports on its GPUs, ``GPU 0-7: 7x 1g.10gb``. One text per node: the SDK spends a
    tenth of a second on two hundred mappings (benchmarks/preview.py)."""
    remedies: pulumi.Output[list[str]]
    """The remedies that were used in the last update, one sentence per node."""

    def __init__(self, name: str, props: dict[str, Any], opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(VerificationProvider(), name, {**props, "slices": None, "remedies": None}, opts)


def _verified(props: Props, olds: Props) -> Props:
    """A wave that waits for a later update is not verified, and keeps its outputs."""
    if props.get("held"):
        return {**stored(props), "slices": olds.get("slices"), "remedies": None}
    from mig_fleet.rollout.verify import verify

    return {**stored(props), **verify(Wave.from_properties(props))}


def _desired(wave: Wave) -> tuple[object, ...]:
    expected = wave.expected
    return (
        *connection_of(wave),
        wave.nodes,
        (expected.config, expected.gpus, expected.strategy),
        (wave.on_failure, wave.recovery),
    )
