"""Nodes for NVIDIA's DRA driver: GPUs of one model, each with MIG off or on, some slices, whole ones or in parts."""

import random
from dataclasses import dataclass
from typing import Final

from mig_fleet.simulator.driver import Driver
from mig_fleet.simulator.driver.gpu import new_gpu
from mig_fleet.simulator.driver.instances import compute_profiles
from mig_fleet.simulator.errors import DriverError
from tests.conformance.situations import MODELS

EACH: Final = 5
"""Nodes of each model: four with whole slices, and the last one may have a part."""


@dataclass(frozen=True)
class Case:
    """The node with a number of one model; the same one each time."""

    model: str
    number: int

    def __str__(self) -> str:
        return f"{self.model} {self.number}"

    @property
    def driver(self) -> Driver:
        choose = random.Random(str(self))
        count = choose.choice([1, 2, 4, 8])
        driver = Driver("580.126.09", 13000, [new_gpu("a-node", index, self.model) for index in range(count)])
        for gpu in driver.gpus:
            gpu.set_mode(choose.random() < 0.8)
            for row in choose.choices(list(gpu.model.profiles.values()), k=choose.randrange(8)):
                parts = [part.slices for part in compute_profiles(row)]
                slices = choose.choice(parts) if self.number == EACH - 1 else row.compute_slices
                try:
                    gpu.create(row.name, slices)
                except DriverError:
                    continue
        return driver


CASES: Final = tuple(Case(model, number) for model in MODELS for number in range(EACH))
