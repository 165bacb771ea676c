"""Whether a latent space is faithful, by what and how surely, in words."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from latentopt.fidelity.spaces import GroupFidelity, SpaceFidelity
from objectives.fidelity.ensemble import fewest_units

__all__ = ["LEVEL", "FidelityVerdict", "fidelity_verdict"]

LEVEL = 0.05  # of significance
_INTERFACE = (0.9, 1.1)  # share of the interface that counts as kept
_COPIED = 0.01  # share of samples that may be copies by chance


@dataclass(frozen=True)
class FidelityVerdict:
    """A verdict on one space.

    Parameters
    ----------
    state
        ``faithful``; ``partly`` if two-point statistics agree and the interface does not, or the
        samples do not; ``not faithful``; ``unknown`` if the data cannot tell.
    text
        The same in words, with the test, its probability and how many structures there were.
    """

    state: Literal["faithful", "partly", "not faithful", "unknown"]
    text: str


def fidelity_verdict(space: SpaceFidelity) -> FidelityVerdict:
    """Verdict on a space by its figures of all held-out images.

    The judge is the ensemble test of two-point statistics: below a p of 0.05 its two sets are
    different materials. A test that accepts shuffled voxels, or refuses one half of the originals
    against the other, has no say.
    """
    group = space.groups[0]
    figures, encodes = group.figures, bool(len(space.reconstructed))
    if unknown := _why_unknown(group, encodes):
        return FidelityVerdict("unknown", f"Not known: {unknown}. {_by_eye(figures)}".strip())
    p = figures["p_reconstructed"] if encodes else figures["p_samples"]
    of = "reconstructions" if encodes else "samples"
    if p < LEVEL:
        text = (
            f"Not faithful: its {of} are another material than the held-out structures on average "
            f"(ensemble test of two-point statistics, p = {p:.2g}, below {LEVEL:g})."
        )
        return FidelityVerdict("not faithful", f"{text} {_by_eye(figures)} {_of(group)}")
    but = _reservations(figures, encodes)
    lead = "Partly faithful" if but else "Faithful"
    text = (
        f"{lead}: its {of} have the two-point statistics of the held-out structures (ensemble "
        f"test, p = {p:.2g}; shuffled voxels are told apart with p = {figures['p_shuffled']:.2g})"
    )
    text += f", but {' and '.join(but)}." if but else "."
    state = "partly" if but else "faithful"
    return FidelityVerdict(state, f"{text} {_by_eye(figures)} {_of(group)}".replace("  ", " "))


def _of(group: GroupFidelity) -> str:
    return (
        f"The test had {group.images} structures of {group.parents} parents; it does not see "
        "differences that are smaller than so few show."
    )


def _why_unknown(group: GroupFidelity, encodes: bool) -> str:
    """Why the test has no say; empty if it has."""
    figures = group.figures
    judge = "p_reconstructed" if encodes else "p_samples"
    if seen := round(figures.get("seen", 0.0) * group.images):
        return f"{seen} of the held-out images are training images, so every figure is too good"
    if "p_shuffled" not in figures or judge not in figures:
        return (
            f"the ensemble test needs {2 * fewest_units()} parents, and the held-out images have "
            f"{group.parents}"
        )
    if figures["p_shuffled"] >= LEVEL:
        return "there are too few structures, the test does not even see shuffled voxels"
    if figures["p_held_out"] < LEVEL:
        return (
            "one half of the held-out structures differs from the other by itself "
            f"(p = {figures['p_held_out']:.2g})"
        )
    return ""


def _reservations(figures: Mapping[str, float], encodes: bool) -> list[str]:
    """What is not kept although the two-point statistics of reconstructions agree."""
    found = []
    kept = figures.get("interface_ratio", 1.0)
    if not _INTERFACE[0] <= kept <= _INTERFACE[1]:
        found.append(f"they have {kept:.0%} of the interface")
    if encodes and figures.get("p_samples", 1.0) < LEVEL:
        found.append(f"its samples are another material (p = {figures['p_samples']:.2g})")
    copied = figures.get("copied", 0.0)
    if copied > max(_COPIED, figures.get("copied_halves", 0.0)):
        found.append(f"{copied:.0%} of its samples are copies of training structures")
    return found


def _by_eye(figures: Mapping[str, float]) -> str:
    """An error that a reader can picture; empty without phases or reconstructions."""
    if "pixel_error" not in figures:
        return ""
    return f"{100 * figures['pixel_error']:.2g}% of the voxels have another phase."
