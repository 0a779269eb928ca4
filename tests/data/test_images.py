"""Images carry the information of their parameters: drawing can be undone, and areas are exact."""

import math

import numpy as np
import pytest
import torch
from scipy.optimize import least_squares
from scipy.stats import kstest

from lib.data import images
from lib.estimators.gaussian import mi_gaussian
from lib.estimators.knn import mi_ksg

PARAMETERS = {"gaussian": 2, "rectangles": 4, "slanted_gaussian": 5}
DRAW = {"gaussian": images.bumps, "rectangles": images.rectangles, "slanted_gaussian": images.slanted_bumps}


def uniform(n, d, seed):
    return torch.rand(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("mi", [0.0, 1.0, 5.0])
def test_parameters_share_the_information(mi):
    pairs = [images.uniform_pair(3000, mi=mi, d=3, seed=s) for s in range(5)]
    found = np.mean([mi_gaussian(torch.special.ndtri(p.x), torch.special.ndtri(p.y)).item() for p in pairs])
    assert found == pytest.approx(mi, abs=0.05) and pairs[0].truth["mi"] == mi
    assert kstest(pairs[0].x[:, 0].numpy(), "uniform").pvalue > 0.01


@pytest.mark.parametrize(("name", "low"), [("gaussian", 0.0), ("rectangles", 0.12), ("slanted_gaussian", 0.2)])
def test_an_estimator_of_another_kind_finds_it(name, low):
    truths = [images.IMAGES[name](3000, mi=1.0, size=8, seed=s).truth for s in range(5)]
    found = np.mean([mi_ksg(*(torch.special.ndtri(t[f"{side}_parameters"]) for side in "xy")) for t in truths])
    assert found == pytest.approx(1.0 - low, abs=0.05)  # neighbours find less in eight and ten dimensions


def test_rotations_are_orthogonal_and_mix():
    pair = images.uniform_pair(4000, mi=3.0, d=2, seed=0)
    z = [torch.special.ndtri(side) for side in pair[:2]]
    cross = z[0].T @ z[1] / 4000
    assert (torch.linalg.svdvals(cross) - math.sqrt(1 - math.exp(-3))).abs().max() < 0.05
    assert cross.abs().min() > 0.1
    q = images.rotation(6, torch.Generator().manual_seed(0))
    torch.testing.assert_close(q @ q.T, torch.eye(6, dtype=torch.float64))


@pytest.mark.parametrize("name", PARAMETERS)
def test_pixels_lie_between_zero_and_one(name):
    x, y, _ = images.IMAGES[name](200, mi=1.0, size=16, seed=0)
    assert x.shape == y.shape == (200, 256) and x.dtype == torch.float32
    assert x.min() >= 0 and x.max() <= 1 and x.max() > 0.9


@pytest.mark.parametrize("name", ["gaussian", "slanted_gaussian"])
def test_fitting_a_bump_finds_its_parameters(name):
    for u in uniform(5, PARAMETERS[name], seed=3):
        picture = DRAW[name](u[None], size=16).numpy().ravel()

        def miss(v, picture=picture):
            return DRAW[name](torch.tensor(v)[None], size=16).numpy().ravel() - picture

        starts = uniform(3, len(u), seed=4).numpy()
        fits = [least_squares(miss, start, bounds=(0, 1), xtol=1e-12, ftol=1e-12, gtol=1e-12) for start in starts]
        found = min(fits, key=lambda f: f.cost)
        assert np.abs(found.x - u.numpy()).max() < 1e-4


def test_bumps_tell_their_place_by_their_logarithm():
    u = uniform(50, 2, seed=0)
    logs = images.bumps(u, size=8).log() / -10  # quadratic: differences along an axis are linear in the place
    grid = torch.linspace(0, 1, 8, dtype=torch.float64)
    across = (grid[-1] ** 2 - (logs[:, 0, -1] - logs[:, 0, 0])) / 2
    down = (grid[-1] ** 2 - (logs[:, -1, 0] - logs[:, 0, 0])) / 2
    torch.testing.assert_close(torch.stack([across, down], 1), u)


@pytest.mark.parametrize("name", PARAMETERS)
def test_the_map_has_full_rank_nearly_everywhere(name):
    """The information is that of the parameters only if no direction of theirs leaves the picture unchanged."""
    d = PARAMETERS[name]
    for u in uniform(6, d, seed=1):
        jacobian = torch.autograd.functional.jacobian(lambda v: DRAW[name](v[None], size=8).flatten(), u)
        assert torch.linalg.svdvals(jacobian).min() > 1e-3


@pytest.mark.parametrize("size", [8, 32])
def test_rectangles_cover_their_area_and_tell_their_edges(size):
    u = uniform(100, 4, seed=0)
    (a, b), (c, d) = images.segment(u[:, 0], u[:, 1], size), images.segment(u[:, 2], u[:, 3], size)
    picture = images.rectangles(u, size=size)
    torch.testing.assert_close(picture.sum((1, 2)), (b - a) * (d - c))
    for low, high, profile in ((a, b, picture.sum(1)), (c, d, picture.sum(2))):
        # Two pixels hold a whole one, so the largest sum is the other side, and the first and last cells tell the ends.
        share = profile / profile.amax(1, keepdim=True)
        first, last = (share > 1e-12).double().argmax(1), size - 1 - (share > 1e-12).double().flip(1).argmax(1)
        rows = torch.arange(100)
        torch.testing.assert_close(first + 1 - share[rows, first], low)
        torch.testing.assert_close(last + share[rows, last], high)
    assert (b - a).min() >= 2 - 1e-9 and a.min() >= 0 and b.max() <= size + 1e-9


def test_segments_are_uniform_on_the_ordered_pairs():
    u = uniform(20_000, 2, seed=0)
    a, b = images.segment(u[:, 0], u[:, 1], 32)
    # The ends, the least length taken off, are the order statistics of two uniform numbers.
    assert kstest((a / 30).numpy(), lambda t: 1 - (1 - t) ** 2).pvalue > 0.01
    assert kstest(((b - 2) / 30).numpy(), lambda t: t**2).pvalue > 0.01


@pytest.mark.parametrize("name", PARAMETERS)
def test_the_same_seed_gives_the_same_bytes(name):
    one, two = (images.IMAGES[name](20, mi=1.0, size=8, seed=5) for _ in range(2))
    assert torch.equal(one.x, two.x) and torch.equal(one.y, two.y)
    assert not torch.equal(one.x, images.IMAGES[name](20, mi=1.0, size=8, seed=6).x)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: images.gaussian_images(5, mi=-1.0, seed=0), "mi must be finite and >= 0, got -1.0"),
        (lambda: images.gaussian_images(0, mi=1.0, seed=0), "n must be a whole number >= 1, got 0"),
        (lambda: images.rectangle_images(5, mi=1.0, size=2, seed=0), "size must be a whole number >= 3, got 2"),
    ],
)
def test_refuses_what_cannot_be(make, message):
    with pytest.raises(ValueError, match=message):
        make()
