"""Nodes are labelled with their GPU model by PCI ids, and get no config by it."""

from mig_fleet.components.node_labels import rules
from mig_fleet.model import labels


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


def test_no_rule_writes_the_config_label() -> None:
    assert all(labels.CONFIG not in rule["labels"] for rule in rules(["H100-80GB", "A100-80GB"]))


def test_a_model_without_pci_ids_has_no_rule() -> None:
    assert rules(["Thor"]) == []


def test_a_board_of_another_model_with_the_same_device_id_gets_no_label() -> None:
    (rule,) = rules(["RTX-PRO-5000"])
    (features,) = rule["matchFeatures"]
    assert features["matchExpressions"]["subsystem_device"] == {"op": "NotIn", "value": ["227a"]}
