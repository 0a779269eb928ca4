"""Signs of the entropy: swings as wide rows, variants in company, how linear a code moves and what it tells."""

import math

import pandas as pd
import pytest
import torch

from lib.experiments.information_koopman import ablation, entropy
from lib.experiments.information_koopman.ablation import Variant
from lib.experiments.information_koopman.entropy import Budget, Unit
from lib.koopman.autoencoder import Autoencoder
from lib.koopman.forecast import Settled
from lib.koopman.members import Trained, rollouts
from tests.experiments.samples import by_hand
from tests.samples import normal

SHORT = Budget(epochs=2, trajectories=8, batch=4)


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


def test_a_code_that_moves_linearly_has_no_latent_error():
    c, s = math.cos(0.3), math.sin(0.3)
    found = by_hand(torch.tensor([[c, s], [-s, c]]))
    made = rollouts(found, normal(1, 5, 2, seed=0), 4)
    assert entropy.unlike(found, made["linear"].x.float())[0] < 1e-12 and made["relift"].x.dtype == torch.float64
    still = by_hand(torch.zeros(2, 2))
    later = made["linear"].x[:, :, 1:].flatten(1, 2)
    want = later.square().sum() / (later - later.mean(1)).square().sum()
    assert entropy.unlike(still, made["linear"].x.float())[0] == pytest.approx(want.item(), rel=1e-5)
