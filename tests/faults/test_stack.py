"""The recorded program has the order in which the real one registers its resources: the owner is checked first."""

import time
from pathlib import Path
from typing import Any

import pulumi
import pytest

from tests.faults.recording import Recording
from tests.faults.scenario import NEW
from tests.faults.stack import Stack


@pytest.mark.parametrize("slow", ["owner", "layouts-file", "objects"])
def test_a_resource_that_is_registered_slowly_still_comes_before_what_depends_on_it(
    slow: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The SDK registers resources that do not depend on each other at the same time."""
    record = Recording.new_resource

    def register(self: Recording, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[Any, Any]]:
        if args.name == slow:
            time.sleep(0.2)
        return record(self, args)

    monkeypatch.setattr(Recording, "new_resource", register)
    names = list(Stack(Path("kubeconfig")).program(NEW, watched=True))
    assert names[0] == "owner"
    assert set(names[1:3]) == {"layouts-file", "objects"}
    assert names[3:] == [f"train-wave-0{n}-{step}" for n in (0, 1) for step in ("assigned", "verified")]
