"""Where the background misleads: edits take it alone, names are judged by what units tell, trials repeat."""

from functools import partial

import pandas as pd
import pytest
import torch

from lib.concepts import methods, posthoc
from lib.concepts import scenes as task
from lib.concepts.bottleneck import standardised
from lib.data.captions.attributes import ATTRIBUTES
from lib.data.embeddings import planted_embeddings
from lib.experiments.concept_scenes import edits
from lib.experiments.concept_scenes import table as concepts
from tests.experiments.concept_scenes.samples import LITTLE
from tests.samples import SIZES

DATA = planted_embeddings(240, seed=3)


def test_an_edit_takes_the_tied_background_and_nothing_else(source):
    data = source(3, rho=0.9)
    score = standardised(posthoc.projection(data.concepts), data.train.x)
    weights = torch.randn(12, 29, generator=torch.Generator().manual_seed(0)).double()
    model = methods.METHODS["PCBM words"](methods.case(data, 0))._replace(score=score, weights=weights)
    found = edits.edited(model, 0)
    for k, name in enumerate(task.CLASSES):
        own = edits.spurious(k)
        assert task.CONCEPTS[own] == ATTRIBUTES["background"][ATTRIBUTES["shape"].index(name.split()[1]) % 4]
        changed = {e: (one.weights[k] != weights[k]).nonzero().flatten().tolist() for e, one in found.items()}
        assert changed["none"] == [] and changed["prune"] == [own] and len(changed["other"]) == 1
        assert changed["other"][0] not in task.BACKGROUNDS
    assert torch.allclose(found["normalise"].weights.abs().sum(1), weights.abs().sum(1))


def test_names_are_judged_by_what_their_units_tell():
    model = posthoc.pcbm(DATA.train, DATA.valid, DATA.concepts)
    perfect = model._replace(score=lambda x: DATA.test_truth.double())
    names = list(DATA.concepts.names)
    rows = edits.named(perfect, names, torch.zeros(len(names)), DATA, 0)
    assert [row["tells"] for row in rows] == names and {row["area"] for row in rows} == {1.0}
    assert sorted(row["shuffled"] for row in rows) == sorted(names) and [row["shuffled"] for row in rows] != names


def test_objectives_alone_end_where_theory_says():
    rows = {row["kind"]: row for row in edits.alone(0)["alone"]}
    assert rows["gumbel_all"]["entropy"] > 0.95, "the coded objective is least at uniform rows, which Adam circles"
    assert rows["bernoulli"]["open"] == pytest.approx(0.05, abs=0.01)


def test_search_over_an_orthonormal_bank_is_zero_shot():
    assert edits.isotropic(DATA, 0) == 0


def test_a_trial_on_scenes_has_all_its_rows_and_repeats(source):
    tied, fair = partial(source, rho=0.95), partial(source, rho=0.0)
    more = partial(edits.misled, SIZES, 0.95, fair)
    made = concepts.measure([4], tied, more=more, budget=LITTLE, workers=1)
    assert set(made["methods"].method) == {*methods.METHODS, "end-to-end net"}
    made = {name: table.to_dict("records") for name, table in made.items()}
    assert len(made["edits"]) == 8 and {row["name"] for row in made["names"]} <= {*task.CONCEPTS, *task.EMPTY}
    knob = partial(edits.knob, {0.0: fair, 0.9: tied}, LITTLE, 4)
    made = pd.DataFrame(knob()["knob"]).set_index(["rho", "method"])
    assert list(made.index) == [(rho, name) for rho in (0.0, 0.9) for name in methods.METHODS]
    assert made.location_1.notna().groupby("method").all().sum() == len(methods.METHODS) - 2
    pd.testing.assert_frame_equal(made, pd.DataFrame(knob()["knob"]).set_index(["rho", "method"]))
    free = edits.untied(SIZES, methods.case(fair(4), 4, LITTLE), {})
    assert set(free) == {"shots", "isotropic", "methods"} and free["isotropic"] == [{"seed": 4, "differs": 0.0}]
    net = partial(edits.end_to_end, 4, rho=0.0, epochs=2, **SIZES)
    assert net() == net() and 0 <= net()["methods"][0]["accuracy"] <= 1
