"""Old and new slices side by side, as rows of memory slices in text."""

from collections.abc import Iterator

from mig_fleet.model.errors import MigError
from mig_fleet.model.formatting import format_ranges
from mig_fleet.model.pictures import row
from mig_fleet.review.review import GpuChange, NodeChange, Slices


def layout_lines(change: NodeChange, gpu: str) -> list[str]:
    """Two lines for GPUs that are touched: profiles, then pictures; one line for the others. Every line begins with
    ``GPU``, or with a space.
    """
    return [line for each in change.gpus for line in _lines(each, gpu)]


def _lines(change: GpuChange, gpu: str) -> Iterator[str]:
    caption = f"GPU {format_ranges(change.indexes)}"
    if not change.touched:
        yield f"{caption}  {change.before}: not touched"
        return
    text = f"{change.before} → {change.after}"
    if str(change.before) == str(change.after):
        text = f"{change.before}: destroyed and created again"
    yield f"{caption}  {text}"
    before, after = _picture(change.before, gpu), _picture(change.after, gpu)
    if after:
        yield f"{' ' * len(caption)}  {before or 'unknown'} → {after}".rstrip()


def _picture(slices: Slices, gpu: str) -> str:
    """Empty if the slices or the placements of the GPU model are not known."""
    if not slices.known:
        return ""
    try:
        return row(gpu, slices.profiles)
    except MigError:
        return ""
