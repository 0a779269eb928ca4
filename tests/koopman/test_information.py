"""Contrasts between near frames: their bounds, their sums by hand, gradients, and windows that are too short."""

import math

import pytest
import torch

from lib.koopman.information import INFORMATION, infonce_batch, infonce_printed, infonce_window
from tests.samples import normal


def apart(b=5, t=9):
    """Windows that each stand still, as far from the others as unit vectors can be."""
    return torch.eye(b).double()[None, :, None, :].expand(1, b, t, b)


def test_contrast_over_the_batch_is_at_most_the_logarithm_of_the_batch_and_reaches_it():
    assert infonce_batch(apart(), temperature=0.01).item() == pytest.approx(math.log(5), abs=1e-9)
    assert (infonce_batch(normal(4, 6, 9, 3, seed=0)) <= math.log(6)).all()
    same = normal(1, 1, 9, 3, seed=0).expand(1, 6, 9, 3)
    assert infonce_batch(same).item() == pytest.approx(0, abs=1e-12)


def test_contrast_over_the_batch_by_hand():
    z, found = normal(1, 3, 4, 2, seed=1), []
    unit = z[0] / z[0].norm(dim=-1, keepdim=True)
    for t in range(4):
        for step in (-1, 1):
            if 0 <= t + step < 4:
                s = unit[:, t] @ unit[:, t + step].T / 0.5
                found.append((s.diag() - s.logsumexp(1)).mean() + math.log(3))
    assert infonce_batch(z, reach=1, temperature=0.5).item() == pytest.approx(torch.stack(found).mean().item())


def test_contrast_as_printed_has_no_bound():
    z = normal(1, 4, 7, 3, seed=2)
    n, t, k = 2, 3, 1
    scores = z[0, :, t] @ z[0, n, t]
    near = [z[0, n, t + i] @ z[0, n, t] - scores.logsumexp(0) for i in (-k, k)]
    one = infonce_printed(z[:, :, t - 1 : t + 2], reach=1, temperature=1.0) * 4  # one anchor a window
    rest = [z[0, b, t + i] @ z[0, b, t] - (z[0, :, t] @ z[0, b, t]).logsumexp(0) for b in range(4) if b != n for i in (-k, k)]
    assert one.item() == pytest.approx((sum(near) + sum(rest)).item() / 2)
    growing = apart(t=3) * torch.tensor([1.0, 1.0, 10.0]).double()[:, None]
    assert infonce_printed(growing, reach=1, temperature=0.1).item() > 40 > math.log(5)


def test_contrast_within_a_window_saturates_at_zero_and_pushes_a_periodic_orbit_apart():
    angle = torch.arange(16).double() * 2 * math.pi / 160
    slow = torch.stack([angle.cos(), angle.sin()], -1)[None, None]
    line = torch.eye(16).double().repeat_interleave(1, 0)[None, None]
    blocks = torch.eye(3).double().repeat_interleave(7, 0)[None, None][:, :, 7:14]  # all seven frames alike
    assert infonce_window(blocks, reach=3).item() == pytest.approx(0.0)  # no other frames are left
    assert infonce_window(line, reach=3).item() == pytest.approx(math.log(6 / 15))
    back = torch.stack([(16 * angle).cos(), (16 * angle).sin()], -1)[None, None]  # returns within the window
    assert infonce_window(slow).item() > infonce_window(back).item() + 0.1


@pytest.mark.parametrize("name", INFORMATION)
def test_contrasts_are_per_member_and_have_finite_differences(name):
    def f(z):
        return INFORMATION[name](z, reach=1, temperature=0.5)

    z = normal(2, 3, 4, 2, seed=5)
    assert f(z).shape == (2,)
    assert f(z)[1].item() == pytest.approx(f(z[1:]).item())
    assert torch.autograd.gradcheck(f, z.requires_grad_())


@pytest.mark.parametrize("name", ["infonce_batch", "infonce_printed", "infonce_window"])
def test_windows_too_short_for_an_anchor_are_refused(name):
    with pytest.raises(ValueError, match="windows of 6 frames have no anchor with 3 neighbours on both sides; take T > 2 k"):
        INFORMATION[name](normal(1, 4, 6, 2, seed=0), reach=3, temperature=0.1)
    with pytest.raises(ValueError, match=r"z must be \(R, B, T, d\), got \(4, 6, 2\)"):
        INFORMATION[name](normal(4, 6, 2, seed=0), reach=3, temperature=0.1)
