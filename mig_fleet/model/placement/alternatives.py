"""The feasible layouts that are nearest to an impossible one."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from mig_fleet.model.gpus import GpuModel
from mig_fleet.model.placement.enumeration import CountedProfiles, counted_profiles, maximal_counts
from mig_fleet.model.placement.grid import grid_of, search
from mig_fleet.model.placement.kept import counts_of
from mig_fleet.model.placement.placed import mask_of
from mig_fleet.model.placement.proof import Proof, Verdict
from mig_fleet.model.placement.proving import prove
from mig_fleet.model.placement.request import board_specific_names, instances_of

_MOST = 3


def nearest(proof: Proof) -> tuple[CountedProfiles, ...]:
    """At most three maximal layouts that hold the kept instances and differ from the request by the fewest memory
    slices, the nearest first; empty unless the request is impossible.

    Variants with suffixes, ``1g.24gb-me``, are included only if the request or the kept instances have them. The kept
    instances are not part of the answer. If boards report different names, the answer has those of the boards that the
    request names; if it names no board, layouts with the same names on all boards come first. The others are unproven:
    see :func:`is_proven_alternative`.
    """
    if proof.verdict is not Verdict.IMPOSSIBLE:
        return ()
    grid, kept = grid_of(proof.gpu), counts_of(proof.gpu, proof.kept)
    requested = {grid.by_name[name].index: count for name, count in instances_of(proof.gpu, proof.request).items()}
    totals = [(profile, requested.get(profile.index, 0) + kept[profile.index]) for profile in grid.profiles]
    required = [(profile, count) for profile, count in totals if count]

    disputed = () if board_specific_names(proof.gpu, proof.request) else _with_several_names(proof.gpu)

    def distance(candidate: _Candidate) -> tuple[bool, int, int]:
        # Profiles that are not required differ by all of their instances; equals keep the order of maximal layouts.
        slices, instances = candidate.slices, candidate.instances
        for profile, count in required:
            have = candidate.counts[profile.index]
            change = abs(have - count) - have
            slices += change * profile.size
            instances += change
        return any(candidate.counts[index] > kept[index] for index in disputed), slices, instances

    allowed = sum(1 << profile.index for profile, _ in required)
    candidates = [candidate for candidate in _candidates(proof.gpu) if not candidate.suffixed & ~allowed]
    names = _names_of_requested_boards(proof)
    answers: list[CountedProfiles] = []
    for candidate in sorted(candidates, key=distance):
        rest = tuple(have - keep for have, keep in zip(candidate.counts, kept, strict=True))
        if not proof.kept or _fits_beside_kept(proof, rest):
            profiles = counted_profiles(proof.gpu, rest)
            answers.append(MappingProxyType({names.get(name, name): count for name, count in profiles.items()}))
            if len(answers) == _MOST:
                break
    return tuple(answers)


def is_proven_alternative(proof: Proof, profiles: Mapping[str, int]) -> bool:
    """Whether other profiles are proven to fit in place of the request, beside the same kept instances.

    Raises what :func:`~mig_fleet.model.placement.prove` raises.
    """
    return bool(prove(proof.gpu, profiles, proof.kept))


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A maximal layout: counts of the grid's profiles, their memory slices and instances in total, and which of its
    profiles have a suffix, as bits.
    """

    counts: tuple[int, ...]
    slices: int
    instances: int
    suffixed: int


@cache
def _candidates(gpu: GpuModel) -> tuple[_Candidate, ...]:
    profiles = grid_of(gpu).profiles
    suffixed = [profile.index for profile in profiles if not gpu.profiles[profile.name].profile.is_plain]
    return tuple(
        _Candidate(
            counts,
            sum(count * profile.size for profile, count in zip(profiles, counts, strict=True)),
            sum(counts),
            sum(1 << index for index in suffixed if counts[index]),
        )
        for counts in maximal_counts(gpu)
    )


@cache
def _with_several_names(gpu: GpuModel) -> tuple[int, ...]:
    """The grid's profiles, by index, for which boards report different names."""
    return tuple(profile.index for profile in grid_of(gpu).profiles if gpu.profiles[profile.name].alternate_names)


def _fits_beside_kept(proof: Proof, counts: tuple[int, ...]) -> bool:
    if min(counts) < 0 or not any(counts):
        return False
    return search(grid_of(proof.gpu).flatten(counts), mask_of(proof.kept)) is not None


def _names_of_requested_boards(proof: Proof) -> dict[str, str]:
    """The names that the boards of the request report, by the catalog's names."""
    own_names = board_specific_names(proof.gpu, proof.request)
    rows = [proof.gpu.profiles[name] for name in own_names]
    boards = {it.where for row in rows for it in row.alternate_names if it.name == own_names[row.name]}
    if not boards:
        return {}
    rows = list(proof.gpu.profiles.values())
    return {row.name: it.name for row in rows for it in row.alternate_names if it.where in boards}
