"""What boards of a cluster showed about a layout that no source proves, and who reported it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields


@dataclass(frozen=True, slots=True)
class Confirmed:
    """Each text names the board and the command, the person or the day: ``nvidia-smi mig -lgip on tray-3``. Empty if
    nothing was shown.

    ``names``: the boards have every profile of the layout under the name that it has there. ``slices``: a GPU had all
    slices of the layout at once, under these names. Neither makes an impossible layout possible.
    """

    names: str = ""
    slices: str = ""

    @property
    def names_shown_by(self) -> str:
        """Slices that a GPU had prove their names, too."""
        return self.names or self.slices

    def to_data(self) -> dict[str, str]:
        """The texts that are not empty; an empty mapping if nothing was shown."""
        return {key: text for key, text in asdict(self).items() if text}

    @classmethod
    def of_data(cls, data: Mapping[str, object]) -> "Confirmed":
        """From :meth:`to_data`."""
        return cls(**{key: str(data.get(key) or "") for key in CONFIRMED_KEYS})


CONFIRMED_KEYS = tuple(field.name for field in fields(Confirmed))
NOTHING = Confirmed()
