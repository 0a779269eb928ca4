"""Bins, codes and their plug-in values against tables of counts, definitions and the known bias."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import mutual_info_score

from lib.estimators import MI, binning
from tests.estimators.samples import mean_of_seeds
from tests.samples import normal


def test_binning_is_biased_up_as_documented():
    got = mean_of_seeds(
        lambda s: MI["binning"](
            torch.rand(4000, 1, generator=torch.Generator().manual_seed(s)), normal(4000, 1, seed=s + 99).erf(), bins=10
        ),
        range(20),
    )
    assert got == pytest.approx(9**2 / 8000, rel=0.25)


def test_binning_of_discrete_values_is_exact():
    words = torch.arange(64)
    x, y = (words // 8)[:, None].double(), (words % 8 // 4 * 4 + words // 32)[:, None].double()
    assert MI["binning"](x, y, bins=8).item() == pytest.approx(mutual_info_score(x[:, 0].numpy(), y[:, 0].numpy()), abs=1e-12)


def test_entropy_of_a_uniform_code_is_its_logarithm():
    codes = torch.cartesian_prod(torch.arange(4), torch.arange(8)).repeat(3, 1)
    assert binning.entropy(codes).item() == pytest.approx(math.log(32), abs=1e-12)


def test_values_outside_the_range_go_to_the_end_bins():
    t = torch.tensor([[-7.0], [-1.0], [0.0], [0.999], [7.0]])
    assert binning.bin_range(t, low=-1.0, high=1.0, bins=30)[:, 0].tolist() == [0, 0, 15, 29, 29]


def test_miller_and_madow_take_off_the_leading_bias():
    draw = lambda s: torch.randint(0, 20, (200, 1), generator=torch.Generator().manual_seed(s))  # noqa: E731
    plain = mean_of_seeds(lambda s: binning.entropy(draw(s)), range(200)) - math.log(20)
    mended = mean_of_seeds(lambda s: binning.entropy_miller_madow(draw(s)), range(200)) - math.log(20)
    assert plain == pytest.approx(-19 / 400, rel=0.1) and abs(mended) < 0.1 * abs(plain)


def test_adaptive_bins_hold_equally_many_distinct_values():
    t = normal(300, 4, seed=0).exp()
    counts = torch.bincount(binning.bin_adaptive(t, bins=30).flatten())
    assert counts.sum() == 1200 and counts[counts > 0].tolist() == [40] * 30
    assert torch.equal(binning.bin_adaptive(1000 * t, bins=30), binning.bin_adaptive(t, bins=30)), (
        "resolution follows the layer"
    )


def test_exact_zeros_are_a_bin_of_their_own():
    t = normal(500, 3, seed=0).relu()
    codes = binning.bin_adaptive(t, bins=10, floor=0.0)
    assert torch.equal(codes == 0, t == 0)
    assert binning.bin_adaptive(torch.zeros(9, 2), floor=0.0).unique().tolist() == [0]
    assert len(binning.bin_adaptive(torch.full((9, 2), 3.0)).unique()) == 1


@pytest.mark.parametrize("floor", [None, 0.0])
@pytest.mark.parametrize("bins", [5, 30, 200])
def test_adaptive_bins_are_those_of_the_definition_member_by_member(bins, floor):
    t = torch.stack([normal(90, 3, seed=0).relu(), normal(90, 3, seed=1).round(decimals=1), torch.zeros(90, 3).double()])
    together = binning.bin_adaptive(t, bins=bins, floor=floor)
    for member, codes in zip(t, together, strict=True):
        levels = member.unique() if floor is None else member[member != floor].unique()
        edges = torch.stack([levels[k * len(levels) // bins] for k in range(1, bins)]) if len(levels) else levels
        expected = torch.bucketize(member, edges, right=True)
        if floor is not None:
            expected = torch.where(member == floor, -1, expected)
        assert torch.equal(codes.unique(return_inverse=True)[1], expected.unique(return_inverse=True)[1])


def test_entropies_of_stacked_rows_are_those_one_by_one_and_of_known_cells():
    codes = torch.randint(-3, 4, (5, 200, 4), generator=torch.Generator().manual_seed(0))
    alone = [binning.plug_in(member).item() for member in codes]
    assert binning.plug_in(codes).tolist() == alone
    counts = torch.unique(codes[0], dim=0, return_counts=True)[1].double() / 200
    assert alone[0] == pytest.approx(-(counts * counts.log()).sum().item(), abs=1e-12)
    assert binning.entropy(torch.arange(64)[:, None] // 8).item() == pytest.approx(math.log(8), abs=1e-12)


@pytest.mark.parametrize("far", [2, 2**62])  # four times 2^62 is 0 in 64 bits
def test_information_of_numbered_cells_is_that_of_the_table_of_counts(far):
    g = torch.Generator().manual_seed(0)
    cells = torch.tensor([-1, 0, 1, far])[torch.randint(0, 4, (3, 500), generator=g)]
    labels = torch.randint(0, 4, (500,), generator=g)
    for member, h, mi in zip(cells, *binning.cell_information(cells, labels), strict=True):
        assert mi.item() == pytest.approx(mutual_info_score(member.tolist(), labels.tolist()), abs=1e-12)
        assert h.item() == pytest.approx(mutual_info_score(member.tolist(), member.tolist()), abs=1e-12)


@pytest.mark.parametrize("columns", [3, 40])
def test_packed_rows_are_equal_where_rows_are_and_only_there(columns):
    codes = torch.randint(0, 2, (300, columns), generator=torch.Generator().manual_seed(0)) * (2**40 if columns == 3 else 29)
    codes = codes[torch.randint(0, 100, (300,), generator=torch.Generator().manual_seed(1))]
    rows = torch.unique(codes, dim=0, return_inverse=True)[1]
    packed = torch.unique(binning.pack(codes), return_inverse=True)[1]
    assert torch.equal(rows[:, None] == rows, packed[:, None] == packed)


def test_few_distinct_values_keep_apart():
    t = torch.tensor([[0.0], [1.0], [2.0]]).repeat(10, 1)
    assert binning.entropy(binning.bin_adaptive(t)).item() == pytest.approx(math.log(3), abs=1e-12)


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


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 40), st.integers(1, 3), st.integers(0, 2**31))
def test_plug_in_information_lies_between_zero_and_the_smaller_entropy(n, d, seed):
    g = torch.Generator().manual_seed(seed)
    x, y = (torch.randint(0, 3, (n, d), generator=g) for _ in range(2))
    mi = binning.mi_codes(x, y).item()
    assert -1e-12 <= mi <= min(binning.plug_in(x).item(), binning.plug_in(y).item()) + 1e-12
    # A function of x cannot know more of y than x does.
    assert binning.mi_codes(x // 2, y).item() <= mi + 1e-12


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 60), st.integers(1, 5), st.integers(0, 2**31))
def test_no_function_of_a_code_knows_more_than_the_code(n, levels, seed):
    g = torch.Generator().manual_seed(seed)
    x, y = (torch.randint(0, 6, (n, 1), generator=g) for _ in range(2))
    table = torch.randint(0, levels, (6,), generator=g)
    relabel = torch.randperm(6, generator=g)
    mi = binning.mi_codes(x, y).item()
    assert binning.mi_codes(table[x], y).item() <= mi + 1e-12
    assert binning.mi_codes(relabel[x], y).item() == pytest.approx(mi, abs=1e-12)
    assert binning.mi_codes(torch.cat([x, table[x]], 1), y).item() == pytest.approx(mi, abs=1e-12)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (lambda t: binning.mi_binning(t, t, bins=0), "bins must be a whole number >= 1, got 0"),
        (lambda t: binning.mi_binning(t, t, bins=2.5), "bins must be a whole number >= 1, got 2.5"),
        (lambda t: binning.bin_adaptive(t, bins=0), "bins must be a whole number >= 1, got 0"),
        (lambda t: binning.bin_range(t, low=0.0, high=1.0, bins=-3), "bins must be a whole number >= 1, got -3"),
        (lambda t: binning.bin_range(t, low=1.0, high=1.0), r"finite with low < high, got \[1.0, 1.0\]"),
        (lambda t: binning.bin_range(t, low=0.0, high=math.inf), "finite with low < high"),
        (lambda t: binning.bin_range(t, low=math.nan, high=1.0), "finite with low < high"),
        (lambda t: binning.bin_width(t, width=1e-30), "cannot be numbered; use a wider width than 1e-30"),
        (lambda t: binning.entropy(t), "codes must hold integers, got torch.float64; bin the values first"),
        (lambda t: binning.entropy_miller_madow(t), "codes must hold integers"),
        (lambda t: binning.entropy(t[:, 0].long()), r"codes must have shape \(n, d\) .*, got \(300,\); for one column pass"),
        (lambda t: binning.entropy(t[:0].long()), r"with n, d >= 1, got \(0, 2\)"),
        (lambda t: binning.entropy(torch.zeros(3, 1, device="meta").long()), "codes must hold integers"),
        (lambda t: binning.mi_codes(t, t.long()), "codes_x must hold integers"),
        (lambda t: binning.mi_codes(t.long(), t), "codes_y must hold integers"),
        (lambda t: binning.mi_codes(t.long(), t[:9].long()), r"codes must pair row by row, got \(300, 2\) and \(9, 2\)"),
    ],
)
def test_bins_say_what_is_wrong(bad, message, pair):
    with pytest.raises(ValueError, match=message):
        bad(pair[0])
