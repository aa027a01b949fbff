"""Nodes are labelled with their GPU model by PCI ids, and get no config by it."""

import re

import pytest

from mig_fleet.components.node_labels import rules
from mig_fleet.model import gpus, labels


def test_each_model_is_identified_by_its_pci_ids() -> None:
    assert rules(["H100-80GB", "H100-80GB"]) == [
        {
            "name": "GPU model H100-80GB",
            "labels": {labels.MODEL: "H100-80GB"},
            "matchFeatures": [
                {
                    "feature": "pci.device",
                    "matchExpressions": {
                        "vendor": {"op": "In", "value": ["10de"]},
                        "device": {"op": "In", "value": ["2330", "2331"]},
                    },
                }
            ],
        }
    ]


@pytest.mark.parametrize("model", ["RTX PRO 6000 Blackwell-96GB", "H100-94GB (NVL / SXM5 94GB)", "H200-141GB"])
def test_the_label_is_a_name_of_the_model_that_kubernetes_accepts(model: str) -> None:
    """NFD's master leaves out a label with another value (v0.19.0, pkg/apis/nfd/validate/validate.go)."""
    (rule,) = rules([model])
    value = rule["labels"][labels.MODEL]
    assert re.fullmatch(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?", value)
    assert gpus.find(value) is gpus.find(model)


def test_no_rule_writes_the_config_label() -> None:
    assert all(labels.CONFIG not in rule["labels"] for rule in rules(["H100-80GB", "A100-80GB"]))


def test_a_model_without_pci_ids_has_no_rule() -> None:
    assert rules(["Thor"]) == []


def test_a_board_of_another_model_with_the_same_device_id_gets_no_label() -> None:
    (rule,) = rules(["RTX-PRO-5000"])
    (features,) = rule["matchFeatures"]
    assert features["matchExpressions"]["subsystem_device"] == {"op": "NotIn", "value": ["227a"]}
