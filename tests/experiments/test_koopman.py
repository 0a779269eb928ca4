"""Contests between Koopman learners: what is cut, weighed, scored and read is what it says, and company changes no member."""

import math
from itertools import pairwise

import pandas as pd
import pytest
import torch

from lib.experiments import consistent_koopman, lusch_koopman
from lib.experiments.information_koopman import ablation, entropy, lorenz, theory
from lib.experiments.information_koopman.ablation import Variant
from lib.experiments.information_koopman.entropy import Budget, Unit
from lib.experiments.tables import together
from lib.koopman import members
from lib.koopman.autoencoder import PAPER, Autoencoder, Recipe
from lib.koopman.forecast import Settled
from lib.koopman.linear import Rollout
from lib.koopman.members import Trained, cut, errors, outcome, rollouts, weights
from tests.samples import normal

SHORT = Budget(epochs=2, trajectories=8, batch=4)


def test_windows_do_not_overlap_or_cross_a_seam():
    x = torch.arange(2 * 3 * 7).view(2, 3, 7, 1)
    found = cut(x, 3)
    assert found.shape == (2, 6, 3, 1) and torch.equal(found[1, 2:4, :, 0].flatten(), x[1, 1, :6, 0])


def test_weights_go_seed_by_seed_and_equal_ones_are_one_number():
    assert weights([0.0, 2.0], 2).tolist() == [0, 2, 0, 2] and weights([1.0, 1.0], 2) == 1.0


def doubled(item):
    return {"a": [{"item": item}], "b": [{"twice": 2 * item}] * item}


def test_tables_of_all_units_come_together_in_order():
    found = together(doubled, iter([1, 2]), workers=1)
    assert found["a"]["item"].tolist() == [1, 2] and found["b"]["twice"].tolist() == [2, 4, 4]


def test_errors_are_in_deviations_and_outcomes_are_named():
    truth = normal(4, 6, 3, seed=0)
    far = truth.clone()
    far[:, 5] += 1
    size = (truth - truth.mean((0, 1))).square().mean().sqrt().item()
    assert errors(far, truth, [1, 5]) == pytest.approx({"nrmse_1": 0.0, "nrmse_5": 1 / size})
    assert outcome(torch.tensor([-1, 4, 2])) == "left the range in 2 of 3" and outcome(torch.tensor([-1])) == "ok"


# Signs.


def test_swings_are_one_image_of_three_numbers():
    (x, states), other = entropy.swings([3, 4], 5, 6), entropy.swings([4], 5, 6)[0]
    assert torch.linalg.matrix_rank(x.flatten(0, 2).double(), rtol=1e-5) == 3 and torch.equal(x[1], other[0])
    seen = ablation.seen(states).flatten(0, 2)
    inner = x.flatten(0, 2).double() @ x.flatten(0, 2).double().T * 3 / 64
    torch.testing.assert_close(inner, seen @ seen.T, atol=1e-5, rtol=1e-5)


def test_a_variant_is_itself_in_company_and_under_its_own_name():
    company = Unit("signs", "dense", {"none": Variant(), "strong": Variant(2.0, 1.0, 5.0)})
    whole = pd.DataFrame(entropy.unit([3, 4], SHORT, company)["members"]).set_index(["seed", "variant", "mode"])
    alone = entropy.unit([4], SHORT, company._replace(variants={"strong": company.variants["strong"]}))
    for row in alone["members"]:
        same = whole.loc[4, "strong", row["mode"]]
        for name in ("effective_dimension", "nrmse_5", "latent_error", "read"):
            assert row[name] == pytest.approx(same[name], rel=1e-3)
        assert abs(row["effective_dimension"] / whole.loc[4, "none", row["mode"]].effective_dimension - 1) > 0.01
    assert {r["variant"] for r in alone["history"]} == {"strong"} and len(alone["spectra"]) == 16


def test_a_diverged_member_has_no_numbers_and_the_reason():
    model = Autoencoder([0, 1], 64, entropy.SHAPE)
    x, states = entropy.swings([3], 4, 16)
    box = torch.stack([x[0].amin((0, 1)), x[0].amax((0, 1))]).expand(2, -1, -1)
    settled = Settled(model, torch.eye(16).expand(2, -1, -1), box)
    names = [{"variant": v} for v in ("fine", "lost")]
    rows = entropy.scored(Trained(settled, [], ["ok", "diverged at epoch 2"]), names, (x, states), [3])
    lost = [row for row in rows if row["variant"] == "lost"]
    assert all(math.isnan(row["effective_dimension"]) and row["outcome"] == "diverged at epoch 2" for row in lost)
    assert all(row["effective_dimension"] >= 1 and "nrmse_5" in row for row in rows if row["variant"] == "fine")


def test_what_two_coordinates_tell_of_the_state():
    states = entropy.swings([0], 20, 16)[1][0]
    seen = ablation.seen(states)
    spread = (seen - seen.mean((0, 1))).square().sum((0, 1))
    kept = torch.stack([seen[..., 0], 10 * seen[..., 1], 0 * seen[..., 2]], -1)
    target = (seen - seen.mean((0, 1))).flatten(0, 1)
    part = target[:, :2]
    miss = target - part @ torch.linalg.lstsq(part, target).solution
    assert entropy.read(kept, states) == pytest.approx(1 - (miss.square().sum() / spread.sum()).item())
    other = normal(20, 16, 4, seed=1)
    assert entropy.read(other, states) < 0.05
    assert len({entropy.read(other, states) for _ in range(20)}) == 1, "what is stored repeats its bits"


def by_hand(operator, size=2):
    """A network that hands its input on, float32."""
    model = Autoencoder([0], size, {"hidden": [], "code": size, "decoder": [], "activation": "tanh"})
    with torch.no_grad():
        for layer in (model.mean_head, model.output):
            layer.weight.copy_(torch.eye(size)), layer.bias.zero_()
    return Trained(Settled(model, operator[None], torch.tensor([[[-1.0] * size, [1.0] * size]])), [], ["ok"])


def test_a_code_that_moves_linearly_has_no_latent_error():
    c, s = math.cos(0.3), math.sin(0.3)
    found = by_hand(torch.tensor([[c, s], [-s, c]]))
    made = rollouts(found, normal(1, 5, 2, seed=0), 4)
    assert entropy.unlike(found, made["linear"].x.float())[0] < 1e-12 and made["relift"].x.dtype == torch.float64
    still = by_hand(torch.zeros(2, 2))
    later = made["linear"].x[:, :, 1:].flatten(1, 2)
    want = later.square().sum() / (later - later.mean(1)).square().sum()
    assert entropy.unlike(still, made["linear"].x.float())[0] == pytest.approx(want.item(), rel=1e-5)


# Lorenz.


def test_recipes_of_one_program_keep_their_weights():
    merged = members.merged([Recipe(), PAPER], 2)
    assert merged.alpha.tolist() == [0, 2, 0, 2] and merged.identity == 1.0
    assert merged.information == PAPER.information and merged.temperature == PAPER.temperature


def test_a_forecast_is_judged_by_error_time_and_statistics():
    data = lorenz.sets([0], 0.1, lorenz.Budget(epochs=1, trajectories=4, starts=6, ahead=60))
    torch.testing.assert_close(data.train[0].mean((0, 1)), torch.zeros(3).double(), atol=1e-12, rtol=0)
    truth, stayed = data.test[0], torch.full((6,), -1)
    good = lorenz.judged(Rollout(truth, stayed, "linear"), truth, 0.1)
    assert good["nrmse_50"] == 0 and good["kl"] == 0 and good["valid_time"] == pytest.approx(60 * 0.1 * 0.9056)
    left = lorenz.judged(Rollout(truth, stayed.clone().index_fill_(0, torch.tensor([2]), 9), "relift"), truth, 0.1)
    assert math.isnan(left["kl"]) and left["outcome"] == "left the range in 1 of 6" and left["mode"] == "relift"
    zeros = torch.cat([truth[:, :1], torch.zeros_like(truth[:, 1:])], 1)
    flat = lorenz.judged(Rollout(zeros, stayed, "linear"), truth, 0.1)
    with pytest.raises(AssertionError, match="begins where the truth does"):
        lorenz.judged(Rollout(2 * truth, stayed, "linear"), truth, 0.1)
    assert flat["nrmse_20"] > 0.5 and flat["kl"] > 1 and flat["valid_time"] < 1


def test_methods_by_algebra_keep_their_order_on_fine_steps():
    budget = lorenz.Budget(epochs=1, trajectories=8, steps=60, starts=5, ahead=60, windows=15)
    for name in lorenz.LINEAR:
        rows = pd.DataFrame(lorenz.unit([0, 1], budget, (name, 0.01))["members"])
        assert len(rows) == 4 and (rows.method == name).all()
        found = rows.groupby("mode").nrmse_5.median()
        most = {"dmd": 0.5, "edmd_3": 0.05, "edmd_5": 1e-3, "kkr": 0.5}[name]
        assert found["linear"] < most and (name != "edmd_3" or found["relift"] < found["linear"] / 10)


@pytest.mark.parametrize("name", [*lorenz.NETWORKS, lorenz.CONSISTENT])
def test_networks_come_back_in_the_units_of_the_data(name):
    budget = lorenz.Budget(epochs=1, trajectories=4, starts=3, ahead=10)
    found = pd.DataFrame(lorenz.unit([0, 1], budget, (name, 0.01))["members"])
    methods = [name] if name == lorenz.CONSISTENT else list(lorenz.NETWORKS[name].recipes)
    assert sorted(set(found.method)) == sorted(methods) and len(found) == 4 * len(methods)
    assert found.nrmse_5.between(0.05, 3).all()


# One orbit, and two sets.


def test_windows_of_an_orbit_follow_each_other_and_tests_come_later():
    x, test, angle = consistent_koopman.orbit(0, consistent_koopman.Budget([1], [0.01], frames=40, ahead=20))
    assert x.shape == (32, 9, 64) and test.shape == (30, 21, 64) and angle == pytest.approx(0.20075, abs=1e-5)
    assert torch.equal(x[0, 1:], x[1, :8]) and torch.equal(test[0, 1:], test[1, :20]) and x.abs().max() <= 1
    plane = torch.linalg.svd(x[:, 0].double(), full_matrices=False)[2][:2]
    torch.testing.assert_close(test @ plane.T @ plane, test, atol=1e-5, rtol=0)


def test_an_exact_rotation_makes_no_error_and_has_the_angle():
    c, s = math.cos(0.2), math.sin(0.2)
    found = by_hand(torch.tensor([[c, s], [-s, c]]))
    truth = rollouts(found, normal(1, 3, 2, seed=0), 30)["linear"].x[0]
    tables = consistent_koopman.judged(found, [{"seed": 0}], [(truth, 0.21)])
    row = tables["members"][0]
    assert row["error"] < 1e-5 and row["angle_error"] == pytest.approx(0.01, abs=1e-6)
    assert row["radius"] == pytest.approx(1, abs=1e-6) and [r["step"] for r in tables["paths"]] == [1, 11, 21]
    lost = consistent_koopman.judged(found._replace(status=["diverged at epoch 1"]), [{"seed": 0}], [(truth, 0.21)])
    assert math.isnan(lost["members"][0]["error"]) and not lost["paths"]


def test_consistency_is_a_variant_of_each_seed():
    tables = consistent_koopman.unit(consistent_koopman.Budget([1, 1], [0.01, 0.001], frames=80, batch=16, ahead=20), [0, 1])
    found = pd.DataFrame(tables["members"]).pivot(index="seed", columns="variant", values="radius")
    assert list(found.columns) == sorted(consistent_koopman.VARIANTS) and (found["consistent"] != found["forward only"]).all()


def test_the_pendulum_has_gravity_one_and_the_manifold_its_rates():
    x = lusch_koopman.orbits("pendulum", 0, 4)
    energy = x[..., 1].square() / 2 - x[..., 0].cos()
    assert energy.std(1).max() < 1e-9 and energy.max() < 0.99
    slow = lusch_koopman.orbits("slow_manifold", 0, 3)
    torch.testing.assert_close(slow[:, 1, 0], slow[:, 0, 0] * math.exp(-0.05 * 0.02))


@pytest.mark.parametrize("name", lusch_koopman.SYSTEMS)
def test_losses_of_two_sets_fall_and_are_finite(name):
    budget = lusch_koopman.Budget(1, trajectories=32, batch=16, lr=3e-3)
    first, later = (
        pd.DataFrame(lusch_koopman.unit([0, 1], budget._replace(epochs=epochs), name)["members"]) for epochs in (1, 16)
    )
    assert (first.outcome == "ok").all() and (later.loss < 0.9 * first.loss).all()
    assert (later.published == lusch_koopman.SYSTEMS[name].published).all()


# Theory.


def test_every_statement_is_met_and_would_be_missed():
    found = theory.residuals(7)
    assert max(map(abs, found.values())) < 1e-9
    gains = torch.tensor([5.0, 1.0]).double()
    assert theory.slack(gains, torch.tensor([0.5, 0.5]).double()) > 0.1
    assert theory.slope_spread(gains, torch.tensor([0.5, 0.5]).double(), 0.1) > 0.1
    assert theory.slack(gains, theory.water_filling(gains, budget=0.9)) == pytest.approx(0.1)


def test_entropy_moves_variance_to_weak_modes():
    rows = pd.DataFrame(theory.shares(torch.tensor([100.0, 1.0, 0.01]), 1.0, [0.1, 1.0]))
    first = rows.groupby("allocation", sort=False)[["nats", "dimension"]].first()
    assert first.dimension.tolist() == pytest.approx([1.032, 1.587, 2.779], abs=1e-3)
    assert all(a > b for a, b in pairwise(first.nats))


def test_averaging_shrinks_a_rotation():
    found = theory.bias(0)
    assert found["averaged_error"] == pytest.approx(0.76, abs=0.02) and found["averaged_radius"] < 0.6
    assert found["pooled_error"] < 1e-3 and found["pooled_radius"] == pytest.approx(0.9999, abs=2e-4)
