"""The network with noise: what its noise is, members apart, and records that nothing but the seed decides."""

import numpy as np
import pandas as pd
import pytest
import torch

from lib.core.types import Table
from lib.experiments.lossy_compression import noisy_cnn
from lib.experiments.lossy_compression.noisy_cnn import Budget
from lib.nets.stacked import StochasticCNN, relative_noise

BUDGET = Budget(steps=6, batch=16, lr=1e-3, every=2, test=120, fitted=40, dim=2, k=5, code="pca", code_steps=5, sigma=1e-3)


def generators(*seeds):
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def pictures(members, n=6, side=28):
    return torch.rand(n, side * side, generator=torch.Generator().manual_seed(0)).expand(members, -1, -1)


@pytest.fixture(scope="module")
def digits():
    """Three classes of noisy pictures that differ in their corners."""
    y = torch.arange(300) % 3
    x = torch.rand(300, 22, 22, generator=torch.Generator().manual_seed(1)) * 0.5
    x[y == 1, :8, :8] += 0.5
    x[y == 2, -8:, -8:] += 0.5
    return Table(x.flatten(1), y, [f"pixel {i}" for i in range(484)], "label")


@pytest.mark.parametrize("sigma", [1e-3, 0.2])
def test_noise_is_relative_and_leaves_zeros_alone(sigma):
    x = torch.tensor([0.0, 1.0, -3.0], dtype=torch.float64).expand(20_000, 3)
    z = relative_noise(x, sigma, torch.randn(x.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64))
    assert (z[:, 0] == 0).all()
    assert (z.std(0)[1:] / x[0].abs()[1:] / sigma).tolist() == pytest.approx([1, 1], rel=0.02)
    assert z.mean(0).tolist() == pytest.approx([0, 1, -3], abs=0.1 * sigma)


def test_noise_lets_gradients_through():
    x, draws = torch.tensor([2.0, 0.0], requires_grad=True), torch.tensor([0.5, -1.0])
    relative_noise(x, 0.1, draws).sum().backward()
    assert x.grad.tolist() == pytest.approx([1.05, 0.9])
    model = StochasticCNN([0])
    model(pictures(1), generators(3))[-1][0, :, 0].sum().backward()
    assert all(p.grad.abs().max() > 0 for p in model.parameters())


def test_noise_is_there_when_evaluated_and_dropout_is_not():
    x, model = pictures(1), StochasticCNN([0], sigma=1e-3).eval()
    one, again, other = (model(x, generators(seed)) for seed in (1, 1, 2))
    assert all(torch.equal(a, b) for a, b in zip(one, again, strict=True))
    gaps = [((a - b).norm() / a.norm()).item() for a, b in zip(one, other, strict=True)]
    assert all(0 < gap < 0.01 for gap in gaps)
    dropped = model.train()(x, generators(1))
    assert ((dropped[0] - one[0]).norm() / one[0].norm()).item() > 0.05


@pytest.mark.parametrize("training", [True, False])
def test_stacked_members_are_the_single_ones(training):
    together, alone = StochasticCNN([5, 7, 9]).train(training), StochasticCNN([7]).train(training)
    layers, single = together(pictures(3), generators(1, 2, 3)), alone(pictures(1), generators(2))
    assert [tuple(layer.shape) for layer in layers] == [(3, 6, w) for w in (1352, 400, 32, 32, 10)]
    for a, b in zip(layers, single, strict=True):
        torch.testing.assert_close(a[1:2], b, atol=1e-5, rtol=1e-4)
    layers[-1][0].sum().backward()
    assert all(p.grad.unflatten(0, (3, -1))[1:].abs().max() == 0 for p in together.parameters())


def test_output_is_log_probabilities_and_convolutions_are_torchs():
    model = StochasticCNN([3], sigma=1e-9, dropout=0.0)
    layers = model(pictures(1), generators(0))
    torch.testing.assert_close(layers[-1].exp().sum(-1), torch.ones(1, 6))
    h = torch.nn.functional.conv2d(pictures(1)[0].reshape(6, 1, 28, 28), model.kernels[0], model.offsets[0])
    h = torch.nn.functional.leaky_relu(torch.nn.functional.max_pool2d(h, 2))
    torch.testing.assert_close(layers[0][0], h.flatten(1))


def test_records_depend_on_the_seed_alone(digits):
    together, alone = (noisy_cnn.runs(digits, seeds=seeds, budget=BUDGET, workers=1) for seeds in ([0, 1], [1]))
    pd.testing.assert_frame_equal(together[together.seed == 1].reset_index(drop=True), alone)
    assert together.step.unique().tolist() == [0, 2, 4, 6] and len(together) == 2 * 4 * 5
    assert np.isfinite(together[["mi_xt", "mi_ty", "loss"]]).all().all()
    assert (together.groupby(["seed", "step"]).loss.nunique() == 1).all()


def test_members_of_one_program_record_what_they_record_alone(digits):
    stacked = pd.DataFrame(noisy_cnn.trained(digits, BUDGET, [0, 1]))
    alone = noisy_cnn.runs(digits, seeds=[1], budget=BUDGET, workers=1)
    assert stacked[stacked.seed == 1].loss.tolist() == pytest.approx(alone.loss.tolist(), abs=1e-4)


def test_training_lowers_the_loss_and_raises_what_the_output_knows(digits):
    records = noisy_cnn.runs(digits, seeds=[0], budget=BUDGET._replace(steps=60, every=30), workers=1)
    output = records[records.layer == "output"]
    assert output.loss.iloc[-1] < 0.7 * output.loss.iloc[0] and output.accuracy.iloc[-1] > 0.9
    assert output.mi_ty.iloc[-1] > output.mi_ty.iloc[0] + 0.2


def test_parts_do_not_overlap(digits):
    table = digits._replace(x=torch.arange(300.0)[:, None].repeat(1, 2))
    train, test = noisy_cnn.parts(table, [0, 1], 100)
    for one, other in zip(train.x[..., 0].tolist(), test.x[..., 0].tolist(), strict=True):
        assert sorted(one + other) == list(range(300)) and len(other) == 100
    assert train.x[0, 0, 0] != train.x[1, 0, 0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"test": 290}, r"test \+ fitted is 330, but there are 300 rows"),
        ({"every": 4}, "6 steps are no multiple of the 4 between records"),
        ({"code": "vae"}, "unknown code 'vae'; known: autoencoder, pca"),
        ({"sigma": 0.0}, "sigma must be a positive finite number, got 0.0"),
    ],
)
def test_refuses_a_budget_that_cannot_be(digits, change, message):
    with pytest.raises(ValueError, match=message):
        noisy_cnn.runs(digits, seeds=[0], budget=BUDGET._replace(**change), workers=1)


def test_small_images_are_refused():
    with pytest.raises(ValueError, match="side is 21, but three convolutions with pooling want images of at least 22 x 22"):
        StochasticCNN([0], side=21)
