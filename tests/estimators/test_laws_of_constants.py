"""A law of all estimators: what they give, by definition, for constant, equal or single rows."""

import pytest
import torch

from lib.estimators import INDEX, MI, binning, kde
from lib.estimators.conditional import cs_qmi_conditional, cs_qmi_conditional_normalised
from lib.estimators.cs import cs_divergence, cs_qmi
from lib.estimators.mmd import mmd, mmd_unbiased
from lib.estimators.renyi import mi_renyi, mi_renyi_conditional, renyi_entropy

BOTH = MI | INDEX


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("value", [0.0, 1.0, 12345.678])
@pytest.mark.parametrize("name", [*INDEX, "binning", "miller_madow"])
def test_a_constant_variable_says_nothing(name, value, dtype, pair):
    x, same = pair[0].to(dtype), torch.full((300, 2), value, dtype=dtype)
    for a, b in ((x, same), (same, x), (same, same)):
        assert BOTH[name](a, b).item() == pytest.approx(0, abs=1e-7)


@pytest.mark.parametrize("name", [*INDEX, "binning", "miller_madow"])
def test_a_constant_column_beside_others_changes_nothing(name, pair):
    x, y = pair
    beside = torch.cat([x, torch.full((300, 1), 3.0)], 1)
    assert BOTH[name](beside, y).item() == pytest.approx(BOTH[name](x, y).item(), abs=1e-9)


@pytest.mark.parametrize("width", [0.5, 2.0])
def test_equal_rows_and_single_rows_have_no_spread(width):
    for t in (torch.full((9, 2), 7.3), torch.full((1, 2), 7.3)):
        assert kde.mi_upper(t, width=width).item() == kde.mi_lower(t, width=width).item() == 0
        for alpha in (1.01, 2):
            assert renyi_entropy(t, alpha=alpha, width=width).item() == pytest.approx(0, abs=1e-9)
        for f in (mmd, cs_divergence):
            assert f(t, t, width=width).item() == pytest.approx(0, abs=1e-6)
    assert mmd_unbiased(t.repeat(2, 1), t.repeat(2, 1), width=width).item() == pytest.approx(0, abs=1e-6)
    with pytest.raises(ValueError, match="y has 1 rows, at least 2 are needed"):
        mmd_unbiased(t.repeat(2, 1), t, width=width)
    assert len(binning.bin_adaptive(t).unique()) == 1


def test_conditional_indices_of_constants_are_zero(pair):
    x, y, same = pair[0][:60], pair[1][:60], torch.ones(60, 1, dtype=torch.float64)
    for f in (cs_qmi_conditional, cs_qmi_conditional_normalised, mi_renyi_conditional):
        assert f(x, same, y).item() == pytest.approx(0, abs=1e-9) and f(same, x, y).item() == pytest.approx(0, abs=1e-9)
    assert cs_qmi_conditional(x, y, same).item() == pytest.approx(cs_qmi(x, y).item(), abs=1e-9)
    assert mi_renyi_conditional(x, y, same).item() == pytest.approx(mi_renyi(x, y).item(), abs=1e-9)
