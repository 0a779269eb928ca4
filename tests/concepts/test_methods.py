"""Concept methods: heads that are right for two classes, objectives at their optimum, dictionaries that were planted."""

import itertools
import math

import pytest
import torch
from scipy.optimize import linear_sum_assignment

from lib.concepts import discover, posthoc, sparse
from lib.concepts.baselines import zero_shot
from lib.concepts.bottleneck import accuracy, cosines, explain, logits, predict
from lib.core.types import Rows, Words
from tests.samples import normal, planted


def rows(n=600, *, seed=0, **given):
    x, y, truth, atoms = planted(n, seed=seed, **given)
    return Rows(x, y), truth, Words([f"atom {j}" for j in range(len(atoms))], atoms)


TRAIN, TRUTH, BANK = rows()
VALID = rows(300, seed=50)[0]


# Post hoc.


def test_activation_vectors_find_the_planted_directions():
    found = posthoc.activation_vectors(TRAIN.x, TRUTH, BANK.names, side=60)
    inner = TRAIN.x - TRAIN.x.mean(0)
    scores = posthoc.projection(found)(TRAIN.x)
    for j in range(6):
        there = TRUTH[:, j] == 1
        assert ((scores[:, j] > 0) == there).double().mean() > 0.9
    assert inner.shape[1] == found.vectors.shape[1] and (cosines(found.vectors, BANK.vectors).diagonal() > 0.6).all()
    again = posthoc.activation_vectors(TRAIN.x, TRUTH, BANK.names, side=60)
    assert torch.equal(found.vectors, again.vectors)
    with pytest.raises(ValueError, match=r"concept 'atom 0' has \d+ images with it"):
        posthoc.activation_vectors(TRAIN.x, TRUTH, BANK.names, side=200)


def test_projections_are_distances_to_a_plane():
    bank = posthoc.Directions(["a"], torch.tensor([[3.0, 4.0]]), torch.tensor([10.0]))
    assert posthoc.projection(bank)(torch.tensor([[1.0, 1.0]])).item() == pytest.approx(17 / 5)
    assert posthoc.projection(Words(["a"], bank.vectors))(torch.tensor([[1.0, 1.0]])).item() == pytest.approx(7 / 5)


def test_a_sparse_head_uses_the_concepts_that_make_the_classes():
    model = posthoc.pcbm(TRAIN, VALID, BANK)
    assert accuracy(model, VALID.x, VALID.y) > 0.95
    assert model.weights.argmax(1).tolist() == [0, 1, 2, 3]
    few = posthoc.pcbm(TRAIN, VALID, BANK, budget=1)
    assert 0 < posthoc.effective(few.weights) <= 1


def test_the_head_of_two_classes_keeps_its_concepts():
    two, valid = (Rows(r.x, r.y // 2) for r in (TRAIN, VALID))
    model = posthoc.pcbm(two, valid, BANK)
    assert accuracy(model, valid.x, valid.y) > 0.95
    bypass = posthoc.hybrid(model, two)
    alone = bypass._replace(weights=torch.zeros_like(bypass.weights), bias=torch.zeros_like(bypass.bias))
    gap = (logits(bypass, valid.x) - logits(alone, valid.x)).diff(dim=1)
    assert gap.abs().mean() > 0.1, "concepts must move the odds, not both logits alike"


def test_effective_concepts_are_counted_by_class():
    weights = torch.tensor([[[1.0, 0, -2], [0, 0, 9e-6]], [[1.0, 1, 1], [1, 1, 1]]])
    assert posthoc.effective(weights).tolist() == [1.0, 3.0]


def test_the_best_head_of_equals_is_the_sparsest_within_the_budget():
    fitted = posthoc.head_path(TRAIN, posthoc.projection(BANK), BANK.names, count=12)
    models = [posthoc.member(fitted, i, TRAIN.x) for i in range(12)]
    right = [accuracy(m, VALID.x, VALID.y) for m in models]
    chosen = posthoc.best(fitted, TRAIN, VALID)
    assert torch.equal(chosen.weights, models[right.index(max(right))].weights)


def test_a_residual_is_the_optimum_and_none_leaves_the_model():
    some = [0, 1, 4, 5]
    model = posthoc.pcbm(TRAIN, VALID, Words([BANK.names[j] for j in some], BANK.vectors[some]))
    both = posthoc.hybrid(model, TRAIN, ridge=0.01)
    r, b = (part.clone().requires_grad_() for part in both.residual)
    torch.nn.functional.cross_entropy(logits(model, TRAIN.x) + TRAIN.x @ r.T + b, TRAIN.y).backward()
    torch.testing.assert_close(r.grad, -0.02 * r.detach(), atol=1e-5, rtol=0)
    assert b.grad.abs().max() < 1e-5
    none = model._replace(residual=(torch.zeros_like(r.detach()), torch.zeros_like(b.detach())))
    assert torch.equal(logits(none, VALID.x), logits(model, VALID.x)) and posthoc.agreement(none, VALID.x) == 1
    assert posthoc.agreement(both, VALID.x) < 1 and accuracy(both, TRAIN.x, TRAIN.y) > accuracy(model, TRAIN.x, TRAIN.y)


def test_pruning_takes_one_weight_and_gives_the_norm_back():
    noisy = rows(spread=0.5)[0]
    model = posthoc.member(posthoc.head_path(noisy, posthoc.projection(BANK), BANK.names), -1, noisy.x)
    cut, full = posthoc.prune(model, 1, 1), posthoc.prune(model, 1, 1, normalise=True)
    assert cut.weights[1, 1] == 0 == full.weights[1, 1] and model.weights[1, 1] != 0
    others = torch.arange(4) != 1
    assert torch.equal(cut.weights[others], model.weights[others])
    torch.testing.assert_close(full.weights[1].abs().sum(), model.weights[1].abs().sum())
    assert ((full.weights[1] * cut.weights[1]) >= 0).all()


def test_pruning_a_spurious_concept_recovers_what_it_cost():
    aligned = torch.where(torch.rand(600, generator=torch.Generator().manual_seed(0)) < 0.95, TRAIN.y % 2, 1 - TRAIN.y % 2)
    x, two = TRAIN.x.clone(), Rows(TRAIN.x, TRAIN.y % 2)
    extra = torch.linalg.qr(normal(16, 16, seed=99)).Q[10]
    noise = normal(600, 16, seed=7) * 0.5

    def shifted(sign):
        z = x + noise + 2 * (2 * sign - 1).double()[:, None] * extra
        return Rows(z / z.norm(dim=1, keepdim=True), two.y)

    train, test = shifted(aligned), shifted(1 - two.y)
    bank = Words([*BANK.names, "background"], torch.cat([BANK.vectors, extra[None]]))
    model = posthoc.pcbm(train, train, bank)
    edited = posthoc.prune(posthoc.prune(model, 0, 6), 1, 6)
    bound = posthoc.fine_tuned(model, test)
    assert accuracy(model, test.x, test.y) < 0.5 < accuracy(edited, test.x, test.y) < accuracy(bound, test.x, test.y)
    share = (accuracy(edited, test.x, test.y) - accuracy(model, test.x, test.y)) / (
        accuracy(bound, test.x, test.y) - accuracy(model, test.x, test.y)
    )
    assert posthoc.gained(edited, model, bound, test) == pytest.approx(share)
    assert math.isnan(posthoc.gained(edited, model, model, test))


# Sparse objectives.


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


# Concept Matrix Search.


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


# Discovery.


def sparse_codes(n, *, seed, atoms=24, width=16):
    """Rows of three of 24 atoms in 16 dimensions, with the atoms."""
    draw = torch.Generator().manual_seed(seed)
    d = torch.nn.functional.normalize(torch.randn(atoms, width, generator=draw, dtype=torch.float64), dim=1)
    s = torch.zeros(n, atoms, dtype=torch.float64)
    s.scatter_(1, torch.rand(n, atoms, generator=draw).argsort(1)[:, :3], 1.0)
    return s * (0.5 + torch.rand(n, atoms, generator=draw, dtype=torch.float64)) @ d, d


def matched(found, truth):
    near = cosines(truth, found)
    return near[linear_sum_assignment(near.numpy(), maximize=True)].mean().item()


def test_a_planted_dictionary_is_found_by_a_price_that_is_high_enough():
    x, truth = sparse_codes(6000, seed=0)
    found = discover.learn(x, units=48, prices=[0.01, 1.0, 1.0], seeds=[0, 0, 1], steps=1500)
    low, high, other = (matched(found.atoms[i], truth) for i in range(3))
    assert min(high, other) > 0.9 and low < high - 0.1
    torch.testing.assert_close(found.atoms.norm(dim=2), torch.ones(3, 48).double())
    share = discover.explained(found, x)
    assert share[0] > share[1] > 0.7


def test_a_member_is_itself_in_company():
    x, _ = sparse_codes(500, seed=1)
    both = discover.learn(x, units=20, prices=[0.1, 0.4], seeds=[3, 5], steps=40)
    alone = discover.learn(x, units=20, prices=[0.4], seeds=[5], steps=40)
    torch.testing.assert_close(both.atoms[1], alone.atoms[0], atol=1e-10, rtol=0)


def test_dead_units_start_anew_at_rows_and_forget_their_moments():
    a, draws = normal(50, 4, seed=0), [torch.Generator().manual_seed(0)]
    weights = [w.requires_grad_() for w in discover.begin(6, 4, draws)]
    adam = torch.optim.Adam(weights, 0.1)
    sum(w.square().sum() for w in weights).backward()
    adam.step()
    before, dead = [w.detach().clone() for w in weights], torch.tensor([[False, True, False, False, True, False]])
    with torch.no_grad():
        discover.resample(weights, adam, dead, a, draws)
    unit = torch.nn.functional.normalize(a - before[3], dim=1)
    assert (cosines(weights[2][0, dead[0]].detach(), unit) > 1 - 1e-9).any(1).all()
    want = 0.2 * before[0][0, ~dead[0]].norm(dim=1).mean()
    torch.testing.assert_close(weights[0][0, dead[0]].norm(dim=1).detach(), want.expand(2))
    assert torch.equal(weights[2][0, ~dead[0]], before[2][0, ~dead[0]]) and (weights[1][0, dead[0]] == 0).all()
    assert (adam.state[weights[2]]["exp_avg"][0, dead[0]] == 0).all() and adam.state[weights[2]]["exp_avg"].abs().max() > 0
    with pytest.raises(ValueError, match="all 6 units of member 0 are dead"):
        discover.resample(weights, adam, torch.ones(1, 6, dtype=torch.bool), a, draws)


def test_units_are_named_by_the_nearest_word():
    x, truth = sparse_codes(4000, seed=2)
    found = discover.learn(x, units=32, prices=[1.0], seeds=[0], steps=800)
    vocabulary = Words([f"w{j}" for j in range(24)], truth)
    naming = discover.name_units(found, 0, vocabulary)
    near = cosines(found.atoms[0], truth)
    assert naming.names == [f"w{j}" for j in near.argmax(1).tolist()]
    torch.testing.assert_close(naming.margin, near.sort(1).values[:, -1] - near.sort(1).values[:, -2])
    fires = discover.codes(found, 0)(x) > 0
    torch.testing.assert_close(found.firing[0], fires.double().mean(0))
    assert naming.dead.tolist() == (~fires.any(0)).tolist()


def test_discovered_concepts_tell_planted_classes_without_a_bias():
    found = discover.learn(TRAIN.x, units=32, prices=[0.3], seeds=[0], steps=600)
    model = discover.discovered(TRAIN, VALID, found, 0, BANK)
    assert (model.bias == 0).all() and accuracy(model, VALID.x, VALID.y) > 0.9
    assert len(set(model.concepts)) == len(model.concepts)
    why = explain(model, VALID.x)
    torch.testing.assert_close(why.contributions.sum(1) + why.rest, logits(model, VALID.x).amax(1))


def test_equal_names_are_numbered():
    assert discover.numbered(["sky", "sea", "sky", "sky"]) == ["sky", "sea", "sky 2", "sky 3"]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"units": 3}, "units must be >= 16"),
        ({"prices": [0.1, 0.2]}, "prices and seeds pair"),
        ({"prices": [0.0]}, "price must be a positive"),
        ({"steps": 0}, "steps must be a whole number"),
    ],
)
def test_learning_refuses(given, says):
    with pytest.raises(ValueError, match=says):
        discover.learn(TRAIN.x, **{"units": 32, "prices": [0.1], "seeds": [0]} | given)


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="unknown kind of sparse bottleneck"):
        sparse.sparse_cbm(TRAIN, BANK, kind="sparse")
