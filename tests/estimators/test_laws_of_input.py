"""A law of all estimators, what they refuse: each error names the value that came, what was wanted and what to do."""

import math

import pytest
import torch

from lib.estimators import INDEX, MI, binning, kde
from lib.estimators.conditional import cs_qmi_conditional, cs_qmi_conditional_normalised
from lib.estimators.cs import conditional_cs_divergence, cs_divergence
from lib.estimators.mmd import mmd, mmd_unbiased
from lib.estimators.renyi import mi_renyi_conditional, renyi_entropy
from tests.samples import normal

BOTH = MI | INDEX
SAMPLES = {  # two samples that need not pair
    "cs_divergence": lambda x, y: cs_divergence(x, y, width=1.0),
    "mmd": lambda x, y: mmd(x, y, width=1.0),
    "mmd_unbiased": lambda x, y: mmd_unbiased(x, y, width=1.0),
}
TRIPLES = {
    "conditional_cs": lambda x, y, z: conditional_cs_divergence(x, y, z, width_x=1.0, width_y=1.0),
    "cs_qmi_conditional": cs_qmi_conditional,
    "cs_qmi_conditional_normalised": cs_qmi_conditional_normalised,
    "renyi_conditional": mi_renyi_conditional,
}
ALONE = {
    "renyi_entropy": renyi_entropy,
    "kde_upper": lambda t: kde.mi_upper(t, width=1.0),
    "kde_lower": lambda t: kde.mi_lower(t, width=1.0),
    "kde_label": lambda t: kde.mi_label(t, torch.zeros(len(t)).long(), width=1.0),
    "adaptive_width": kde.adaptive_width,
    "bin_range": lambda t: binning.bin_range(t, low=-1.0, high=1.0),
    "bin_width": binning.bin_width,
    "bin_adaptive": binning.bin_adaptive,
}
# Every estimator as a function of its first argument, the others being fit for five rows of one column.
FIRST = (
    {name: lambda x, f=f: f(x, torch.arange(5.0)[:, None]) for name, f in (BOTH | SAMPLES).items()}
    | {name: lambda x, f=f: f(x, *(torch.arange(5.0)[:, None] for _ in "yz")) for name, f in TRIPLES.items()}
    | ALONE
)


@pytest.mark.parametrize("f", FIRST.values(), ids=FIRST)
@pytest.mark.parametrize(
    ("x", "message"),
    [
        ([[1.0]] * 5, "must be a torch tensor, got list; convert it with torch.as_tensor"),
        (torch.zeros(5), r"must have shape \(n, d\), got \(5,\); for a scalar variable pass \w\[:, None\]"),
        (torch.zeros(5, 1).long(), "must hold floating-point numbers, got torch.int64; convert it with"),
        (torch.zeros(5, 1).bool(), "must hold floating-point numbers, got torch.bool"),
        (torch.zeros(5, 0), r"at least one row and one column, got shape \(5, 0\)"),
        (torch.zeros(0, 1), r"at least one row and one column, got shape \(0, 1\)"),
        (torch.tensor([[1.0], [math.nan], [2.0], [3.0], [4.0]]), "1 NaN or infinite values; drop or impute those rows"),
        (torch.tensor([[1.0], [math.inf], [-math.inf], [3.0], [4.0]]), "2 NaN or infinite values"),
        (torch.zeros(5, 1, device="meta"), "on the meta device|is on meta and .* on cpu; move one"),
    ],
    ids=["list", "vector", "integers", "booleans", "no columns", "no rows", "nan", "infinite", "meta"],
)
def test_a_sample_must_be_a_finite_matrix(f, x, message):
    with pytest.raises(ValueError, match=message):
        f(x)


@pytest.mark.parametrize("f", BOTH.values(), ids=BOTH)
@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (torch.zeros(5, 1), torch.zeros(4, 1), r"must pair row by row, got \(5, 1\) and \(4, 1\); give both the same rows"),
        (torch.zeros(5, 1), torch.tensor([[1.0]] * 4 + [[math.nan]]), "y holds 1 NaN or infinite values"),
        (torch.zeros(5, 1), torch.zeros(5, 1, device="meta"), r"x is on cpu and y on meta; move one with .to\(\)"),
        (torch.zeros(1, 1), torch.zeros(1, 1), "x has 1 rows, at least"),
    ],
)
def test_a_pair_must_pair(f, x, y, message):
    with pytest.raises(ValueError, match=message):
        f(x, y)


@pytest.mark.parametrize("f", SAMPLES.values(), ids=SAMPLES)
@pytest.mark.parametrize(
    ("y", "message"),
    [
        (torch.zeros(4, 2), "x has 1 columns and y 2; both samples must live in one space"),
        (torch.zeros(4, 1).double(), r"x is torch.float32 and y torch.float64; convert one with .to\(\)"),
        (torch.zeros(4, 1, device="meta"), "x is on cpu and y on meta"),
        (torch.tensor([[math.nan]]), "y holds 1 NaN"),
    ],
)
def test_two_samples_must_live_in_one_space(f, y, message):
    with pytest.raises(ValueError, match=message):
        f(torch.zeros(5, 1), y)


@pytest.mark.parametrize("f", TRIPLES.values(), ids=TRIPLES)
@pytest.mark.parametrize("at", [1, 2])
@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (torch.zeros(4, 1), "must pair row by row"),
        (torch.zeros(5), r"must have shape \(n, d\)"),
        (torch.full((5, 1), math.nan), "5 NaN or infinite values"),
        (torch.zeros(5, 1, device="meta"), r"is on .* and .* on .*; move one"),
    ],
)
def test_three_variables_must_pair(f, at, bad, message):
    given = [torch.zeros(5, 1) for _ in range(3)]
    given[at] = bad
    with pytest.raises(ValueError, match=message):
        f(*given)


@pytest.mark.parametrize("name", ["binning", "gaussian", "gaussian_unbiased", "renyi", "renyi_normalised"])
def test_what_has_no_members_refuses_a_stack(name):
    with pytest.raises(ValueError, match=r"x must be one sample \(n, d\), got \(3, 9, 2\); call once for each member"):
        BOTH[name](normal(3, 9, 2, seed=0), normal(3, 9, 2, seed=1))


@pytest.mark.parametrize("width", [0, -1.0, math.nan, math.inf, True, "1"])
def test_a_width_must_be_positive(width, pair):
    x, y = pair
    for f in (
        *(lambda g=g: g(x, y, width_x=width) for name, g in INDEX.items() if name != "cka"),
        *(lambda g=g: g(x, y, width_y=width) for name, g in INDEX.items() if name != "cka"),
        *(lambda g=g: g(x, y, width=width) for g in (cs_divergence, mmd, mmd_unbiased)),
        *(lambda g=g: g(x, width=width) for g in (kde.mi_upper, kde.mi_lower, renyi_entropy, binning.bin_width)),
        *(lambda w=w: cs_qmi_conditional(x, y, x, **{w: width}) for w in ("width_x", "width_t", "width_y")),
        *(
            lambda w=w: conditional_cs_divergence(x, y, y, **({"width_x": 1, "width_y": 1} | {w: width}))
            for w in ("width_x", "width_y")
        ),
        lambda: mi_renyi_conditional(x, y, x, width=width),
        lambda: kde.mi_label(x, torch.zeros(300).long(), width=width),
        lambda: kde.adaptive_width(x, factor=width),
    ):
        with pytest.raises(ValueError, match=r"(width\w*|factor) must be a positive finite number, got"):
            f()
