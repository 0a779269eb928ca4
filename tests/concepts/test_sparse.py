"""Sparse bottlenecks: objectives at their optimum, prices in closed form, a search that is zero-shot in its own metric."""

import itertools
import math

import pytest
import torch

from lib.concepts import sparse
from lib.concepts.baselines import zero_shot
from lib.concepts.bottleneck import accuracy, cosines, logits, predict
from lib.core.types import Words
from tests.concepts.samples import BANK, TRAIN, VALID, rows
from tests.samples import normal


def test_without_noise_uniform_rows_are_the_optimum_of_the_coded_objective():
    size = 7
    z = normal(5, size, seed=0)
    p = z.softmax(1)
    row = -z.log_softmax(1).mean()
    divergence = (-(p * size).log() / size).sum(1).mean()  # KL(uniform | p)
    assert row.item() == pytest.approx(math.log(size) + divergence.item())
    flat = sparse.gumbel_all(torch.full((5, size), 0.3).double()).item()
    assert flat == pytest.approx((math.log(size) + math.log(5)) / 2)
    assert all(sparse.gumbel_all(normal(5, size, seed=s)).item() > flat for s in range(20))


def test_with_noise_the_constant_is_stationary_over_the_symmetric_noise_and_the_objective_convex():
    """Noise and its rearrangements are equally likely: their mean gradient at a constant row is exactly zero."""
    noise = sparse.gumbel((4,), torch.Generator().manual_seed(0))
    turns = torch.stack([noise[list(p)] for p in itertools.permutations(range(4))])
    z = torch.full((24, 4), 0.7, dtype=torch.float64).requires_grad_()
    (-((z + turns) / 0.5).log_softmax(1).mean()).backward()
    torch.testing.assert_close(z.grad.sum(0), torch.zeros(4).double(), atol=1e-15, rtol=0)
    noise = sparse.gumbel((3, 4), torch.Generator().manual_seed(1))
    hessian = torch.autograd.functional.hessian(lambda v: sparse.gumbel_all(v, noise=noise), normal(3, 4, seed=2))
    assert torch.linalg.eigvalsh(hessian.reshape(12, 12))[0] > -1e-12


def test_minimising_the_printed_objective_makes_rows_uniform_and_the_bernoulli_price_does_not():
    z = {kind: normal(32, 20, seed=1).mul(3).requires_grad_() for kind in ("coded", "bernoulli")}
    draw = torch.Generator().manual_seed(0)
    adam = torch.optim.Adam(z.values(), 0.02)
    for _ in range(1500):
        adam.zero_grad()
        noise = sparse.gumbel((32, 20), draw)
        (sparse.gumbel_all(z["coded"], noise=noise) + sparse.bernoulli_price(z["bernoulli"])).backward()
        adam.step()
    entropy = torch.special.entr(z["coded"].detach().softmax(1)).sum(1).mean()
    assert entropy > 0.98 * math.log(20) > torch.special.entr(normal(32, 20, seed=1).mul(3).softmax(1)).sum(1).mean()
    assert z["bernoulli"].sigmoid().mean().item() == pytest.approx(sparse.RATE, abs=0.01)


def test_the_contrastive_term_depends_on_the_order_of_concepts():
    z = normal(8, 5, seed=0)
    rows_, columns = z.log_softmax(1), z.log_softmax(0)
    want = -sum(rows_[k, k] + columns[k, k] for k in range(5)) / 10
    assert sparse.contrastive(z).item() == pytest.approx(want.item())
    assert abs(sparse.contrastive(z[:, [1, 0, 2, 3, 4]]) - sparse.contrastive(z)) > 1e-3
    assert sparse.gumbel_all(z[:, [1, 0, 2, 3, 4]]).item() == pytest.approx(sparse.gumbel_all(z).item())
    assert torch.isfinite(sparse.contrastive(1e3 * z, temperature=0.01))
    with pytest.raises(ValueError, match="temperature must be a positive"):
        sparse.contrastive(z, temperature=0.0)


def test_gumbel_noise_has_its_mean_and_variance():
    g = sparse.gumbel((200_000,), torch.Generator().manual_seed(3))
    assert g.mean().item() == pytest.approx(0.5772, abs=0.012) and g.var().item() == pytest.approx(math.pi**2 / 6, abs=0.04)


def test_sparsemax_is_the_nearest_point_of_the_simplex():
    for seed in range(10):
        z = normal(6, seed=seed)
        s = sparse.sparsemax(z)
        assert s.sum().item() == pytest.approx(1) and (s >= 0).all()
        others = normal(500, 6, seed=seed + 100).mul(2).softmax(1)
        assert ((others - z).square().sum(1) >= (s - z).square().sum() - 1e-12).all()
    assert sparse.sparsemax(torch.tensor([0.1, 0.2, 3.0])).tolist() == [0, 0, 1]
    torch.testing.assert_close(sparse.sparsemax(torch.tensor([1.0, 1.5])), torch.tensor([0.25, 0.75]))


def test_prices_of_gates_in_closed_form():
    rate = torch.tensor(sparse.RATE, dtype=torch.float64).logit()
    assert sparse.bernoulli_price(rate.expand(4, 9)).item() == pytest.approx(0, abs=1e-12)
    q = torch.tensor(0.5).double()
    want = 9 * (0.5 * math.log(0.5 / 0.05) + 0.5 * math.log(0.5 / 0.95))
    assert sparse.bernoulli_price(q.logit().expand(4, 9)).item() == pytest.approx(want, rel=1e-6)
    assert sparse.usage_price(torch.eye(5)).item() == pytest.approx(0, abs=1e-12)
    assert sparse.usage_price(torch.eye(5)[[0, 0]]).item() == pytest.approx(math.log(5))


@pytest.mark.parametrize("kind", sparse.KINDS)
def test_every_kind_learns_planted_classes_and_repeats_itself(kind):
    model = sparse.sparse_cbm(TRAIN, BANK, kind=kind, beta=0.01, epochs=15, seed=2)
    assert accuracy(model, VALID.x, VALID.y) > 0.9
    assert torch.equal(model.weights, sparse.sparse_cbm(TRAIN, BANK, kind=kind, beta=0.01, epochs=15, seed=2).weights)
    assert not torch.equal(model.weights, sparse.sparse_cbm(TRAIN, BANK, kind=kind, beta=0.01, epochs=15, seed=3).weights)


def test_a_kind_in_company_is_what_it_is_alone():
    train, _, bank = rows(300)
    together = sparse.side_by_side(train, bank, ["l1", "bernoulli", "gumbel"], epochs=4, seed=3)
    for kind, model in together.items():
        alone = sparse.sparse_cbm(train, bank, kind=kind, epochs=4, seed=3)
        torch.testing.assert_close(model.weights, alone.weights)
        torch.testing.assert_close(model.score(train.x), alone.score(train.x))
    assert (together["l1"].weights - together["gumbel"].weights).abs().max() > 1e-3


def test_gates_close_and_active_concepts_are_counted():
    model = sparse.sparse_cbm(TRAIN, BANK, kind="bernoulli", beta=1.0, epochs=15)
    free = sparse.sparse_cbm(TRAIN, BANK, kind="l1", beta=0.0, epochs=15)
    assert sparse.active(model, VALID.x) < 0.7 * sparse.active(free, VALID.x)
    fixed = free._replace(score=lambda x: torch.tensor([[1.0, 0.02, 0.005], [0, 0, 0]]).double())
    assert sparse.active(fixed, VALID.x[:2]) == 1.0


def prompts():
    return Words(["k0", "k1", "k2", "k3"], BANK.vectors[:4] + 0.3 * normal(4, 16, seed=8))


def test_search_with_isotropic_concepts_is_zero_shot():
    frame = torch.linalg.qr(normal(16, 16, seed=5)).Q
    tight = Words([str(j) for j in range(32)], torch.cat([frame, -frame]))
    found = sparse.concept_matrix_search(prompts(), tight, TRAIN.x, centre=False)
    plain = zero_shot(prompts(), TRAIN.x, scale=1.0)
    torch.testing.assert_close(logits(found, VALID.x), logits(plain, VALID.x), atol=1e-6, rtol=0)
    assert torch.equal(predict(found, VALID.x), predict(plain, VALID.x))


def test_search_is_zero_shot_in_the_metric_of_its_concepts():
    bank = Words([str(j) for j in range(20)], normal(20, 16, seed=6))
    found = logits(sparse.concept_matrix_search(prompts(), bank, TRAIN.x, centre=False), VALID.x)
    c = bank.vectors / bank.vectors.norm(dim=1, keepdim=True)
    g, t = c.T @ c, prompts().vectors
    want = VALID.x @ g @ t.T / ((t @ g) * t).sum(1).sqrt() / ((VALID.x @ g) * VALID.x).sum(1, keepdim=True).sqrt()
    torch.testing.assert_close(found, want)
    centred = logits(sparse.concept_matrix_search(prompts(), bank, TRAIN.x, centre=True), VALID.x)
    v, q = VALID.x @ c.T - (TRAIN.x @ c.T).mean(0), cosines(t, c)
    q = q - q.mean(0)
    torch.testing.assert_close(centred, cosines(v, q))


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="unknown kind of sparse bottleneck"):
        sparse.sparse_cbm(TRAIN, BANK, kind="sparse")
