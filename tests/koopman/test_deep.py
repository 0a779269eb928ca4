"""Koopman networks: operators have the spectra they promise, objectives are their formulas, members train as if alone."""

import math
from functools import partial

import pytest
import torch
from scipy.special import ellipj, ellipk
from torch.distributions import Normal, kl_divergence

from lib.core.plan import Plan
from lib.core.types import Rows
from lib.koopman import consistency, lusch
from lib.koopman.autoencoder import PUBLIC_CODE, Autoencoder, Recipe, information_ae_terms, information_vae_terms
from lib.koopman.consistency import ConsistentAutoencoder, consistent_terms, undone
from lib.koopman.entropy import ENTROPIES, portrait
from lib.koopman.forecast import Settled, rollout, settle
from lib.koopman.information import INFORMATION
from lib.koopman.learner import fit
from lib.koopman.lusch import LuschNet, lusch_terms
from lib.koopman.operators import (
    LEARNED,
    averaged_ridge,
    graph_matrix,
    graph_ridge,
    graph_step,
    operator,
    orthogonal,
    pooled_ridge,
)
from lib.koopman.vamp import vamp2, vamp_terms
from tests.samples import normal

SHAPE = {"hidden": [7], "code": 4, "decoder": [7], "activation": "tanh"}
ALL = Recipe(alpha=0.7, beta=0.5, gamma=0.3, scale=0.2, reach=1)
TERMS = {"ae": information_ae_terms, "vae": information_vae_terms}


def generators(*seeds):
    return [torch.Generator().manual_seed(s) for s in seeds]


def pendulum(amplitudes, steps, dt=0.1):
    """Angle and velocity of swings that start at rest, exactly, (B, T, 2): a = 2 asin(k cd(w t)), w = sqrt(9.81)."""
    k = torch.sin(torch.as_tensor(amplitudes).double() / 2)[:, None].numpy()
    w = math.sqrt(9.81)
    sn, cn, dn, _ = ellipj(w * dt * torch.arange(steps).double().numpy(), k**2)
    cd = cn / dn
    speed = -2 * k * w * (1 - k**2) * sn / dn**2 / (1 - (k * cd) ** 2) ** 0.5
    return torch.stack([2 * torch.asin(torch.from_numpy(k * cd)), torch.from_numpy(speed)], -1)


def embedded(members=1, trajectories=64, frames=16, wide=64):
    """Pendulum swings of many energies as wide rows (S, B, T, wide) float32, a linear image of cos, sin and velocity."""
    found = []
    for seed in range(members):
        g = torch.Generator().manual_seed(seed)
        a = 0.3 + 2.5 * torch.rand(trajectories, generator=g).double()
        x = pendulum(a, 40 + frames)
        start = torch.randint(0, 40, (trajectories, 1), generator=g) + torch.arange(frames)
        x = x[torch.arange(trajectories)[:, None], start]
        seen = torch.stack([x[..., 0].cos(), x[..., 0].sin(), x[..., 1] / 4], -1)
        found.append(seen @ torch.linalg.qr(normal(wide, 3, seed=99)).Q.T * math.sqrt(wide / 3))
    return torch.stack(found).float()


def task(members=3, b=5, t=4, n=3, m=0):
    return normal(members, b, t, n, seed=0), normal(members, b, t - 1, m, seed=1), normal(members, b, t, 4, seed=2)


# Operators.


def test_the_pooled_estimate_finds_a_rotation_and_the_average_of_windows_does_not():
    k = orthogonal(64, generators(0)).double()
    z = [normal(1, 16, 64, seed=1)]
    for _ in range(16):
        z.append(z[-1] @ k)
    z = torch.stack(z, 2)
    errors, radii = [], []
    for found in (averaged_ridge(z[:, :, :-1], z[:, :, 1:]), pooled_ridge(z[:, :, :-1], z[:, :, 1:])):
        errors.append(((found - k).norm() / k.norm()).item())
        radii.append(torch.linalg.eigvals(found).abs().max().item())
    assert errors[0] == pytest.approx(0.76, abs=0.03) and errors[1] < 0.002
    assert radii[0] < 0.6 and radii[1] == pytest.approx(0.9997, abs=5e-4)


def test_the_average_of_windows_is_the_ridge_of_each_window():
    p, f = normal(2, 3, 5, 4, seed=0), normal(2, 3, 5, 4, seed=1)
    each = [torch.linalg.solve(p[1, b].T @ p[1, b] + 0.1 * torch.eye(4).double(), p[1, b].T @ f[1, b]) for b in range(3)]
    torch.testing.assert_close(averaged_ridge(p, f)[1], torch.stack(each).mean(0))
    torch.testing.assert_close(pooled_ridge(p, f, ridge=0.0)[1], torch.linalg.lstsq(p[1].flatten(0, 1), f[1].flatten(0, 1))[0])


@pytest.mark.parametrize("kind", LEARNED)
def test_learned_operators_have_the_spectrum_they_promise_wherever_their_weights_go(kind):
    op = operator(kind, 6, generators(0, 1)).double()
    with torch.no_grad():
        op.weights.add_(2 * normal(*op.weights.shape, seed=3))
    radius = torch.linalg.eigvals(op()).abs()
    assert op().shape == (2, 6, 6)
    if kind == "unitary":
        torch.testing.assert_close(radius, torch.ones_like(radius))
    elif kind in ("stable", "dissipative"):
        assert (radius <= 1 + 1e-9).all() and (radius < 0.9).any()
    elif kind == "spectral":
        m, o = op.weights[1]
        want = torch.exp(torch.complex(torch.cat([m, m]), torch.cat([o, -o])))
        found = torch.linalg.eigvals(op())[1]
        assert (found[:, None] - want).abs().min(1).values.max() < 1e-9
    else:
        assert (radius > 1).any()


def test_controls_are_found_beside_the_operator():
    k, b = 0.9 * orthogonal(4, generators(0))[0].double(), normal(2, 4, seed=1)
    z, a = [normal(1, 6, 4, seed=2)], normal(1, 6, 7, 2, seed=3)
    for t in range(7):
        z.append(z[-1] @ k + a[:, :, t] @ b)
    z = torch.stack(z, 2)
    w = operator("pooled", 4, generators(0), controls=2)(torch.cat([z[:, :, :-1], a], -1), z[:, :, 1:])
    torch.testing.assert_close(w[0], torch.cat([k, b]), atol=5e-3, rtol=0)
    assert operator("dense", 4, generators(0), controls=2)().shape == (1, 6, 4)


def test_one_small_operator_moves_graphs_of_any_size():
    k = normal(2, 3, 3, seed=0)
    for nodes in (4, 6):
        ring = torch.eye(nodes).roll(1, 0).double()
        adjacency = torch.stack([torch.eye(nodes).double(), ring + 2 * ring.T @ ring.T])
        z = normal(5, nodes, 3, seed=1)
        torch.testing.assert_close(graph_step(z, adjacency, k).flatten(1), z.flatten(1) @ graph_matrix(adjacency, k))
        torch.testing.assert_close(graph_ridge(z, graph_step(z, adjacency, k), adjacency, ridge=1e-12), k, atol=1e-6, rtol=0)


# Objectives.


@pytest.mark.parametrize("kind", ["pooled", "averaged", "unitary"])
@pytest.mark.parametrize("form", TERMS)
def test_gradients_are_finite_differences(form, kind):
    model = Autoencoder([0, 1], 3, SHAPE | {"operator": kind, "controls": 1}).double()
    x, y, noise = task(2, m=1)
    weight = model.mean_head.weight

    def loss(w):
        terms = torch.func.functional_call(model, {"mean_head.weight": w}, ())
        return (terms.fit + terms.price).sum()

    model.forward = lambda: TERMS[form](model, x, y, noise, recipe=ALL._replace(prior=0.4))
    if kind == "averaged":  # whose estimate lets no gradient through
        model.operator.learns = True
    assert torch.autograd.gradcheck(loss, weight.detach().clone().requires_grad_())


@pytest.mark.parametrize("name", ["alpha", "beta", "gamma", "scale", "prior", "identity", "prediction"])
@pytest.mark.parametrize("form", TERMS)
def test_a_weight_of_zero_is_the_loss_without_the_term(form, name):
    model = Autoencoder([0, 1, 2], 3, SHAPE).double()
    recipe = ALL._replace(prior=0.4)
    terms = partial(TERMS[form], model, *task())
    full, none = terms(recipe=recipe), terms(recipe=recipe._replace(**{name: 0.0}))
    some = torch.tensor([0.0, getattr(recipe, name), 0.0], dtype=torch.float64)
    mixed = terms(recipe=recipe._replace(**{name: some}))
    of = {"alpha": "information", "beta": "consistency", "gamma": "entropy", "identity": "reconstruction"}.get(name, name)
    if name == "prior" and form == "ae":
        assert "prior" not in full.watch
        return
    sign = -1 if name in ("alpha", "gamma") else 1
    loss, less, middle = (t.fit + t.price for t in (full, none, mixed))
    torch.testing.assert_close(loss - less, sign * getattr(recipe, name) * full.watch[of])
    torch.testing.assert_close(middle, torch.stack([less[0], loss[1], less[2]]), rtol=0, atol=1e-15)


def test_every_term_is_its_formula():
    model = Autoencoder([0, 1, 2], 3, SHAPE).double()
    x, y, noise = task()
    terms = information_vae_terms(model, x, y, noise, recipe=ALL._replace(prior=0.4))
    mean, logvar = (p.unflatten(1, (5, 4)) for p in model.encode(x.flatten(1, 2)))
    z = mean + (logvar / 2).exp() * noise
    w = pooled_ridge(z[:, :, :-1], z[:, :, 1:])
    onward = (z[:, :, :-1].flatten(1, 2) @ w).unflatten(1, (5, 3))
    own = Normal(mean[:, :, 1:], (logvar[:, :, 1:] / 2).exp())
    want = {
        "reconstruction": (model.frames(z) - x).square().mean((1, 2, 3)),
        "prediction": (model.frames(onward) - x[:, :, 1:]).square().mean((1, 2, 3)),
        "information": INFORMATION["infonce_batch"](z, reach=1, temperature=0.1),
        "consistency": kl_divergence(own, Normal(onward, 1.0)).sum(-1).mean((1, 2)),
        "prior": kl_divergence(Normal(mean, (logvar / 2).exp()), Normal(0.0, 1.0)).sum(-1).mean((1, 2)),
        "entropy": ENTROPIES["mixed"](z.flatten(1, 2)),
        "scale": (torch.stack([torch.cov(m.T, correction=0).trace() for m in z.flatten(1, 2)]) / 4 - 1).square(),
    }
    for name, value in want.items():
        torch.testing.assert_close(terms.watch[name], value.detach())
    plain = information_ae_terms(model, x, y, noise, recipe=ALL)
    torch.testing.assert_close(plain.watch["code"], mean)
    gap = mean[:, :, 1:].flatten(1, 2) - mean[:, :, :-1].flatten(1, 2) @ pooled_ridge(mean[:, :, :-1], mean[:, :, 1:])
    torch.testing.assert_close(plain.watch["consistency"], gap.square().sum(-1).mean(1))


def test_the_public_code_charges_entropy_and_sums_over_frames():
    model = Autoencoder([0, 1], 3, SHAPE | {"operator": "averaged"}).double()
    x, y, noise = task(2, t=8)
    public = information_ae_terms(model, x, y, noise, recipe=PUBLIC_CODE)
    means = information_ae_terms(model, x, y, noise, recipe=PUBLIC_CODE._replace(reduction="mean"))
    torch.testing.assert_close(public.fit, 7 * means.watch["prediction"] + 0.8 * means.watch["reconstruction"])
    torch.testing.assert_close(public.price, 0.1 * public.watch["entropy"] - 2 * public.watch["information"])


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


# Other families.


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


def test_lusch_turns_each_pair_by_a_rate_of_its_own_radius():
    model = LuschNet([0, 1], 3, SHAPE | {"code": 3, "pairs": 1, "reals": 1, "auxiliary": [5], "dt": 0.5}).double()
    z = normal(2, 6, 3, seed=0)
    rates = model.rates(model.auxiliary[0], z[..., :2].square().sum(-1, keepdim=True))
    turned = torch.view_as_complex(z[..., :2].contiguous()) * torch.exp(0.5 * torch.view_as_complex(rates.contiguous()))
    led = model.led(z)
    torch.testing.assert_close(torch.view_as_complex(led[..., :2].contiguous()), turned)
    torch.testing.assert_close(led[..., 2:], z[..., 2:] * (0.5 * model.rates(model.auxiliary[1], z[..., 2:])).exp())
    x, y, noise = 0.3 * normal(2, 4, 6, 3, seed=1), normal(2, 4, 5, 0, seed=2), None
    terms = lusch_terms(model, x, y, noise, balance=lusch.Balance(), reach=2)
    first = model.mean(x[:, :, 0])
    two = model.decode(model.led(model.led(first))) - x[:, :, 2]
    one = model.decode(model.led(first)) - x[:, :, 1]
    torch.testing.assert_close(terms.watch["prediction"], (one.square() + two.square()).mean((1, 2)) / 2)
    worst = (model.decode(first) - x[:, :, 0]).abs().amax((1, 2)) + one.abs().amax((1, 2))
    torch.testing.assert_close(terms.watch["worst"], worst)
    five = first
    errors = []
    for t in range(1, 6):
        five = model.led(five)
        errors.append((five - model.mean(x[:, :, t])).square().mean((1, 2)))
    torch.testing.assert_close(terms.watch["linearity"], torch.stack(errors).mean(0))


# Training.

PLAN = Plan(epochs=3, batch=8, lr=2e-3, select="last", clip=1.0)


def part(x):
    return Rows(x, x[:, :, 1:, :0])


@pytest.mark.parametrize("kind", ["dense", "pooled", "averaged"])
def test_members_train_as_if_alone(kind):
    data, shape = embedded(2, trajectories=20, frames=8, wide=5), SHAPE | {"operator": kind}
    gamma = torch.tensor([0.1, -0.1])
    recipe = Recipe(alpha=1.0, beta=0.1, reach=2)
    together = Autoencoder([3, 3, 4, 4], 5, shape)
    terms = partial(information_vae_terms, recipe=recipe._replace(gamma=gamma.repeat(2)))
    rows = fit(together, terms, part(data), seeds=[3, 4], plan=PLAN)
    alone = Autoencoder([3], 5, shape)
    terms = partial(information_vae_terms, recipe=recipe._replace(gamma=-0.1))
    own = fit(alone, terms, part(data[:1]), seeds=[3], plan=PLAN)
    for name, weights in together.state_dict().items():
        torch.testing.assert_close(weights[1:2], alone.state_dict()[name], atol=2e-5, rtol=1e-4)
    last = [row for row in rows if (row["seed"], row["variant"], row["epoch"]) == (3, 1, 3)]
    assert last[0]["entropy"] == pytest.approx(own[-1]["entropy"], rel=1e-4) and len(rows) == 12
    assert {"information", "consistency", "effective_dimension", "fill", "top_share"} <= set(last[0])


def test_rewarded_entropy_widens_the_code_and_charged_entropy_narrows_it():
    data = embedded(5, trajectories=64)
    model = Autoencoder([s for s in range(5) for _ in range(2)], 64, SMALL | {"operator": "dense"})
    recipe = Recipe(alpha=2.0, gamma=torch.tensor([0.1, -0.1]).repeat(5), information="infonce_window")
    fit(
        model, partial(information_ae_terms, recipe=recipe), part(data), seeds=range(5), plan=PLAN._replace(epochs=40, batch=16)
    )
    dimension = portrait(model.codes(data.repeat_interleave(2, 0)).flatten(1, 2))["effective_dimension"]
    reward, charge = dimension.view(5, 2).T
    assert (reward > charge + 0.3).all()


SMALL = {"hidden": [32], "code": 16, "decoder": [32], "activation": "tanh"}


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


def test_vamp_training_finds_what_lasts():
    z = [normal(1, 64, 2, seed=0)]
    for t in range(10):
        z.append(
            z[-1] * torch.tensor([0.9, 0.1]).double() + normal(1, 64, 2, seed=t + 1) * torch.tensor([0.436, 0.995]).double()
        )
    x = (torch.stack(z, 2) @ normal(2, 4, seed=50)).float()
    model = Autoencoder([0], 4, {"hidden": [], "code": 1, "activation": "tanh"})
    fit(model, vamp_terms, part(x), seeds=[0], plan=Plan(epochs=60, batch=64, lr=3e-2, select="last"))
    code = model.codes(x)
    assert vamp2(code[:, :, :-1].flatten(1, 2), code[:, :, 1:].flatten(1, 2)).item() == pytest.approx(0.81, abs=0.06)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batch": 21}, "batch 21 is larger than the 20 training windows"),
        ({"select": "validation"}, 'set select to "last"'),
        ({"lr": 1e9}, "seed 0, variant 0: not finite at epoch 3; lower lr"),
    ],
)
def test_training_refuses_what_cannot_be(change, message):
    data = embedded(1, trajectories=20, frames=8, wide=5) * (1e30 if "lr" in change else 1)
    with pytest.raises((ValueError, FloatingPointError), match=message):
        terms = partial(information_ae_terms, recipe=Recipe())
        fit(Autoencoder([0], 5, SHAPE), terms, part(data), seeds=[0], plan=PLAN._replace(**change, records=1))


def test_a_member_that_diverges_is_an_outcome_and_the_others_do_not_feel_it():
    data = embedded(3, trajectories=20, frames=8, wide=5)
    sick = data.clone()
    sick[1] *= 1e30
    recipe, plan = Recipe(gamma=0.1), PLAN._replace(on_divergence="record")
    both = [Autoencoder([3, 4, 5], 5, SHAPE) for _ in range(2)]
    terms = partial(information_ae_terms, recipe=recipe)
    rows, fine = (fit(m, terms, part(x), seeds=[3, 4, 5], plan=plan) for m, x in zip(both, (sick, data), strict=True))
    assert {row["status"] for row in rows if row["seed"] == 4} == {"diverged at epoch 1"}
    assert all(math.isnan(row["fit"]) and math.isnan(row["entropy"]) for row in rows if row["seed"] == 4)
    assert [row for row in rows if row["seed"] != 4] == [row for row in fine if row["seed"] != 4]
    assert {row["status"] for row in fine} == {"ok"}
    for ours, theirs in zip(*(m.parameters() for m in both), strict=True):
        torch.testing.assert_close(ours[[0, 2]], theirs[[0, 2]], rtol=0, atol=0)
        assert (ours[1] == 0).all()


def test_members_without_windows_of_their_own_are_refused():
    with pytest.raises(ValueError, match=r"3 members and windows \(2, .* want distinct seeds, one an entry of x, got \[0, 1\]"):
        fit(Autoencoder([0, 1, 2], 5, SHAPE), information_ae_terms, part(embedded(2, wide=5)), seeds=[0, 1], plan=PLAN)


# Rollouts.


def exact(growth=1.0):
    """A network without hidden layers whose code is its input, turned and scaled at each step."""
    model = Autoencoder([0], 2, {"hidden": [], "code": 2, "decoder": [], "activation": "tanh"}).double()
    with torch.no_grad():
        for layer in (model.mean_head, model.output):
            layer.weight.copy_(torch.eye(2)), layer.bias.zero_()
    c, s = growth * math.cos(0.3), growth * math.sin(0.3)
    box = torch.tensor([[[-1.0, -1.0], [1.0, 1.0]]]).double()
    return Settled(model, torch.tensor([[[c, s], [-s, c]]]).double(), box)


@pytest.mark.parametrize("mode", ["linear", "relift"])
def test_a_rollout_is_powers_of_the_operator_and_says_where_it_leaves(mode):
    settled, x0 = exact(1.2), torch.tensor([[[0.5, 0.0], [0.0, 0.01]]]).double()
    found = rollout(settled, x0, 20, mode=mode)
    torch.testing.assert_close(found.x[:, :, 20], x0 @ torch.linalg.matrix_power(settled.operator, 20))
    assert torch.equal(found.x[:, :, 0], x0) and found.x.shape == (1, 2, 21, 2) and found.mode == mode
    left = [t for t in range(21) if found.x[0, 0, t].abs().max() > 3]
    assert found.left_at.tolist() == [[left[0], -1]]
    assert settled.eigenvalues()[0].abs().tolist() == pytest.approx([1.2, 1.2])


def test_modes_differ_where_the_decoder_does_not_undo_the_encoder():
    settled, x0 = exact(), torch.tensor([[[0.5, 0.1]]]).double()
    with torch.no_grad():
        settled.model.output.weight.mul_(1.1)
    linear, relift = (rollout(settled, x0, 5, mode=mode).x[0, 0] for mode in ("linear", "relift"))
    torch.testing.assert_close(relift[1:], linear[1:] * 1.1 ** torch.arange(5)[:, None].double())


def test_a_rollout_that_overflows_holds_its_last_finite_snapshot_and_controls_push():
    found = rollout(exact(1e200), torch.ones(1, 1, 2).double(), 4, mode="linear")
    assert found.x.isfinite().all() and found.left_at.item() == 1
    settled = exact()
    pushed = settled._replace(operator=torch.cat([settled.operator, torch.tensor([[[1.0, -1.0]]]).double()], 1))
    acts = normal(1, 1, 2, 1, seed=0)
    x = rollout(pushed, torch.zeros(1, 1, 2).double(), 2, mode="linear", controls=acts).x[0, 0]
    push = pushed.operator[0, 2:]
    torch.testing.assert_close(x[2], (acts[0, 0, :1] @ push @ settled.operator[0] + acts[0, 0, 1:] @ push)[0])
