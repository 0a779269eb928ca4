"""What a training stage stores is what a later stage builds again."""

import pytest
import torch

from lib import train, trained
from lib.types import Rows, Split

SHAPE = {"hidden": [5], "code": 2, "decoder": [], "activation": "relu"}
METHODS = {"vib": {"betas": [0.0, 0.1]}, "wide": {"objective": "nib", "betas": [1.0], "deviation": 2.0}}
SIZES = {"seeds": [3, 8], "inputs": 4, "outputs": 1, "shape": SHAPE}


@pytest.fixture
def family():
    return {label: trained.build(label, settings, **SIZES) for label, settings in METHODS.items()}


@pytest.fixture
def split():
    g = torch.Generator().manual_seed(0)
    return Split(*(Rows(torch.randn(2, n, 4, generator=g), torch.randn(2, n, 1, generator=g)) for n in (30, 10, 20)))


def test_networks_come_back_with_their_weights_and_options(tmp_path, family, split):
    for method in family.values():
        with torch.no_grad():
            method.model.output.bias.normal_(generator=torch.Generator().manual_seed(1))
    trained.write(tmp_path, SIZES | {"methods": METHODS}, family)
    facts, again = trained.read(tmp_path)
    assert facts["seeds"] == [3, 8] and set(again) == {"vib", "wide"}
    for label, method in family.items():
        assert again[label].members == method.members
        assert again[label].terms.keywords == method.terms.keywords
        best = torch.zeros(len(method.members.seeds) * len(method.members.betas), dtype=torch.int64)
        assert trained.scores(again[label], split, best).equals(trained.scores(method, split, best))


def test_scores_name_each_member_in_the_order_of_its_weights(family, split):
    table = trained.scores(family["vib"], split, torch.tensor([4, 5, 6, 7]))
    assert table[["seed", "beta", "best_epoch"]].to_numpy().tolist() == [[3, 0, 4], [3, 0.1, 5], [8, 0, 6], [8, 0.1, 7]]
    alone = trained.build("vib", {"betas": [0.1]}, **SIZES | {"seeds": [8]})
    own = Rows(split.test.x[1:], split.test.y[1:])
    miss = train.score(alone.model, alone.terms, own, alone.members)
    assert table.test[3] == pytest.approx(miss.item(), rel=1e-5)


def test_a_run_without_snapshots_says_how_to_keep_them(tmp_path):
    with pytest.raises(FileNotFoundError, match="set `snapshots: true` in the run's plan"):
        trained.film(tmp_path)


def test_a_run_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="`make repro` writes it"):
        trained.read(tmp_path)
