"""The package as a whole: its errors, its exported names, its dependencies."""

import importlib
import pickle
import pkgutil
import subprocess
import sys
from collections.abc import Callable

import pytest

from mig_fleet import model as mig
from mig_fleet.model import errors
from mig_fleet.model.errors import InvalidReport, MigError
from mig_fleet.model.finding import Finding
from mig_fleet.model.reading import Reader
from mig_fleet.model.short_repr import format_value

EXAMPLES: dict[type[MigError], tuple[object, ...]] = {
    errors.InvalidProfile: ("1g", "why"),
    errors.InvalidCount: ("1g.10gb", "7"),
    errors.InvalidRequest: ("profiles", None, "a list"),
    errors.UnknownProfile: ("1g.1gb", "H100-80GB", ("1g.10gb",)),
    errors.AmbiguousProfile: ("1g.10gb", {"one thing": ("A100-40GB",), "another": ("H100-80GB",)}),
    errors.UnknownGpu: ("H300", ("H100-80GB",)),
    errors.AmbiguousGpu: ("H100", ("H100-64GB", "H100-80GB")),
    errors.InvalidPlacement: ("3g.40gb at 2:4", "why"),
    errors.UnverifiedGeometry: ("Thor",),
    errors.InvalidCatalog: ("a.toml", "profiles", "size", "why"),
    errors.InvalidLayout: ("dense", (Finding("all", "why"),)),
    errors.InvalidPartedFile: ("mig-configs", "why"),
    errors.UnknownConfig: ("dense", ("denser",)),
    errors.InvalidReport: ("gpus[0]", "why"),
}


def test_every_error_is_in_the_tree_of_the_docstring_and_survives_pickling() -> None:
    found = {item for item in vars(errors).values() if isinstance(item, type) and issubclass(item, MigError)}
    assert found == {MigError, *EXAMPLES}
    for kind, arguments in EXAMPLES.items():
        assert kind.__name__ in (errors.__doc__ or ""), f"add {kind.__name__} to the tree in the docstring"
        error = kind(*arguments)
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), str(again), vars(again)) == (kind, str(error), vars(error))


class Leaf:
    """A value that counts its calls of ``repr``."""

    formatted = 0

    def __repr__(self) -> str:
        Leaf.formatted += 1
        return "leaf"


def test_only_a_short_part_of_a_value_with_multiplied_aliases_is_formatted() -> None:
    bomb: object = Leaf()
    for _ in range(5):
        bomb = [bomb] * 10
    formats: tuple[Callable[[], str], ...] = (
        lambda: format_value(bomb),
        lambda: format_value({"a": bomb}),
        lambda: str(error_of_reading(bomb)),
    )
    for format_bomb in formats:
        Leaf.formatted = 0
        assert 0 < len(format_bomb()) <= 200
        assert Leaf.formatted < 10_000, "of 100,000"


def error_of_reading(value: object) -> InvalidReport:
    with pytest.raises(InvalidReport) as refused:
        Reader("", {"key": value}, InvalidReport).take("key", str)
    return refused.value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("1g.10gb", "'1g.10gb'"),
        ("x" * 10_000_000, f"'{'x' * 56}..."),
        (["it's", 0.5, True, None], '["it\'s", 0.5, True, None]'),
        ({"b": [1, 2], "a": {}}, "{'b': [1, 2], 'a': {}}"),
        ({"a": {"b": {"c": {"d": 1}}}}, "{'a': {'b': {'c': {...}}}}"),
        (list(range(30)), f"{str(list(range(30)))[:57]}..."),
        (dict.fromkeys(range(1000)), f"{str(dict.fromkeys(range(30)))[:57]}..."),
        (10**5000, f"{hex(10**5000)[:57]}..."),
        (-7, "-7"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_value_is_formatted_as_python_writes_it_and_shortened(value: object, text: str) -> None:
    assert format_value(value) == text


def test_a_value_nested_beyond_the_recursion_limit_is_formatted() -> None:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    assert format_value(deep) == "[[[[...]]]]"


def test_every_exported_name_exists_and_every_module_imports() -> None:
    for module in pkgutil.walk_packages(mig.__path__, "mig_fleet.model."):
        loaded = importlib.import_module(module.name)
        for name in getattr(loaded, "__all__", ()):
            assert hasattr(loaded, name), f"{module.name} exports {name}, which it does not have"


def test_the_model_needs_nothing_but_the_standard_library() -> None:
    code = (
        "import sys, pkgutil, importlib\nfrom mig_fleet import model\n"
        "before = set(sys.stdlib_module_names)\n"
        "[importlib.import_module(m.name) for m in pkgutil.walk_packages(model.__path__, 'mig_fleet.model.')]\n"
        "[model.prove(m, [next(iter(m.profiles))]) for m in model.gpus.all_models()]\n"
        "print(sorted({n.partition('.')[0] for n in sys.modules} - before - {'mig_fleet', '__main__'}))"
    )
    # -S leaves site-packages out: whatever is not in the standard library cannot be imported at all.
    run = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == "[]"
