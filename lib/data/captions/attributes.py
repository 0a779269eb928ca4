"""What a scene is made of: seven attributes as whole numbers, a knob that ties two of them, and combinations held out."""

import torch
from numpy.random import SeedSequence
from torch import Tensor

from lib.core import checks

ATTRIBUTES = {
    "shape": ("circle", "square", "triangle", "star", "ring", "cross"),
    "colour": ("red", "green", "blue", "yellow", "purple", "white"),
    "texture": ("solid", "striped", "dotted"),
    "size": ("small", "large"),
    "place": ("left", "right", "top", "bottom", "centre"),
    "background": ("plain", "grass", "water", "checker"),
    "count": ("one", "two", "three"),
}
COLUMN = {name: column for column, name in enumerate(ATTRIBUTES)}
COUNTS = torch.tensor([0.6, 0.2, 0.2])  # how often there are one, two and three objects
NOWHERE = -1  # the place of several objects
PARTS = ("seen", "held", "all")
STREAMS = ("attributes", "pictures", "sentences", "moves")


def held(truth: Tensor) -> Tensor:
    """Say which scenes show a combination of shape, colour and texture that is held out; truth: (n, 7) -> (n,) bool.

    (shape + colour + 2 texture) mod 6 = 0: 18 of the 108 combinations. Every pair of the three attributes has combinations
    that are not held out, and every value is held out equally often.
    """
    return (truth[:, 0] + truth[:, 1] + 2 * truth[:, 2]) % 6 == 0


def favourite(shape: Tensor) -> Tensor:
    """Return the background that each shape is tied to, (n,) -> (n,)."""
    return shape % len(ATTRIBUTES["background"])


def draw(n: int, *, rho: float = 0.0, part: str = "seen", seed: int) -> Tensor:
    """Draw the attributes of n scenes, (n, 7) int64 in the order of ATTRIBUTES; each is uniform but for what follows.

    rho: with this probability the background is the shape's favourite, otherwise it is uniform, so that
    P(favourite) = rho + (1 - rho) / 4. part: combinations that training sees, those held out, or all of them.
    One, two and three objects come with probability 0.6, 0.2 and 0.2; several have no place (-1).
    """
    checks.counted(n, "n")
    if not 0 <= rho <= 1:
        raise ValueError(f"rho must be in [0, 1], got {rho}; it is the probability of a shape's favourite background")
    if part not in PARTS:
        raise ValueError(f"part must be one of {', '.join(PARTS)}, got {part!r}")
    generator = stream(seed, "attributes")
    every = torch.cartesian_prod(*(torch.arange(len(ATTRIBUTES[name])) for name in ("shape", "colour", "texture")))
    allowed = every if part == "all" else every[held(every) == (part == "held")]
    triple = allowed[torch.randint(len(allowed), (n,), generator=generator)]
    size, place, background = (
        torch.randint(len(ATTRIBUTES[name]), (n,), generator=generator) for name in ("size", "place", "background")
    )
    tied = torch.rand(n, generator=generator) < rho
    background = torch.where(tied, favourite(triple[:, 0]), background)
    count = torch.multinomial(COUNTS, n, replacement=True, generator=generator)
    place = torch.where(count == 0, place, NOWHERE)
    return torch.cat([triple, torch.stack([size, place, background, count], 1)], 1)


def stream(seed: int, purpose: str) -> torch.Generator:
    """Return a generator of one purpose's own, so that one seed serves all without one draw telling of another."""
    mixed = SeedSequence([checks.counted(seed, "seed", least=0), STREAMS.index(purpose)]).generate_state(1)
    return torch.Generator().manual_seed(int(mixed[0]))


def attributes(truth: Tensor) -> Tensor:
    """Refuse anything but attributes (n, 7) int64 in their ranges; a place exactly where there is one object."""
    if not isinstance(truth, Tensor) or truth.dtype != torch.int64 or truth.ndim != 2 or truth.shape[1] != len(ATTRIBUTES):
        shape = tuple(truth.shape) if isinstance(truth, Tensor) else type(truth).__name__
        raise ValueError(f"truth must be int64 of shape (n, {len(ATTRIBUTES)}), got {shape}; `draw` gives such rows")
    for name, column in COLUMN.items():
        least, most = (NOWHERE if name == "place" else 0), len(ATTRIBUTES[name]) - 1
        if bad := [int(v) for v in truth[:, column].unique() if not least <= v <= most]:
            raise ValueError(
                f"{name} must be between {least} and {most}, got {bad[0]}; it counts {', '.join(ATTRIBUTES[name])}"
            )
    if ((truth[:, COLUMN["place"]] == NOWHERE) != (truth[:, COLUMN["count"]] > 0)).any():
        raise ValueError(f"a scene of one object needs a place, and one of several must have place {NOWHERE}")
    return truth
