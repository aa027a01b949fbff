"""Find a GPU model by any name people have for it.

The catalog is read at the first look-up, only the files that are needed, straight from the package (which may lie in a
zip archive).
"""

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

from mig_fleet.model.errors import AmbiguousGpu, UnknownGpu
from mig_fleet.model.gpus.hints import model_like
from mig_fleet.model.gpus.loader import load
from mig_fleet.model.gpus.model import GpuModel

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

# Sorted by generation, then size: the order in which lists of models read well.
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


def find(name: str) -> GpuModel:
    """The model with this catalog name, short form, product name (NVML's or a label's spelling) or PCI id, in any case.

    Raises UnknownGpu, or AmbiguousGpu when several answer to it: ``H100`` is four models.
    """
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


def by_pci(pci_device_id: str) -> GpuModel | None:
    """The model with this id in mig-parted's form, ``0x233010DE``; None for a chip that is not in the catalog."""
    found = _by_name().get(pci_device_id.casefold(), ()) if pci_device_id[:2].casefold() == "0x" else ()
    return found[0] if len(found) == 1 else None


@cache
def names() -> tuple[str, ...]:
    """The catalog names of all models."""
    return tuple(model.name for model in all_models())


@cache
def all_models() -> tuple[GpuModel, ...]:
    """Every model of the catalog, by generation and size."""
    return tuple(_model(file) for file in _FILES)


@cache
def sources() -> Mapping[str, str]:
    """What the source keys of the catalog stand for."""
    import tomllib

    return {
        key: str(value) for key, value in tomllib.loads(_folder().joinpath("sources.toml").read_text("utf-8")).items()
    }


@cache
def _model(stem: str) -> GpuModel:
    file = f"{stem}.toml"
    return load(file, _folder().joinpath(file).read_text("utf-8"), sources())


def _folder() -> "Traversable":
    from importlib.resources import files  # 10 ms that only those pay who look something up

    return files("mig_fleet.model.gpus")


def _unknown(name: object) -> UnknownGpu:
    return UnknownGpu(name, [model.short for model in all_models()], model_like(name, all_models()))


def _fold(name: str) -> str:
    # GFD adds -MIG-1g.10gb under strategy single and -SHARED under time-slicing to the product.
    folded = "-".join(name.casefold().replace("-", " ").split())
    return folded.removesuffix("-shared").partition("-mig-")[0]


@cache
def _by_name() -> Mapping[str, tuple[GpuModel, ...]]:
    table: dict[str, tuple[GpuModel, ...]] = {}
    for model in all_models():
        products = (*model.product_names, *(product.removeprefix("NVIDIA ") for product in model.product_names))
        for word in {_fold(word) for word in (model.name, model.short, *products, *model.pci_device_ids)}:
            table[word] = (*table.get(word, ()), model)
    return table


@cache
def _by_stem() -> Mapping[str, tuple[GpuModel, ...]]:
    """The chip without its memory, ``h100``, for the answer that lists the candidates."""
    table: dict[str, tuple[GpuModel, ...]] = {}
    for model in all_models():
        stem = _fold(model.short).rpartition("-")[0]
        if stem:
            table[stem] = (*table.get(stem, ()), model)
    return table
