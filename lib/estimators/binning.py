"""Entropy and information of binned samples."""

import math

import torch
from torch import Tensor

from lib import checks


def bin_range(t: Tensor, *, low: float, high: float, bins: int = 30) -> Tensor:
    """Return the index of the equal-width bin of each value, (n, d) -> (n, d) int64; values outside go to the end bins.

    The published code lets values below the range wrap round to the last bin; here they are clipped.
    Source: [shwartz2017opening].
    """
    checks.matrix(t, "t"), checks.counted(bins, "bins")
    if not -math.inf < low < high < math.inf:
        raise ValueError(f"the range must be finite with low < high, got [{low}, {high}]; give the activation's range")
    return (t - low).mul_(bins / (high - low)).floor_().clamp_(0, bins - 1).long()


def bin_width(t: Tensor, *, width: float = 0.07) -> Tensor:
    """Return floor(t / width), (n, d) -> (n, d) int64: bins of one width over an unbounded range.

    Source: [saxe2018information].
    """
    checks.matrix(t, "t"), checks.positive(width, "width")
    if (largest := float(t.abs().max()) / width) >= 2**62:
        raise ValueError(f"values up to {largest:.1e} widths cannot be numbered; use a wider width than {width}")
    return (t / width).floor().long()


def bin_adaptive(t: Tensor, *, bins: int = 30, floor: float | None = None) -> Tensor:
    """Return bins that hold equally many of the distinct values of all units together, (n, d) -> (n, d) int64.

    Values equal to `floor` (0 for ReLU) are a bin of their own. Edges follow the layer, so values at two epochs are measured at
    two resolutions. A layer that knows one value only is one bin. Source: [chelombiev2019adaptive].
    """
    checks.matrix(t, "t"), checks.counted(bins, "bins")
    levels = torch.unique(t)
    if floor is not None:
        levels = levels[levels != floor]
    if len(levels) < 2:
        return (t != floor).long() if floor is not None else torch.zeros_like(t, dtype=torch.int64)
    edges = levels[torch.arange(1, bins, device=t.device) * len(levels) // bins].unique()
    codes = torch.bucketize(t, edges, right=True) + 1
    return torch.where(t == floor, 0, codes) if floor is not None else codes


def entropy(codes: Tensor) -> Tensor:
    """Return the plug-in entropy H = -sum_c p_c log p_c of integer rows (n, d), nats, 0-dim float64; at most log n.

    Biased low by about (occupied cells - 1) / 2n; warns near log n, where nearly every row is its own cell.
    """
    value = plug_in(codes)
    return checks.ceiling(value, math.log(len(codes)), "the plug-in entropy")


def plug_in(codes: Tensor) -> Tensor:
    """Return `entropy` without its warning, for sweeps, where saturated layers are expected."""
    counts = torch.unique(pack(checks.codes(codes, "codes")), return_counts=True)[1].double()
    p = counts / counts.sum()
    return -(p * p.log()).sum()


def entropy_miller_madow(codes: Tensor) -> Tensor:
    """Return the plug-in entropy plus (occupied cells - 1) / 2n, which takes off its leading bias; nats, 0-dim float64.

    codes: integer rows (n, d). May exceed log n where nearly every row is its own cell. Source: [miller1955note].
    """
    value = plug_in(codes)
    return value + (len(pack(codes).unique()) - 1) / (2 * len(codes))


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
    if len(codes_x) != len(codes_y):
        raise ValueError(f"codes must pair row by row, got {len(codes_x)} and {len(codes_y)} rows; give both the same rows")
    return plug_in(codes_x) + plug_in(codes_y) - plug_in(torch.cat([codes_x, codes_y], 1))


def mi_binning(x: Tensor, y: Tensor, *, bins: int = 20) -> Tensor:
    """Return I(X;Y) of samples binned over each column's own range into `bins` equal bins, nats, 0-dim.

    x: (n, dx), y: (n, dy), paired; 0 where one of them is constant. For independent scalars it is biased up by about
    (bins - 1)^2 / 2n, less where cells stay empty; with several columns nearly every row is a cell of its own, and it says
    little.
    Source: [paninski2003estimation].
    """
    checks.paired(x, y), checks.single(x, "x")
    return mi_codes(equal_bins(x, bins), equal_bins(y, bins))


def mi_miller_madow(x: Tensor, y: Tensor, *, bins: int = 20) -> Tensor:
    """Return `mi_binning` with every entropy by `entropy_miller_madow`: its bias without empty cells is of order 1 / n^2.

    x: (n, dx), y: (n, dy), paired -> 0-dim, nats; may be negative, and misleads as soon as most rows are cells of their own.
    Source: [miller1955note].
    """
    checks.paired(x, y), checks.single(x, "x")
    a, b = equal_bins(x, bins), equal_bins(y, bins)
    return entropy_miller_madow(a) + entropy_miller_madow(b) - entropy_miller_madow(torch.cat([a, b], 1))


def equal_bins(x: Tensor, bins: int) -> Tensor:
    """Return bin indices over each column's own range; a constant column is one bin."""
    checks.counted(bins, "bins")
    low, high = x.min(0).values, x.max(0).values
    width = torch.where(high > low, (high - low) / bins, torch.ones_like(low))
    return ((x - low) / width).floor().clamp(0, bins - 1).long()
