"""Facts of single pages, and the paths of pages in the code."""

import re

import pytest

from mig_fleet.model import gpus, prove
from mig_fleet.rollout.batching import waves
from tests.docs.blocks import PAGES, ROOT
from tools.concept_pictures import EXAMPLE, MODEL, NODES, PACE, PROFILES

SOURCES = [ROOT / name for name in ("components", "examples", "mig_fleet", "policy", "stacks", "templates", "tools")]
PATHS = sorted(
    {
        (path.relative_to(ROOT).as_posix(), found)
        for folder in SOURCES
        for path in folder.rglob("*")
        if path.is_file() and path.suffix in (".py", ".sh", ".toml", ".yaml", ".yml")
        for found in re.findall(
            r"(?<![\w./-])docs/[\w/-]+\.md|(?<=/blob/main/)docs/[\w/-]+\.md", path.read_text("utf-8")
        )
        if not found.startswith("docs/metrics/")  # of kube-state-metrics
    }
)


@pytest.mark.parametrize(("file", "page"), PATHS)
def test_a_page_that_the_code_names_exists(file: str, page: str) -> None:
    assert (ROOT / page).is_file(), f"{file} must name a page of docs/"


def test_pages_that_the_code_names_are_found() -> None:
    assert {"docs/how-to/adopt.md", "docs/reference/rollout.md"} <= {page for _, page in PATHS}


def test_the_page_about_slices_has_the_profiles_of_the_catalog() -> None:
    text = (ROOT / "docs/concepts/slices.md").read_text("utf-8")
    model = gpus.find(MODEL)
    rows = re.findall(r"^\| `(\S+)` \| (\d) \| (\d) \| (\d) \|$", text, re.MULTILINE)
    assert tuple(name for name, *_ in rows) == PROFILES
    for name, compute, memory, instances in rows:
        profile = model.profile(name)
        assert (profile.compute_slices, profile.memory_slices, profile.max_instances) == (
            int(compute),
            int(memory),
            int(instances),
        )


def test_the_words_of_the_pictures_are_true() -> None:
    slices = (ROOT / "docs/concepts/slices.md").read_text("utf-8")
    profiles = [gpus.find(MODEL).profile(name) for name in EXAMPLE]
    free = [
        gpus.find(MODEL).compute_slices - sum(profile.compute_slices for profile in profiles),
        gpus.find(MODEL).memory_slices - sum(at.size for at in prove(MODEL, EXAMPLE).placements),
    ]
    assert f"{free[0]} compute slices and {free[1]} memory slices are free" in slices
    placement = (ROOT / "docs/concepts/placement.md").read_text("utf-8")
    places = re.findall(r"(\dg\.\d+gb) at (\d+(?:(?:, | to | and )\d+)*)(?=[,.])", placement.partition("](")[0])
    assert tuple(name for name, _ in places) == PROFILES
    for name, starts in places:
        known = sorted(gpus.find(MODEL).profile(name).starts)
        assert starts in (", ".join(map(str, known)), f"{known[0]} to {known[-1]}", " and ".join(map(str, known)))


def test_the_picture_of_waves_is_that_of_the_pool_on_its_page() -> None:
    text = (ROOT / "docs/concepts/waves.md").read_text("utf-8")
    assert f"nodes: [{', '.join(NODES)}]" in text
    assert f"canary: {PACE.canary}, maxUnavailable: {PACE.max_unavailable}" in text
    assert max(len(nodes) for nodes in waves(NODES, PACE).values()) == 3


def test_every_page_of_the_site_is_in_a_table_of_its_folder() -> None:
    for folder in ("concepts", "explanation", "how-to", "reference"):
        index = (ROOT / "docs" / folder / "index.md").read_text("utf-8")
        pages = [page.name for page in PAGES if page.parent.name == folder and page.name != "index.md"]
        missing = [f"| [Title]({name}) | … |" for name in pages if f"]({name})" not in index]
        assert not missing, f"add to docs/{folder}/index.md:\n" + "\n".join(missing)
