"""What was made fast says what the plain form says: both noise bounds from one pass, rows of bins as numbers."""

import pytest
import torch

from lib.estimators import binning, kde
from lib.pairwise import sums


def normal(*shape, seed, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


# Wide enough that nothing is clamped, narrow enough that fourth powers are, and so narrow that only self pairs are left.
@pytest.mark.parametrize("width", [1.0, 0.15, 1e-4])
@pytest.mark.parametrize("shape", [(40, 3), (3, 50, 2), (1100, 4)], ids=str)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 5e-6)], ids=["double", "single"])
def test_both_bounds_from_one_pass_are_the_bounds(shape, width, dtype, tolerance):
    t = normal(*shape, seed=0, dtype=dtype)
    lower, upper = kde.mi_bounds(t, width=width)
    torch.testing.assert_close(lower, kde.lower(t, width=width), rtol=tolerance, atol=tolerance)
    torch.testing.assert_close(upper, kde.upper(t, width=width), rtol=tolerance, atol=tolerance)


def test_both_bounds_serve_the_terms_within_labels():
    t, labels = normal(300, 3, seed=0), torch.arange(300) % 3
    both = kde.mi_label(t, labels, width=0.5, bound=kde.mi_bounds)
    apart = [kde.mi_label(t, labels, width=0.5, bound=bound) for bound in (kde.mi_lower, kde.mi_upper)]
    torch.testing.assert_close(both, torch.stack(apart), rtol=1e-12, atol=1e-12)


def test_one_pass_is_blind_to_the_size_of_tiles(monkeypatch):
    t = normal(2, 90, 3, seed=0)
    whole = kde.mi_bounds(t, width=0.3)
    monkeypatch.setattr(sums, "CACHE_TILE", 2**10)
    torch.testing.assert_close(kde.mi_bounds(t, width=0.3), whole, rtol=1e-13, atol=0)


# Small and negative digits, more columns than 63 bits hold, ranges that no number holds, far from zero.
CODES = [(0, 3, 9), (-3, 3, 4), (0, 30, 24), (0, 30, 40), (-(2**62), 2**62, 3), (2**61, 2**61 + 3, 5), (0, 1, 3)]


@pytest.mark.parametrize(("low", "high", "columns"), CODES)
def test_rows_have_one_number_if_and_only_if_they_are_equal(low, high, columns):
    draw = torch.Generator().manual_seed(0)
    codes = torch.randint(low, high, (200, columns), generator=draw)[torch.randint(0, 200, (300,), generator=draw)]
    before = codes.clone()
    numbers = binning.pack(codes)
    equal = (codes[:, None] == codes[None, :]).all(-1)
    assert torch.equal(numbers[:, None] == numbers[None, :], equal)
    assert (numbers >= 0).all(), "a number has overflowed"
    assert torch.equal(codes, before)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_values_whose_sum_overflows_are_finite_and_infinite_ones_are_not(bad):
    huge = torch.full((4, 1), 3e38)
    assert binning.bin_range(huge, low=0, high=1).tolist() == [[29]] * 4
    huge[1] = bad
    with pytest.raises(ValueError, match="t holds 1 NaN or infinite"):
        binning.bin_range(huge, low=0, high=1)
