"""Entropy and information of binned samples."""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from lib.core import checks


def bin_range(t: Tensor, *, low: float, high: float, bins: int = 30) -> Tensor:
    """Return the index of the equal-width bin of each value, (n, d) -> (n, d) int64; values outside go to the end bins.

    The published code lets values below the range wrap round to the last bin; here they are clipped.
    Source: [shwartz2017opening].
    """
    checks.matrix(t, "t"), checks.counted(bins, "bins")
    if not -math.inf < low < high < math.inf:
        raise ValueError(f"the range must be finite with low < high, got [{low}, {high}]; give the activation's range")
    return (t - low).mul_(bins / (high - low)).floor_().clamp_(0, bins - 1).int().long()


def bin_width(t: Tensor, *, width: float = 0.07) -> Tensor:
    """Return floor(t / width), (n, d) -> (n, d) int64: bins of one width over an unbounded range.

    Source: [saxe2018information].
    """
    checks.matrix(t, "t"), checks.positive(width, "width")
    if (largest := float(t.abs().max()) / width) >= 2**62:
        raise ValueError(f"values up to {largest:.1e} widths cannot be numbered; use a wider width than {width}")
    return (t / width).floor().long()


def bin_adaptive(t: Tensor, *, bins: int = 30, floor: float | None = None) -> Tensor:
    """Return bins that hold equally many of the distinct values of all units together, (..., n, d) -> (..., n, d) int64.

    Values equal to `floor` (0 for ReLU) are a bin of their own. Edges follow the layer, so values at two epochs are measured at
    two resolutions. A layer that knows one value only is one bin. Source: [chelombiev2019adaptive].
    """
    checks.matrix(t, "t"), checks.counted(bins, "bins")
    pooled = t.detach().reshape(-1, t.shape[-2] * t.shape[-1])
    codes = edges_reached(pooled, distinct_quantiles(pooled, bins, floor)).reshape(t.shape) + 1
    return torch.where(t == floor, 0, codes) if floor is not None else codes


def distinct_quantiles(values: Tensor, parts: int, floor: float | None) -> Tensor:
    """Return levels[k m // parts], k = 1 .. parts - 1, of the m distinct values of each row but `floor`.

    values: (r, N) -> (r, parts - 1), levels in rising order.
    """
    rising = ordered(values)
    new = torch.ones_like(rising, dtype=torch.bool)
    new[:, 1:] = rising[:, 1:] != rising[:, :-1]
    if floor is not None:
        new &= rising != floor
    rank = new.cumsum(-1, dtype=torch.int32)  # how many distinct values up to here; ten times faster than in int64
    wanted = torch.arange(1, parts, device=values.device) * rank[:, -1:].long() // parts + 1
    place = torch.searchsorted(rank, wanted.int()).clamp_max(values.shape[-1] - 1)  # a row of `floor` alone has no level
    return rising.gather(-1, place)


def edges_reached(values: Tensor, edges: Tensor) -> Tensor:
    """Return how many of its row's rising edges each value has reached, (r, N) and (r, k) -> (r, N) int64.

    On a CPU comparing with each of a few edges in turn is ten times faster than a search, since it reads memory in order.
    """
    if values.is_cuda or edges.shape[-1] > 100:
        return torch.searchsorted(edges, values, right=True)
    reached, above = np.zeros(values.shape, np.uint8), np.empty(values.shape[-1], bool)
    for row, limits, count in zip(values.cpu().numpy(), edges.cpu().numpy(), reached, strict=True):
        for limit in limits:
            count += np.greater_equal(row, limit, out=above).view(np.uint8)
    return torch.from_numpy(reached).long()


def ordered(values: Tensor) -> Tensor:
    """Return each row in rising order; on a CPU by numpy, which does not carry along where each value came from."""
    return values.sort(-1).values if values.is_cuda else torch.from_numpy(np.sort(values.numpy(), axis=-1))


def entropy(codes: Tensor) -> Tensor:
    """Return the plug-in entropy H = -sum_c p_c log p_c of integer rows, (..., n, d) -> (...), nats, float64; at most log n.

    Biased low by about (occupied cells - 1) / 2n; warns near log n, where nearly every row is its own cell.
    """
    value = plug_in(codes)
    return checks.ceiling(value, math.log(codes.shape[-2]), "the plug-in entropy")


def plug_in(codes: Tensor) -> Tensor:
    """Return `entropy` without its warning, for sweeps, where saturated layers are expected."""
    return cell_entropy(each_member(pack, checks.codes(codes, "codes")))


def each_member(number_rows: Callable[[Tensor], Tensor], t: Tensor) -> Tensor:
    """Return number_rows of every stacked member, (..., n, d) -> (..., n); one at a time stays in a core's cache."""
    return torch.stack([number_rows(member) for member in t.reshape(-1, *t.shape[-2:])]).reshape(t.shape[:-1])


def cell_entropy(numbers: Tensor) -> Tensor:
    """Return the entropy of the cells that each member's numbers name, (..., n) -> (...), nats, float64."""
    return run_entropy(ordered(numbers.reshape(-1, numbers.shape[-1]))).reshape(numbers.shape[:-1])


def cell_information(numbers: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return H(T) and I(T;Y) = H(T) + H(Y) - H(T, Y) of numbered cells (..., n) and labels (n,); (...) each, nats, float64.

    The label is the last digit of the joint number, so that one sort serves both entropies.
    """
    classes = int(labels.max()) + 1
    if int(numbers.abs().max()) >= 2**62 // classes:
        numbers = torch.unique(numbers, return_inverse=True)[1]
    joint = ordered((numbers * classes + labels).reshape(-1, numbers.shape[-1]))
    whole = run_entropy(joint.div(classes, rounding_mode="floor"))
    information = whole + cell_entropy(labels) - run_entropy(joint)
    return whole.reshape(numbers.shape[:-1]), information.reshape(numbers.shape[:-1])


def run_entropy(rising: Tensor) -> Tensor:
    """Return H = log n - (1/n) sum_c n_c log n_c over the n_c equal numbers of each sorted row; (r, n) -> (r,), nats."""
    n, first = rising.shape[-1], torch.ones_like(rising, dtype=torch.bool)
    first[:, 1:] = rising[:, 1:] != rising[:, :-1]
    starts = first.flatten().nonzero()[:, 0]
    counts = torch.diff(starts, append=starts.new_tensor([rising.numel()])).double()
    lost = counts.new_zeros(len(rising)).index_add_(0, starts // n, counts.xlogy(counts))
    return math.log(n) - lost / n


def entropy_miller_madow(codes: Tensor) -> Tensor:
    """Return the plug-in entropy plus (occupied cells - 1) / 2n, which takes off its leading bias; nats, 0-dim float64.

    codes: integer rows (..., n, d) -> (...). May exceed log n where nearly every row is its own cell. Source: [miller1955note].
    """
    cells = each_member(pack, checks.codes(codes, "codes"))
    occupied = (ordered(cells).diff(dim=-1) != 0).sum(-1) + 1
    return cell_entropy(cells) + (occupied - 1) / (2 * codes.shape[-2])


def pack(codes: Tensor) -> Tensor:
    """Return one integer for each row (n, d) -> (n,), equal for equal rows only; sorting numbers beats sorting rows.

    Columns are digits of one number while it fits 63 bits; then the numbers, of which there are at most n, are ranked anew.
    """
    if codes.shape[1] == 1:
        return codes[:, 0]
    low, high = (int(v) for v in codes.aminmax())
    if (high - low + 1) * len(codes) >= 2**63:
        codes = torch.unique(codes, return_inverse=True)[1]
        low, high = 0, int(codes.max())
    codes = codes - low if low else codes
    base, d = high - low + 1, codes.shape[1]
    digits = next(k for k in range(d, 0, -1) if base**k * len(codes) < 2**63)
    powers = torch.tensor([base**k for k in range(digits)], device=codes.device)
    packed = number(codes[:, :digits], powers)
    for start in range(digits, d, digits):
        word = codes[:, start : start + digits]
        packed = torch.unique(packed, return_inverse=True)[1] * base ** word.shape[1] + number(word, powers[: word.shape[1]])
    return packed


def number(digits: Tensor, powers: Tensor) -> Tensor:
    """Return the integers with these digits, (n, k) and (k,) -> (n,); GPUs have no integer matrix products."""
    return (digits * powers).sum(1) if digits.is_cuda else digits @ powers


def mi_codes(codes_x: Tensor, codes_y: Tensor) -> Tensor:
    """Return I(X;Y) = H(X) + H(Y) - H(X, Y) of paired integer rows (n, dx), (n, dy): the plug-in value, nats, 0-dim."""
    checks.codes(codes_x, "codes_x"), checks.codes(codes_y, "codes_y")
    checks.together(codes_x, codes_y, ("codes_x", "codes_y"))
    if codes_x.shape[:-1] != codes_y.shape[:-1]:
        a, b = tuple(codes_x.shape), tuple(codes_y.shape)
        raise ValueError(f"codes must pair row by row, got {a} and {b}; give both the same rows")
    return plug_in(codes_x) + plug_in(codes_y) - plug_in(torch.cat([codes_x, codes_y], -1))


def mi_binning(x: Tensor, y: Tensor, *, bins: int = 20) -> Tensor:
    """Return I(X;Y) of samples binned over each column's own range into `bins` equal bins, nats, 0-dim.

    x: (n, dx), y: (n, dy), paired; 0 where one of them is constant. For independent scalars it is biased up by about
    (bins - 1)^2 / 2n, less where cells stay empty; with several columns nearly every row is a cell of its own, and it says
    little: it warns near log n.
    Source: [paninski2003estimation].
    """
    checks.paired(x, y), checks.single(x, "x")
    value = mi_codes(equal_bins(x, bins), equal_bins(y, bins))
    return checks.ceiling(value, math.log(len(x)), "the binned information")


def mi_miller_madow(x: Tensor, y: Tensor, *, bins: int = 20) -> Tensor:
    """Return `mi_binning` with every entropy by `entropy_miller_madow`: its bias without empty cells is of order 1 / n^2.

    x: (n, dx), y: (n, dy), paired -> 0-dim, nats; may be negative, and misleads as soon as most rows are cells of their own.
    Source: [miller1955note].
    """
    checks.paired(x, y), checks.single(x, "x")
    a, b = equal_bins(x, bins), equal_bins(y, bins)
    value = entropy_miller_madow(a) + entropy_miller_madow(b) - entropy_miller_madow(torch.cat([a, b], 1))
    return checks.ceiling(value, math.log(len(x)), "the binned information")


def equal_bins(x: Tensor, bins: int) -> Tensor:
    """Return bin indices over each column's own range; a constant column is one bin."""
    checks.counted(bins, "bins")
    low, high = x.min(0).values, x.max(0).values
    width = torch.where(high > low, (high - low) / bins, torch.ones_like(low))
    return ((x - low) / width).floor().clamp(0, bins - 1).long()
