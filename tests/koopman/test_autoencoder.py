"""The objective that shapes a code by information: gradients, weights and terms are their formulas."""

from functools import partial

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from lib.koopman.autoencoder import PUBLIC_CODE, Autoencoder, Recipe, information_ae_terms, information_vae_terms
from lib.koopman.entropy import ENTROPIES, portrait
from lib.koopman.information import INFORMATION
from lib.koopman.learner import fit
from lib.koopman.operators import pooled_ridge
from tests.koopman.samples import PLAN, SHAPE, embedded, part, task

ALL = Recipe(alpha=0.7, beta=0.5, gamma=0.3, scale=0.2, reach=1)
TERMS = {"ae": information_ae_terms, "vae": information_vae_terms}


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
