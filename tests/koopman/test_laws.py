"""Laws of all Koopman learners: no pair crosses a seam, inputs stay as they are, an error names what cannot be."""

import pytest
import torch

from lib.koopman import LINEAR, edmd, kernel_edmd
from lib.koopman import dictionaries as d
from lib.koopman.allocation import anti_collapse, water_filling
from lib.koopman.autoencoder import Autoencoder, Recipe, information_ae_terms
from lib.koopman.chain import chain_information, information_limit, stationary
from lib.koopman.forecast import rollout, settle
from lib.koopman.lusch import LuschNet
from lib.koopman.operators import pooled_ridge
from tests.koopman.samples import GAINS, SHAPE, chain, good, quadratic, slow_manifold, task


@pytest.mark.parametrize("name", ["dmd", "edmd", "kernel_edmd", "hankel_dmd"])
def test_a_split_fit_is_the_joined_fit_without_the_seams(name):
    options = {"edmd": {"lift": quadratic}, "kernel_edmd": {"rank": 3, "width": 0.5}, "hankel_dmd": {"delays": 2, "rank": 3}}
    whole, fit = slow_manifold(6, 20, seed=1), LINEAR[name]
    split = [whole._replace(x=whole.x[:2]), whole._replace(x=whole.x[2:])]
    seamed = whole._replace(x=whole.x.reshape(1, -1, 2))
    models = [fit(data, **options.get(name, {})) for data in (whole, split, seamed)]
    values = [model.eigenvalues[:2].abs() for model in models]
    assert torch.allclose(values[0], values[1], atol=1e-9) and not torch.allclose(values[0], values[2], atol=1e-4)


def test_inputs_are_left_alone_and_nothing_global_is_seeded():
    data, state = good(), torch.get_rng_state()
    copy = data.x.clone()
    kernel_edmd(data, rank=2, width=1.0)
    edmd(data, lift=d.random_fourier(2, count=2, width=1.0, seed=0), ridge=1e-6)
    assert torch.equal(data.x, copy) and torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: stationary(torch.eye(2), torch.eye(2)), "spectral radius 1; a stationary chain needs one below 1"),
        (lambda: stationary(torch.eye(2), torch.eye(3)), r"\(d, d\) alike, got \(2, 2\) and \(3, 3\)"),
        (lambda: chain_information(chain(), lag=0), "lag must be a whole number >= 1, got 0"),
        (lambda: information_limit(chain(), torch.eye(4), spread=0.0), "spread must be a positive finite number"),
        (lambda: water_filling(torch.tensor([1.0, 0.0]), budget=1.0), "vector .* of positive numbers, .*leave dead modes out"),
        (lambda: anti_collapse(GAINS, budget=1.0, entropy=0.0), "entropy must be a positive finite number, got 0.0"),
    ],
)
def test_refuses_what_has_no_answer(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda m, x: information_ae_terms(m, x[:, :, :1], x[:, :, :0, :0], x, recipe=Recipe()), "with T >= 2"),
        (lambda m, x: information_ae_terms(m, x, x[:, :, 1:, :0], x, recipe=Recipe(alpha=1.0)), "take T > 2 k"),
        (
            lambda m, x: information_ae_terms(m, x, x[:, :, 1:, :0], x, recipe=Recipe(gamma=1.0, entropy="von")),
            "known: clamped",
        ),
        (
            lambda m, x: information_ae_terms(m, x, x[:, :, 1:, :0], x, recipe=Recipe(reduction="max")),
            "unknown reduction 'max'",
        ),
        (lambda m, x: Autoencoder([0], 3, SHAPE | {"operator": "free"}), "unknown operator 'free'; known: averaged, dense"),
        (lambda m, x: Autoencoder([0], 3, SHAPE | {"operator": "spectral", "code": 3}), "made of pairs, got 3 units"),
        (lambda m, x: LuschNet([0], 3, SHAPE | {"pairs": 1}), "1 pairs and 0 real eigenvalues make 2 units, got code 4"),
        (lambda m, x: pooled_ridge(x[0], x[0]), r"past and future must be \(R, B, t, .\) alike"),
        (lambda m, x: rollout(settle(m, x, x[:, :, 1:, :0]), x[:, :, 0], 3, mode="both"), "known: linear, relift"),
        (
            lambda m, x: rollout(settle(m, x, x[:, :, 1:, :0]), x[:, :, 0], 2, mode="linear", controls=x[:, :, 1:3]),
            "one row a step",
        ),
    ],
)
def test_refuses_what_it_cannot_mean(make, message):
    with pytest.raises(ValueError, match=message):
        make(Autoencoder([0, 1, 2], 3, SHAPE).double(), task()[0])
