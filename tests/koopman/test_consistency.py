"""Two operators undo each other, errors lead both ways, and an orbit's angle is found."""

import math
from functools import partial

import pytest
import torch
from scipy.special import ellipk

from lib.core.plan import Plan
from lib.koopman import consistency
from lib.koopman.consistency import ConsistentAutoencoder, consistent_terms, undone
from lib.koopman.forecast import settle
from lib.koopman.learner import fit
from tests.koopman.samples import SHAPE, part, pendulum, task
from tests.samples import normal


def test_consistency_is_the_sum_over_leading_blocks():
    c, d = normal(2, 5, 5, seed=0), normal(2, 5, 5, seed=1)
    want = 0
    for k in range(1, 6):
        eye = torch.eye(k).double()
        want += ((d[:, :k] @ c[:, :, :k] - eye).square().sum((1, 2)) + (c[:, :k] @ d[:, :, :k] - eye).square().sum((1, 2))) / (
            2 * k
        )
    torch.testing.assert_close(undone(c, d), want)
    model = ConsistentAutoencoder([0, 1], 3, SHAPE)
    assert undone(model.operator(), model.backward_operator()).max() < 1e-10
    torch.testing.assert_close(torch.linalg.eigvals(model.operator()).abs(), torch.full((2, 4), 0.99))


def test_consistent_errors_lead_forward_from_the_first_frame_and_back_from_the_last():
    model = ConsistentAutoencoder([0, 1], 3, SHAPE).double()
    x, y, noise = task(2)
    terms = consistent_terms(model, x, y, noise, balance=consistency.Balance(2.0, 0.5, 0.1))
    z, c, d = model.codes(x), model.operator(), model.backward_operator()
    fwd = bwd = 0
    for s in range(1, 4):
        ahead, back = z[:, :, 0] @ torch.linalg.matrix_power(c, s), z[:, :, 3] @ torch.matrix_power(d, s)
        fwd += (model.decode(ahead) - x[:, :, s]).square().mean((1, 2))
        bwd += (model.decode(back) - x[:, :, 3 - s]).square().mean((1, 2))
    rec = (model.frames(z) - x).square().mean((1, 2, 3))
    torch.testing.assert_close(terms.fit, fwd + 2 * 3 * rec)
    torch.testing.assert_close(terms.price, 0.5 * bwd + 0.1 * undone(c, d))


def test_a_consistent_autoencoder_finds_the_angle_of_a_pendulum():
    angle = 2 * math.pi * 0.1 / (4 * ellipk(math.sin(1.2) ** 2) / math.sqrt(9.81))
    assert angle == pytest.approx(0.20075, abs=5e-5)
    swing = pendulum([2.4], 600)[0] @ torch.linalg.qr(normal(64, 2, seed=0)).Q.T
    swing = (2 * (swing - swing.min()) / (swing.max() - swing.min()) - 1).float()
    data = swing.unfold(0, 9, 1).mT[None].contiguous()
    model = ConsistentAutoencoder([0], 64, {"hidden": [16, 16], "code": 6, "decoder": [16, 16], "activation": "tanh"})
    terms = partial(consistent_terms, balance=consistency.Balance())
    for epochs, lr in ((40, 1e-2), (30, 2e-3)):
        fit(model, terms, part(data), seeds=[0], plan=Plan(epochs=epochs, batch=64, lr=lr, select="last", clip=0.05))
    found = settle(model, data, data[:, :, 1:, :0]).eigenvalues()[0]
    assert (found.angle().abs() - angle).abs().min() < 0.01
