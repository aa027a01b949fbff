"""What a stack needs whose slices NVIDIA's DRA driver publishes."""

from typing import Final

from mig_fleet.observed.rights.grant import Grant, Step, Use

_RESOURCE: Final = "resource.k8s.io"


def grants_of_dra(namespace: str) -> list[Grant]:
    """``namespace`` is the DRA driver's."""
    classes, templates = (f"deviceclasses.{_RESOURCE}",), (f"resourceclaimtemplates.{_RESOURCE}",)
    return [
        Grant(
            verbs=("list",),
            resources=(f"resourceslices.{_RESOURCE}", f"resourceclaims.{_RESOURCE}"),
            step=Step.PREVIEW,
            why="which slices the DRA driver publishes, and which pods have them or wait for them",
            use=Use.DRA,
        ),
        Grant(
            verbs=("watch",),
            resources=(f"resourceslices.{_RESOURCE}",),
            step=Step.UPDATE,
            why="when the DRA driver publishes the new slices",
            use=Use.DRA,
        ),
        Grant(
            verbs=("delete",),
            resources=("pods",),
            namespace=namespace,
            step=Step.UPDATE,
            why="restart the DRA driver's plugin on a node whose slices changed",
            use=Use.DRA,
        ),
        *_all_of(classes, "the classes by which pods claim slices", Use.DRA),
        *_all_of(templates, "the claim templates of the stack's namespaces", Use.CLAIM_TEMPLATES),
    ]


def _all_of(resources: tuple[str, ...], why: str, use: Use) -> list[Grant]:
    """Objects whose names follow from the layouts. A stack from which ``use`` is removed needs the rights once more:
    others are not asked for them.
    """
    read, write = ("get",), ("list", "watch", "create", "patch", "update", "delete")
    return [
        Grant(verbs=verbs, resources=resources, step=step, why=why, use=use)
        for verbs, step in ((read, Step.PREVIEW), (write, Step.UPDATE))
    ]
