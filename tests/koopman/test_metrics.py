"""Each measure against a value worked out by hand, an exact limit or an independent library."""

import math

import pytest
import torch

from lib.koopman import metrics as m
from tests.samples import normal


def pair():
    truth = normal(30, 6, 4, seed=0)
    return truth + 0.1 * normal(30, 6, 4, seed=1), truth


# Forecasts.


@pytest.mark.parametrize(("norm", "size"), [("std", math.sqrt(1.25)), ("rms", math.sqrt(7.5)), ("range", 3.0)])
def test_nrmse_by_hand(norm, size):
    truth = torch.tensor([1.0, 2.0, 3.0, 4.0], dtype=torch.float64)[None, :, None]
    forecast = truth + torch.tensor([0.0, 0.3, 0.6, 1.2])[None, :, None]
    found = m.nrmse(forecast, truth, norm=norm, horizons=[3, 1])
    assert found.tolist() == pytest.approx([1.2 / size, 0.3 / size])


def test_nrmse_of_the_mean_is_one():
    truth = normal(4000, 3, 2, seed=0) + torch.tensor([5.0, -100.0])
    mean = truth.mean((0, 1)).expand_as(truth)
    assert m.nrmse(mean, truth, norm="std", horizons=[0, 2]).tolist() == pytest.approx([1, 1], abs=0.03)


def test_a_table_names_the_mode_of_the_rollout():
    rows = m.table(*pair(), mode="relift", norm="std", horizons=[1, 5])
    assert [row | {"nrmse": 0} for row in rows] == [{"horizon": h, "nrmse": 0, "norm": "std", "mode": "relift"} for h in (1, 5)]
    assert [row["nrmse"] for row in rows] == m.nrmse(*pair(), norm="std", horizons=[1, 5]).tolist()
    with pytest.raises(TypeError, match="mode"):
        m.table(*pair(), norm="std", horizons=[1])


def test_rrmse_is_relative_to_each_snapshot():
    truth = torch.tensor([[[3.0, 4.0], [0.0, 2.0]]])
    assert m.rrmse(truth + torch.tensor([[[0.0, 1.0], [1.0, 0.0]]]), truth).tolist() == [[pytest.approx(0.2), 0.5]]


def test_vrmse_of_the_mean_of_a_field_is_one():
    truth = 10 + 3 * normal(5, 7, 32, 32, seed=0)
    mean = truth.mean((-2, -1), keepdim=True).expand_as(truth)
    found = m.vrmse(mean, truth, spatial=2)
    assert found.shape == (5, 7) and torch.allclose(found, torch.tensor(math.sqrt(1 - 1 / 1024)).double(), atol=1e-6)
    moved = m.vrmse(truth + 1, truth, spatial=2)
    assert torch.allclose(moved, 1 / truth.std((-2, -1)), rtol=1e-6)


def test_prediction_time_counts_lyapunov_times():
    truth = torch.tensor([[0.0, 1.0, -1.0, 1.0, -1.0, 0.0]], dtype=torch.float64)[..., None].repeat(3, 1, 1)
    off = torch.zeros_like(truth)
    off[0, 3:], off[1, 1:] = 0.5, 10.0
    found = m.valid_prediction_time(truth + off, truth, dt=0.1, exponent=0.9)  # threshold 0.4 sqrt(4 / 6) = 0.327
    assert found.tolist() == pytest.approx([2 * 0.09, 0.0, 5 * 0.09])
    assert m.valid_prediction_time(truth + off, truth, dt=0.1, exponent=0.9, threshold=0.7)[0].item() == pytest.approx(0.45)


# Fields.


def test_ssim_of_flat_changes_by_hand():
    x = normal(1, 30, 30, seed=0)
    assert m.ssim(x, x).item() == pytest.approx(1)
    # A frame of one value a against b, at a given range: only the means are left, (2ab + c1) / (a^2 + b^2 + c1).
    a, b, c1 = 2.0, 3.0, (0.01 * 4.0) ** 2
    flat = torch.ones(1, 20, 20, dtype=torch.float64)
    assert m.ssim(a * flat, b * flat, data_range=4.0).item() == pytest.approx((2 * a * b + c1) / (a**2 + b**2 + c1))


def test_ssim_of_a_weaker_checkerboard_by_hand():
    # Under a broad window a checkerboard has mean 0 and variance 1: x = k y leaves (2 k + c2) / (1 + k^2 + c2).
    grid = torch.arange(60)
    board = (1 - 2 * ((grid[:, None] + grid) % 2)).double()[None]
    k, c2 = 0.3, (0.03 * 2) ** 2
    assert m.ssim(k * board, board, width=5.0).item() == pytest.approx((2 * k + c2) / (1 + k**2 + c2), abs=1e-6)


def test_ssim_agrees_with_scikit_image():
    skimage = pytest.importorskip("skimage.metrics")
    x, y = normal(40, 50, seed=0), normal(40, 50, seed=1)
    options = {"data_range": 3.0, "gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    wanted = skimage.structural_similarity(x.numpy(), y.numpy(), **options)
    assert m.ssim(x, y, data_range=3.0).item() == pytest.approx(wanted, abs=1e-9)


def test_a_wave_lies_in_the_shell_of_its_length():
    grid = torch.arange(32, dtype=torch.float64) * 2 * math.pi / 32
    wave = 3 * torch.cos(3 * grid[:, None] + 4 * grid)
    found = m.radial_spectrum(wave)
    k = torch.fft.fftfreq(32, 1 / 32)
    members = int(((k[:, None] ** 2 + k**2).sqrt().round() == 5).sum())
    assert found.shape == (17,) and found[5].item() == pytest.approx(4.5 / members)  # 3^2 / 2 of mean square
    assert (found.sum() - found[5]).abs() < 1e-12


def test_white_noise_has_a_flat_spectrum():
    found = m.radial_spectrum(normal(400, 16, 16, seed=0)).mean(0)
    assert torch.allclose(found, torch.full((9,), 1 / 256).double(), rtol=0.25)


def test_doubling_a_field_is_a_spectrum_error_of_three():
    fields = normal(6, 16, 16, seed=0)
    assert m.spectrum_error(2 * fields, fields).item() == pytest.approx(3) and m.spectrum_error(fields, fields) == 0


# Statistics and spectra.


def test_kl_of_two_histograms_by_hand():
    truth = torch.tensor([[0.0]] * 3 + [[1.0]], dtype=torch.float64)
    sample = torch.tensor([[0.1], [0.9], [0.9], [7.0]], dtype=torch.float64)
    # Cells [0, 1/2), [1/2, 1], outside: 3, 1, 0 against 1, 2, 1, with 1/2 more each, of 5.5.
    p, q = [3.5, 1.5, 0.5], [1.5, 2.5, 1.5]
    wanted = sum(a / 5.5 * math.log(a / b) for a, b in zip(p, q, strict=True))
    assert m.kl_histogram(sample, truth, bins=2).item() == pytest.approx(wanted)
    assert m.kl_histogram(truth, truth, bins=2).item() == 0


def test_kl_of_shifted_normals_is_near_its_closed_form():
    truth, sample = normal(200_000, 1, seed=0), normal(200_000, 1, seed=1) + 0.5
    assert m.kl_histogram(sample, truth, bins=40).item() == pytest.approx(0.5**2 / 2, abs=0.01)


def test_hausdorff_goes_both_ways():
    reference, estimate = torch.tensor([1.0, 0.5 + 0j]), torch.tensor([1.0, 0.9, 0.5 + 0.3j])
    missed, spurious = m.hausdorff(estimate, reference)
    assert missed.item() == pytest.approx(0.3) and spurious.item() == pytest.approx(0.3)
    assert [v.item() for v in m.hausdorff(estimate[:1], reference)] == pytest.approx([0.5, 0.0])
    assert [v.item() for v in m.hausdorff(reference, estimate[:1])] == pytest.approx([0.0, 0.5])


def test_effective_dimension_counts_even_directions():
    basis = torch.linalg.qr(normal(8, 8, seed=0)).Q
    cross = torch.cat([torch.eye(8), -torch.eye(8)]).double()
    for k in (1, 3, 8):
        scale = (torch.arange(8) < k).double()
        assert m.effective_dimension(cross * scale @ basis + 7).item() == pytest.approx(k)
    p = torch.tensor([0.8, 0.2])
    uneven = torch.cat([torch.diag(p.sqrt()), -torch.diag(p.sqrt())]).double()
    assert m.effective_dimension(uneven).item() == pytest.approx(math.exp(-0.8 * math.log(0.8) - 0.2 * math.log(0.2)))


def test_share_of_the_unit_circle():
    values = torch.tensor([1.0, 0.995j, 1.02, 0.5])
    assert m.unit_circle_share(values, within=0.01) == 0.5 and m.unit_circle_share(values, within=0.03) == 0.75


# What is refused.

REFUSED = {
    "norm": (lambda f, t: m.nrmse(f, t, norm="max", horizons=[1]), "unknown norm 'max'; known: range, rms, std"),
    "horizon": (lambda f, t: m.nrmse(f, t, norm="std", horizons=[6]), "within the 5 steps of the forecast"),
    "no horizon": (lambda f, t: m.nrmse(f, t, norm="std", horizons=[]), "within the 5 steps of the forecast"),
    "constant": (lambda f, t: m.nrmse(f, 0 * t, norm="std", horizons=[1]), "the std of the truth is 0, which is no size"),
    "mode": (lambda f, t: m.table(f, t, mode="one", norm="std", horizons=[1]), "unknown mode of a rollout 'one'"),
    "shapes": (lambda f, t: m.rrmse(f[:, :2], t), "forecast and truth must both be"),
    "nan": (lambda f, t: m.rrmse(f / 0, t), "forecast or truth holds NaN or infinite values"),
    "zero": (lambda f, t: m.rrmse(f, 0 * t), "a snapshot of the truth is 0 everywhere"),
    "small": (lambda f, t: m.ssim(f, t), "frames must have more than 10 pixels a side"),
    "flat": (lambda f, t: m.ssim(torch.ones(1, 20, 20), torch.ones(1, 20, 20)), "constant, and has no range; give data_range"),
    "threshold": (lambda f, t: m.valid_prediction_time(f, t, dt=0.1, exponent=-1.0), "exponent must be a positive"),
    "bins": (lambda f, t: m.kl_histogram(f[0], t[0], bins=0), "bins must be a whole number >= 1"),
    "column": (lambda f, t: m.kl_histogram(f[0], 0 * t[0], bins=4), "a column of the truth is constant"),
    "grid": (lambda f, t: m.spectrum_error(f[..., :2], t), "forecast and truth must share a grid"),
    "line": (lambda f, t: m.radial_spectrum(f[0, 0]), r"fields must have shape \(..., H, W\)"),
    "spectrum": (lambda f, t: m.hausdorff(torch.empty(0), t[0, 0]), "estimate must be a vector of eigenvalues"),
    "rows": (lambda f, t: m.effective_dimension(f[0, :1]), "z has 1 rows, at least 2 are needed"),
}


@pytest.mark.parametrize(("call", "message"), REFUSED.values(), ids=REFUSED)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(*pair())
