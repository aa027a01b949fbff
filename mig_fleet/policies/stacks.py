"""The stacks that a rule is for."""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Annotated

from pydantic import Field

from mig_fleet.policies.parameters import Parameters


class Stacks(Parameters):
    stacks: Annotated[
        tuple[str, ...],
        Field(description="names of stacks, such as `dev`, or patterns, such as `dev-*`; `*` is every stack"),
    ] = ()


def is_one_of(stack: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(stack, pattern) for pattern in patterns)
