"""Look-ups: a GPU model by any of its names, and a profile of a model, with a suggestion for a wrong name.

The catalog is read at the first look-up, only the files that are needed, directly from the package, which may be in a
zip archive.
"""

import copyreg
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING

from mig_fleet.model.errors import AmbiguousGpu, UnknownGpu, UnknownProfile
from mig_fleet.model.gfd import gpu_product
from mig_fleet.model.gpus.hints import nearest_model, nearest_profile
from mig_fleet.model.gpus.loader import load
from mig_fleet.model.gpus.model import GpuModel, GpuProfile
from mig_fleet.model.profiles import Profile

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

# By generation, then by memory: the order of all lists of models.
_FILES = (
    "a30-24gb",
    "a100-40gb",
    "a100-80gb",
    "a800-40gb",
    "a800-80gb",
    "pg506-96gb",
    "h100-64gb",
    "h100-80gb",
    "h100-94gb",
    "h100-96gb",
    "h800-80gb",
    "h800-94gb",
    "h20-96gb",
    "h20-141gb",
    "h200-141gb",
    "gh200-96gb",
    "gh200-144gb",
    "b200-180gb",
    "gb200-186gb",
    "b300-269gb",
    "gb300-278gb",
    "rtx-pro-4500",
    "rtx-pro-5000",
    "rtx-pro-6000",
    "thor",
)


def find(name: GpuModel | str) -> GpuModel:
    """The model with this catalog name, short form, product name (NVML's or a label's spelling) or PCI id, in upper or
    lower case; a model is returned as it is.

    Raises UnknownGpu, or AmbiguousGpu for a name of several models: there are four of ``H100``.
    """
    if isinstance(name, GpuModel):
        return name
    if not isinstance(name, str):
        raise _unknown(name)
    word = _fold(name)
    if word in _FILES:
        return _model(word)
    for candidates in (_by_name(), _by_stem()):
        found = candidates.get(word, ())
        if len(found) == 1:
            return found[0]
        if found:
            raise AmbiguousGpu(name, [model.short for model in found])
    raise _unknown(name)


def profile_of(gpu: GpuModel, name: str | Profile) -> GpuProfile:
    """As :meth:`GpuModel.profile`, for names that users write: UnknownProfile suggests one with the same slices, and
    names the models that have the profile.

    Raises UnknownProfile, InvalidProfile.
    """
    try:
        return gpu.profile(name)
    except UnknownProfile as error:
        near = nearest_profile(gpu, Profile.parse(error.profile), all_models())
        models = [model.short for model in all_models() if model.knows(error.profile)]
        raise UnknownProfile(error.profile, error.gpu, error.known, near, models) from None


def by_pci(pci_device_id: str) -> GpuModel | None:
    """The model with this id in mig-parted's form, ``0x233010DE``; None for a chip that is not in the catalog."""
    found = _by_name().get(pci_device_id.casefold(), ()) if pci_device_id[:2].casefold() == "0x" else ()
    return found[0] if len(found) == 1 else None


def by_board(pci_device_id: str, product: str) -> GpuModel | None:
    """As :func:`by_pci`, for a board whose product name NVML reports: None also for another board with that id."""
    model = by_pci(pci_device_id)
    others = {_fold(board.name) for board in model.other_boards} if model else set[str]()
    return None if _fold(product) in others else model


@cache
def all_models() -> tuple[GpuModel, ...]:
    """Every model of the catalog, by generation and size."""
    return tuple(_model(file) for file in _FILES)


@cache
def sources() -> Mapping[str, str]:
    """The sources of the catalog by their keys: title and address."""
    import tomllib

    return {
        key: str(value) for key, value in tomllib.loads(_folder().joinpath("sources.toml").read_text("utf-8")).items()
    }


@cache
def _model(stem: str) -> GpuModel:
    file = f"{stem}.toml"
    return load(file, _folder().joinpath(file).read_text("utf-8"), sources())


def _folder() -> "Traversable":
    from importlib.resources import files  # takes 10 ms, so only a look-up loads it

    return files("mig_fleet.model.gpus")


def _pickled(model: GpuModel) -> tuple[Callable[[str], GpuModel], tuple[str]]:
    """A model is pickled as its name and read back as the catalog's own object: models are equal by identity."""
    return find, (model.name,)


copyreg.pickle(GpuModel, _pickled)


def _unknown(name: object) -> UnknownGpu:
    return UnknownGpu(name, [model.short for model in all_models()], nearest_model(name, all_models()))


def _fold(name: str) -> str:
    return gpu_product("-".join(name.replace("-", " ").split()))


@cache
def _by_name() -> Mapping[str, tuple[GpuModel, ...]]:
    table: dict[str, tuple[GpuModel, ...]] = {}
    for model in all_models():
        short = {_fold(product.removeprefix("NVIDIA ")) for product in model.product_names}
        # "NVIDIA H100" is one board, but people write H100 for all boards with the chip.
        short = {word for word in short if len(_by_stem().get(word, ())) < 2}
        for word in short | set(map(_fold, (model.name, model.short, *model.product_names, *model.pci_device_ids))):
            table[word] = (*table.get(word, ()), model)
    return table


@cache
def _by_stem() -> Mapping[str, tuple[GpuModel, ...]]:
    """The models by chip without memory, ``h100``: several of them make the name ambiguous."""
    table: dict[str, tuple[GpuModel, ...]] = {}
    for model in all_models():
        stem = _fold(model.short).rpartition("-")[0]
        if stem:
            table[stem] = (*table.get(stem, ()), model)
    return table
