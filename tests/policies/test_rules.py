"""The rules that the components, the policy pack and the command line share."""

import pytest

from mig_fleet.model import Layout, Strategy
from mig_fleet.model.finding import Level
from mig_fleet.model.labels import LAYOUTS_CONFIG_MAP, OPERATOR_OWNED_CONFIG_MAP
from mig_fleet.policies import config_map_is_ours
from mig_fleet.policies.pool_facts import PoolFacts
from mig_fleet.policies.rule import Rule
from mig_fleet.policies.rules import explain, rule_conflicts
from tests.policies.facts import a_chart

DENSE = Layout.uniform("dense", "H100-80GB", {"1g.10gb": 7})


def a_pool(
    layout: Layout = DENSE, gpu: str = "H100-80GB", gpus_per_node: int = 8, strategy: Strategy = Strategy.MIXED
) -> PoolFacts:
    return PoolFacts("inference", gpu, gpus_per_node, layout, strategy)


def test_a_compliant_pool_has_no_conflict() -> None:
    assert rule_conflicts([a_pool()]) == ()
    assert explain(()) == ""


@pytest.mark.parametrize(
    ("pool", "rule", "text"),
    [
        (
            a_pool(Layout.uniform("big", "H100-80GB", {"3g.40gb": 2, "1g.10gb": 1})),
            Rule.FITS,
            "pool 'inference' must use a layout that fits an H100-80GB: 'big' asks for 1 × 1g.10gb + 2 × 3g.40gb; "
            "3g.40gb ×2 fill memory slices 0–7; nothing is left for 1g.10gb although 1 compute slice is free; "
            "what fits: 2 × 3g.40gb or 1 × 3g.40gb + 1 × 2g.20gb + 2 × 1g.10gb",
        ),
        (
            a_pool(Layout.uniform("new", "GB300-278GB", {"1g.35gb": 3}), "GB300-278GB"),
            Rule.FITS,
            "must use a layout that is proven to fit a GB300-278GB",
        ),
        (
            a_pool(gpu="A100-80GB"),
            Rule.MODEL,
            "pool 'inference' has A100-80GB GPUs and must use a layout for them; 'dense' is for H100-80GB",
        ),
        (a_pool(gpu="H300"), Rule.MODEL, "must name a GPU model of the catalog: unknown GPU model 'H300'"),
        (
            a_pool(
                Layout.parse("few", {"gpu": "H100-80GB", "gpus": [{"devices": [0], "profiles": {"1g.10gb": 7}}]}),
                gpus_per_node=2,
            ),
            Rule.COVERED,
            "must cover every GPU of pool 'inference' once: GPU 1 is not covered",
        ),
        (
            a_pool(Layout.uniform("split", "H100-80GB", {"1c.3g.40gb": 6})),
            Rule.STRATEGY,
            "must use a layout that MIG strategy mixed can serve: 1c.3g.40gb is part of a GPU instance",
        ),
    ],
)
def test_a_broken_rule_is_one_conflict_with_its_sentence(pool: PoolFacts, rule: Rule, text: str) -> None:
    (conflict,) = rule_conflicts([pool])
    assert conflict.rule is rule
    assert conflict.path == "inference"
    assert conflict.level is (Level.UNPROVEN if "proven to fit" in text else Level.WRONG)
    assert text in conflict.text
    assert explain([conflict]) == f"{rule}: {conflict.text}"


def test_the_strategy_of_the_cluster_is_checked() -> None:
    mixed = Layout.uniform("mixed", "H100-80GB", {"3g.40gb": 1, "1g.10gb": 1})
    (conflict,) = rule_conflicts([a_pool(layout, strategy=Strategy.SINGLE) for layout in (DENSE, mixed)])
    assert "one profile per node, found 1g.10gb, 3g.40gb" in conflict.text


def test_the_operators_own_config_map_is_refused() -> None:
    (conflict,) = config_map_is_ours.check(a_chart(config_map=OPERATOR_OWNED_CONFIG_MAP))
    assert conflict.rule is Rule.CONFIG_MAP
    assert "which the GPU operator overwrites" in conflict.text
    assert config_map_is_ours.check(a_chart(config_map=LAYOUTS_CONFIG_MAP)) == []
