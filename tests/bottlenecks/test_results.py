"""What a training stage stores is what a later stage builds again."""

import pandas as pd
import pytest
import torch

from lib.bottlenecks import results
from lib.core.types import Rows, Split, Table
from lib.data import prepared
from lib.training import loop

SHAPE = {"hidden": [5], "code": 2, "decoder": [], "activation": "relu"}
METHODS = {"vib": {"betas": [0.0, 0.1]}, "wide": {"objective": "nib", "betas": [1.0], "deviation": 2.0}}
SIZES = {"seeds": [3, 8], "inputs": 4, "outputs": 1, "shape": SHAPE}


@pytest.fixture
def family():
    return {label: results.build(label, settings, **SIZES) for label, settings in METHODS.items()}


def outcome(method):
    weights = {name: w.numpy() for name, w in method.model.state_dict().items()}
    return results.Outcome(pd.DataFrame({"epoch": [1]}), pd.DataFrame({"test": [1.0]}), [1], weights, {})


@pytest.fixture
def split():
    g = torch.Generator().manual_seed(0)
    return Split(*(Rows(torch.randn(2, n, 4, generator=g), torch.randn(2, n, 1, generator=g)) for n in (30, 10, 20)))


def test_networks_come_back_with_their_weights_and_options(tmp_path, family, split):
    for method in family.values():
        with torch.no_grad():
            method.model.output.bias.normal_(generator=torch.Generator().manual_seed(1))
    results.write(tmp_path, SIZES | {"methods": METHODS}, {label: outcome(method) for label, method in family.items()})
    facts, again = results.read(tmp_path)
    assert facts["seeds"] == [3, 8] and set(again) == {"vib", "wide"}
    for label, method in family.items():
        assert again[label].members == method.members
        assert again[label].terms.keywords == method.terms.keywords
        best = torch.zeros(len(method.members.seeds) * len(method.members.betas), dtype=torch.int64)
        assert results.scores(again[label], split, best).equals(results.scores(method, split, best))


def test_scores_name_each_member_in_the_order_of_its_weights(family, split):
    table = results.scores(family["vib"], split, torch.tensor([4, 5, 6, 7]))
    assert table[["seed", "beta", "best_epoch"]].to_numpy().tolist() == [[3, 0, 4], [3, 0.1, 5], [8, 0, 6], [8, 0.1, 7]]
    alone = results.build("vib", {"betas": [0.1]}, **SIZES | {"seeds": [8]})
    own = Rows(split.test.x[1:], split.test.y[1:])
    miss = loop.score(alone.model, alone.terms, own, alone.members)
    assert table.test[3] == pytest.approx(miss.item(), rel=1e-5)


def test_a_run_without_snapshots_says_how_to_keep_them(tmp_path):
    with pytest.raises(FileNotFoundError, match="set `snapshots: true` in the run's plan"):
        results.film(tmp_path)


def test_a_run_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="`make repro` writes it"):
        results.read(tmp_path)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder, g = tmp_path_factory.mktemp("prepared"), torch.Generator().manual_seed(0)
    x = torch.randn(60, 4, generator=g)
    table = Table(x, x[:, :1] + 0.1 * torch.randn(60, 1, generator=g), list("abcd"), "y")
    prepared.write(folder, table, seeds=[3, 8], fractions=[0.6, 0.2, 0.2])
    return folder


FACTS = SIZES | {"methods": METHODS, "plan": {"epochs": 3, "batch": 16, "lr": 0.01}}


def test_workers_give_what_one_process_gives_byte_for_byte(place, tmp_path):
    for workers in (1, 2):
        (tmp_path / str(workers)).mkdir()
        checkpoints = str(tmp_path / "{label}.safetensors")
        done = results.fit_all(place, FACTS, accelerator="cpu", checkpoints=checkpoints, workers=workers)
        results.write(tmp_path / str(workers), FACTS, done)
    names = sorted(path.name for path in (tmp_path / "1").iterdir())
    assert names == ["history.parquet", "run.json", "scores.parquet", "weights.safetensors"]
    assert all((tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes() for name in names)
    assert done["vib"].history.method.eq("vib").all() and len(done["vib"].scores) == 4
    assert not list(tmp_path.glob("*.safetensors")), "a finished method leaves no checkpoint"


def test_a_divergence_in_a_worker_is_named_here(place, tmp_path):
    facts = FACTS | {"methods": {label: {"betas": [0.0, 1e38]} for label in ("vib", "nib")}}
    with pytest.raises(FloatingPointError, match=r"vib with beta=1e\+38, seed=3: the loss is not finite at epoch 1; lower lr"):
        results.fit_all(place, facts, accelerator="cpu", checkpoints=str(tmp_path / "{label}"), workers=2)


def test_all_settings_are_checked_before_anything_trains(place, tmp_path):
    facts = FACTS | {"methods": METHODS | {"nib": {"betas": [0.0], "deviaton": 1.0}}}
    with pytest.raises(ValueError, match="has no option deviaton"):
        results.fit_all(place, facts, accelerator="cpu", checkpoints=str(tmp_path / "{label}"), workers=1)
    assert not list(tmp_path.iterdir())


def test_weights_kept_over_time_are_stored_and_read(place, tmp_path):
    facts = FACTS | {"methods": {"plain": {"betas": [0.0]}}, "plan": FACTS["plan"] | {"snapshots": True, "select": "last"}}
    results.write(tmp_path, facts, results.fit_all(place, facts, accelerator="cpu", checkpoints=str(tmp_path / "{label}")))
    film, last = results.film(tmp_path), results.read(tmp_path)[1]["plain"].model.state_dict()
    assert results.read(tmp_path)[0]["epochs"] == {"plain": [1, 2, 3]}
    assert all(torch.equal(film[name][-1], last[name]) and len(film[name]) == 3 for name in last)
