"""The cases that `make conformance` counts: processes append to one file, if there is a variable with its path."""

import json
import os
from pathlib import Path
from typing import Final

FILE: Final = "MIG_FLEET_CONFORMANCE_RECORDS"

MIG_PARTED: Final = "mig-parted"
MIG_MANAGER: Final = "MIG Manager"
DRA_DRIVER: Final = "DRA driver"
NODE_FEATURES: Final = "Node Feature Discovery"
NAMES: Final = "names of profiles"


def count_case(part: str, *, agrees: bool, seconds: float) -> None:
    """One comparison of a genuine program with the simulator, and how long it took."""
    path = os.environ.get(FILE)
    if path:
        with Path(path).open("a") as file:
            file.write(json.dumps({"part": part, "agrees": agrees, "seconds": seconds}) + "\n")
