"""docs/reference/errors.md: the errors, and for many of them a message as it is printed, with its way out."""

from collections.abc import Callable

from mig_fleet.cluster.errors import NodeMissing, NodeReplaced
from mig_fleet.model import Profile, gpus, prove
from mig_fleet.model.layouts import Layout
from mig_fleet.stack_file import fleet
from tools.reference_pages.source import classes, first_sentence, table

FILES = {
    "Of the model of MIG": "mig_fleet/model/errors.py",
    "Of a stack file": "mig_fleet/stack_file/problems.py",
    "Of a cluster": "mig_fleet/cluster/errors.py",
    "Of an update": "mig_fleet/failures.py",
}

DENSE = {"gpu": "H100-80GB", "all": {"1g.10gb": 7}}
STACK = {
    "cluster": {"context": "prod-gpu"},
    "layouts": {"dense": DENSE},
    "pools": {"a": {"gpu": "H100-80GB", "gpusPerNode": 0, "nodes": ["n1"], "layuot": "dense"}},
    "prizes": {},
}

PROVOKED: dict[str, Callable[[], object]] = {
    "A profile that is misspelled": lambda: Profile.parse("1g10gb"),
    "A profile of another GPU model": lambda: prove("H100-80GB", {"1g.5gb": 1}),
    "A GPU model that is misspelled": lambda: gpus.find("H100-80G"),
    "A name of several GPU models": lambda: gpus.find("H100"),
    "A layout that no GPU can have": lambda: Layout.parse("dense", {"gpu": "H100-80GB", "all": {"9g.10gb": 1}}),
    "A stack file with mistakes": lambda: fleet.parse(STACK, "stacks/Pulumi.prod.yaml"),
    "A node that is not in the cluster": lambda: _raise(NodeMissing("gpu-node-9")),
    "A node that was replaced during an update": lambda: _raise(NodeReplaced("gpu-node-9")),
}
"""What is wrong → what provokes the error."""


def page() -> str:
    messages = [f"### {title}\n```text\n{message(title)}\n```\n" for title in PROVOKED]
    trees = [f"### {title}\n{_table(file)}" for title, file in FILES.items()]
    return "\n".join(["## Messages\n", *messages, "## Classes\nFor programs that handle them.\n", *trees])


def message(title: str) -> str:
    """Raises :class:`AssertionError` if nothing is wrong any more."""
    try:
        PROVOKED[title]()
    except Exception as error:
        return str(error)
    raise AssertionError(f"{title}: nothing was refused")


def _table(file: str) -> str:
    rows = [
        (f"`{each.name}`", ", ".join(f"`{base}`" for base in each.bases), first_sentence(each.text))
        for each in classes(file).values()
        if each.text and not each.name.startswith("_")
    ]
    return table("| class | kind of | meaning |", *rows)


def _raise(error: Exception) -> None:
    raise error
