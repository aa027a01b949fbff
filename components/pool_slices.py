"""The output ``slices`` of a pool, from the outputs of its waves."""

import json
from collections.abc import Iterable
from typing import Any

import pulumi

from mig_fleet.components.verification import Verification
from mig_fleet.model.reported_slices import BY_NODE, REPORTED, by_node


def pool_slices(verified: Iterable[Verification]) -> pulumi.Output[dict[str, str]]:
    """Node → its slices: wave by wave, sorted by node in each; a wave without outputs adds nothing."""
    return pulumi.Output.all(*map(_of_wave, verified)).apply(_joined)


def _of_wave(verification: Verification) -> pulumi.Output[str]:
    """One JSON text: Pulumi would make an output of every entry of a mapping. In a preview, an output that the state
    does not have is unknown; so the one of an earlier release is read only without ours.
    """

    def text(reported: Any) -> pulumi.Input[str]:
        if reported is None or pulumi.runtime.rpc.contains_unknowns(reported):
            return verification.slices.apply(lambda slices: json.dumps(by_node({BY_NODE: slices})))
        return json.dumps(by_node({REPORTED: reported}))

    return verification.reported.apply(text, run_with_unknowns=True).recover(lambda _: "{}")


def _joined(texts: Iterable[str]) -> dict[str, str]:
    return {node: slices for text in texts for node, slices in json.loads(text).items()}
