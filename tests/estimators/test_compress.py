"""Codes against an independent library, and the information that they keep."""

from functools import partial

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from lib.data.images import gaussian_images
from lib.data.synthetic import gaussian_pair
from lib.estimators import compress
from lib.estimators.compress import autoencoder, mi_compressed, pca
from lib.estimators.gaussian import mi_gaussian
from lib.estimators.knn import mi_ksg


def normal(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize(("n", "d", "dim"), [(50, 6, 3), (8, 20, 7), (30, 4, 4)])
def test_projection_is_scikit_learns(n, d, dim):
    x = normal(n, d) * torch.arange(1, d + 1) + 7
    fresh = normal(5, d, seed=1)
    theirs = PCA(dim).fit(x.numpy())
    ours = pca(x, dim)
    signs = np.sign((ours.axes.T.numpy() * theirs.components_).sum(1))
    assert ours(fresh).numpy() * signs == pytest.approx(theirs.transform(fresh.numpy()), abs=1e-9)
    assert (ours.axes.gather(0, ours.axes.abs().argmax(0, keepdim=True)) > 0).all()


def test_axes_are_orthonormal_where_rows_span_fewer():
    flat = normal(8, 2) @ normal(2, 20, seed=1)  # 2 dimensions, 4 axes asked of few long rows
    axes = pca(flat, 4).axes
    torch.testing.assert_close(axes.T @ axes, torch.eye(4, dtype=torch.float64))
    assert (flat - flat.mean(0) - (flat - flat.mean(0)) @ axes @ axes.T).abs().max() < 1e-9


def embedded(z, d, seed):
    """Put a few columns into many by an orthonormal map, and add what is far smaller."""
    q = torch.linalg.qr(normal(d, z.shape[1], seed=seed)).Q
    return z.double() @ q.T + 1e-3 * normal(len(z), d, seed=seed + 1)


def test_a_linear_embedding_keeps_its_information():
    found = []
    for seed in range(5):
        x, y, truth = gaussian_pair(3000, 0.8, d=2, seed=seed)
        wide = embedded(x, 20, 10 * seed), embedded(y, 30, 10 * seed + 5)
        found.append(mi_compressed(*wide, fit_x=partial(pca, dim=2), fit_y=partial(pca, dim=2), mi=mi_gaussian, fitted=1000))
    assert np.mean(found) == pytest.approx(truth["mi"], abs=0.03)


def test_codes_are_fitted_on_rows_that_are_not_measured():
    x, y = normal(40, 3), normal(40, 2, seed=1)
    seen = []

    def fit(z):
        seen.append(z)
        return lambda rows: rows

    measured = mi_compressed(x, y, fit_x=fit, fit_y=fit, mi=lambda a, b: seen.extend([a, b]) or torch.tensor(1.5), fitted=30)
    assert measured == 1.5
    assert all(torch.equal(a, b) for a, b in zip(seen, (x[:30], y[:30], x[30:], y[30:]), strict=True))


def test_an_autoencoder_keeps_more_of_bumps_than_two_axes():
    found = {"autoencoder": [], "pca": [], "parameters": []}
    for seed in range(5):
        pair = gaussian_images(2000, mi=2.5, size=8, seed=seed)
        codes = {"autoencoder": partial(autoencoder, dim=2, seed=seed, steps=400), "pca": partial(pca, dim=2)}
        for name, fit in codes.items():
            found[name].append(mi_compressed(pair.x, pair.y, fit_x=fit, fit_y=fit, mi=mi_ksg, fitted=1000).item())
        found["parameters"].append(mi_ksg(*(pair.truth[f"{side}_parameters"][1000:] for side in "xy")).item())
    kept = {name: np.array(values) for name, values in found.items()}
    assert (kept["autoencoder"] > kept["pca"]).all() and kept["autoencoder"].mean() > kept["pca"].mean() + 0.2
    assert (kept["autoencoder"] < kept["parameters"] + 0.05).all()  # a code adds no information
    assert kept["autoencoder"].mean() > 0.85 * kept["parameters"].mean()


@pytest.mark.parametrize("kind", compress.KINDS)
def test_the_seed_alone_decides(kind):
    x = gaussian_images(200, mi=0.0, size=8, seed=0).x
    state = torch.random.get_rng_state()
    codes = [autoencoder(x, 2, seed=seed, kind=kind, steps=5)(x) for seed in (1, 1, 2)]
    assert torch.equal(codes[0], codes[1]) and not torch.equal(codes[0], codes[2])
    assert codes[0].shape == (200, 2) and torch.equal(state, torch.random.get_rng_state())


@pytest.mark.parametrize("kind", compress.KINDS)
def test_an_autoencoder_learns_to_draw(kind):
    x = gaussian_images(500, mi=0.0, size=8, seed=0).x
    errors = []
    for steps in (1, 200):
        model = autoencoder(x, 2, seed=0, kind=kind, steps=steps)
        z = (x - model.mean) / model.spread
        errors.append((model.decoder(model.encoder(z)) - z).abs().mean().item())
    assert errors[1] < 0.5 * (x - x.mean(0)).abs().mean().item() / model.spread.item() < errors[0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: pca(x, 5), "dim is 5, but 10 rows of 4 columns span 4 axes"),
        (lambda x: pca(x[:3], 3), "dim is 3, but 3 rows of 4 columns span 2 axes"),
        (lambda x: autoencoder(x, 2, seed=0, kind="conv"), "unknown kind 'conv'; known: convolutional, perceptron"),
        (lambda x: autoencoder(x, 2, seed=0, kind="convolutional"), "4 columns are no square image of side 8, 16, 32"),
        (
            lambda x: mi_compressed(x, x, fit_x=partial(pca, dim=1), fit_y=partial(pca, dim=1), mi=mi_ksg, fitted=9),
            "fitted is 9 of 10 rows; leave at least 2",
        ),
    ],
)
def test_says_what_is_wrong(call, message):
    with pytest.raises(ValueError, match=message):
        call(normal(10, 4))
