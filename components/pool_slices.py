"""The output ``slices`` of a pool, from the outputs of its waves."""

import json
from collections.abc import Iterable

import pulumi

from mig_fleet.components.verification import Verification
from mig_fleet.model.reported_slices import BY_NODE, REPORTED, by_node


def pool_slices(verified: Iterable[Verification]) -> pulumi.Output[dict[str, str]]:
    """Node → its slices: wave by wave, sorted by node in each; a wave without outputs adds nothing."""
    return pulumi.Output.all(*map(_of_wave, verified)).apply(_joined)


def _of_wave(verification: Verification) -> pulumi.Output[str]:
    """One JSON text: Pulumi would make an output of every entry of a mapping, also of one from an earlier release."""
    earlier = verification.slices.apply(json.dumps)
    found = pulumi.Output.all(verification.reported, earlier)
    texts = found.apply(lambda each: json.dumps(by_node({REPORTED: each[0], BY_NODE: json.loads(each[1])})))
    return texts.recover(lambda _: "{}")


def _joined(texts: Iterable[str]) -> dict[str, str]:
    return {node: slices for text in texts for node, slices in json.loads(text).items()}
