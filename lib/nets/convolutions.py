"""Convolutions that halve or double a field, many members at once; fields travel as flat rows (R, n, c h w)."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lib.core import checks

Field = tuple[int, int, int]  # channels, height, width
SIDE, STRIDE, MARGIN = 4, 2, 1  # of a kernel: a field's height and width are exactly halved, or exactly doubled


class Convolutions(nn.Module):
    """R convolutions side by side, each followed by the activation f(x, *learned) if any, (R, n, c h w) -> (R, n, C h w / 4).

    `field` is what comes in, `channels` = C what goes out; `up` doubles height and width instead (a transposed convolution).
    Member r draws its weights from its own generator, a normal of deviation gain / sqrt(fan_in) cut at two deviations, where
    fan_in counts the inputs that reach one output. Source: [shwartz2017opening] for the scheme, [cheng2026information] for
    encoders of fields by convolutions; kernels of 4 x 4 in strides of 2, where theirs pool, are ours.
    """

    def __init__(
        self,
        field: Field,
        channels: int,
        generators: Sequence[torch.Generator],
        gain: float,
        learned: Sequence[float] = (),
        *,
        up: bool = False,
    ) -> None:
        super().__init__()
        self.field, self.up = field, up
        taps = SIDE**2 // (STRIDE**2 if up else 1)
        scale = gain / math.sqrt(taps * field[0])
        shape = (field[0], channels, SIDE, SIDE) if up else (channels, field[0], SIDE, SIDE)
        weights = [nn.init.trunc_normal_(torch.empty(shape), 0, scale, -2 * scale, 2 * scale, g) for g in generators]
        self.weight = nn.Parameter(torch.stack(weights))
        self.bias = nn.Parameter(torch.zeros(len(weights), channels))
        width = channels * field[1] * field[2] * STRIDE**2 if up else channels * field[1] * field[2] // STRIDE**2
        self.learned = nn.ParameterList(torch.full((len(weights), 1, width), start) for start in learned)

    def forward(self, x: Tensor) -> Tensor:
        """Return the convolution of every member's rows."""
        if x.ndim != 3 or x.shape[2] != math.prod(self.field):
            raise ValueError(f"x must be rows (R, n, {math.prod(self.field)}) of fields {self.field}, got {tuple(x.shape)}")
        convolve = F.conv_transpose2d if self.up else F.conv2d
        # One call a member: on a CPU a convolution of R groups takes 15 % longer, and rounds otherwise than a single one.
        rows = [
            convolve(z.unflatten(1, self.field), w, b, STRIDE, MARGIN)
            for z, w, b in zip(x, self.weight, self.bias, strict=True)
        ]
        return torch.stack(rows).flatten(2)


def chains(
    fields: Sequence[int], channels: Sequence[int], generators: Sequence[torch.Generator], gain: float, learned: Sequence[float]
) -> tuple[list[Convolutions], list[Convolutions], int]:
    """Return what leads fields (c, h, w) down to channels[-1] small ones, its mirror image back up, and how wide the end is.

    Every entry of `channels` halves height and width; the last layer up has gain 1 and no activation of its own.
    Errors: fields that are no (c, h, w), no channels, a side that cannot be halved so often.
    """
    if len(fields) != 3:
        raise ValueError(
            f"fields must be (channels, height, width), got {tuple(fields)}; a line of values needs no convolution"
        )
    for value in (*fields, *channels):
        checks.counted(value, "a size of fields or channels")
    if not channels or fields[1] % 2 ** len(channels) or fields[2] % 2 ** len(channels):
        raise ValueError(
            f"fields of {fields[1]} x {fields[2]} cannot be halved {len(channels)} times, once for each of channels "
            f"{list(channels)}; give at least one, and sides that are multiples of {2 ** max(len(channels), 1)}"
        )
    sizes = [(c, fields[1] >> i, fields[2] >> i) for i, c in enumerate([fields[0], *channels])]
    down = [Convolutions(size, c, generators, gain, learned) for size, c in zip(sizes, channels, strict=False)]
    up = [Convolutions(a, b[0], generators, gain, learned, up=True) for a, b in zip(sizes[:1:-1], sizes[-2:0:-1], strict=True)]
    up.append(Convolutions(sizes[1], fields[0], generators, 1.0, up=True))
    return down, up, math.prod(sizes[-1])
