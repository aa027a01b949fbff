"""docs/reference/outputs.md: what a stack and a wave give to other programs."""

from tools.reference_pages.source import classes, table


def page() -> str:
    fleet = classes("components/fleet/component.py")["Fleet"]
    wave = classes("components/verification.py")["Verification"]
    owner = classes("components/owner.py")["ClusterOwner"]
    tables = [
        table("| output | meaning |", *((f"`{each.name}`", each.text) for each in described.entries if each.text))
        for described in (fleet, wave, owner)
    ]
    return "\n".join(
        [
            "## Of a stack\n",
            tables[0],
            "## Of a wave's `Verification`\n",
            tables[1],
            "## Of `cluster-owner`\n",
            tables[2],
        ]
    )
