"""Bounds by noise hold the truth between them, are exact for clusters, and say both from one pass what each says alone."""

import math

import pytest
import torch

from lib.estimators import kde
from lib.pairwise import sums
from tests.samples import normal

# Closed forms, the smoothing of the kernel included, so that tolerances can be narrow.


@pytest.mark.parametrize("width", [0.05, 0.3, 1.0])
def test_kernel_bounds_hold_the_truth_between_them(width):
    # Rows spread like a standard normal: T + noise is near N(0, 1 + w^2), whose information with T is log(1 + 1/w^2) / 2.
    n = 4000
    t = torch.special.ndtri((torch.arange(n, dtype=torch.float64)[:, None] + 0.5) / n)
    truth = 0.5 * math.log1p(1 / width**2)
    assert kde.mi_lower(t, width=width) <= truth + 1e-3
    assert kde.mi_upper(t, width=width) >= truth - 1e-3


def test_kernel_bounds_of_clusters_are_exact():
    t = torch.arange(8.0)[:, None].repeat(16, 1) * 1000
    for bound in (kde.mi_upper, kde.mi_lower):
        assert bound(t, width=1.0).item() == pytest.approx(math.log(8), abs=1e-6)
    labels = torch.arange(128) % 8 // 4
    assert kde.mi_label(t, labels, width=1.0).item() == pytest.approx(math.log(2), abs=1e-6)


def test_adaptive_noise_grows_with_the_layer():
    t = normal(100, 2, seed=0)
    width = kde.adaptive_width(t, factor=0.01)
    assert width == pytest.approx(math.sqrt(0.01 * t.abs().max().item()))
    assert kde.adaptive_width(4 * t, factor=0.01) == pytest.approx(2 * width)
    assert kde.adaptive_width(torch.zeros(4, 1), factor=0.01) == pytest.approx(0.1)


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


def test_a_single_class_says_nothing(pair):
    assert kde.mi_label(pair[0], torch.full((300,), 4), width=0.3).item() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (torch.zeros(300), "labels must be an integer tensor, got torch.float32"),
        ([0] * 300, "labels must be an integer tensor, got list"),
        (torch.zeros(299).long(), r"labels must have shape \(300,\) to match the samples, got \(299,\)"),
        (torch.zeros(300, 1).long(), r"labels must have shape \(300,\)"),
        (torch.full((300,), -1), "labels must be >= 0, got -1; number the classes from 0"),
        (torch.zeros(300, device="meta").long(), "t is on cpu and labels on meta"),
    ],
)
def test_labels_must_be_labels(labels, message, pair):
    with pytest.raises(ValueError, match=message):
        kde.mi_label(pair[0], labels, width=1.0)
