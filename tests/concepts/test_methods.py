"""The methods that are compared: what they share is learnt once, and a class is given its own concepts."""

import torch

from lib.concepts import methods, posthoc, sparse
from lib.concepts.bottleneck import accuracy
from lib.data.embeddings import planted_embeddings
from lib.experiments.concept_scenes import table as concepts

DATA = planted_embeddings(240, seed=3)


def test_what_methods_share_is_learnt_once_and_is_what_each_would_learn_alone():
    own = methods.case(DATA, 5)
    assert own.path("words") is own.path("words") and own.dictionary() is own.dictionary()
    bank = methods.BANKS["directions"](DATA, 5)
    alone = posthoc.pcbm(DATA.train, DATA.valid, bank, count=own.budget.path)
    assert torch.equal(methods.METHODS["PCBM directions"](own).weights, alone.weights)
    alone = sparse.sparse_cbm(DATA.train, DATA.concepts, kind="bernoulli", epochs=own.budget.sparse, seed=5)
    torch.testing.assert_close(methods.METHODS["SparseCBM bernoulli"](own).weights, alone.weights)
    whole = concepts.shots(own, {"LaBo": methods.METHODS["zero-shot"](own)})["shots"]
    given = [row["accuracy"] for row in whole if row["method"] == "LaBo" and not row["shots"]]
    assert given == [accuracy(methods.METHODS["zero-shot"](own), *DATA.test)], "a fitted model is fitted again"


def test_a_choice_takes_the_concepts_of_a_class():
    owners = methods.chosen(DATA, k=1, alpha=1.0, beta=0.0)
    assert owners == {k: [k] for k in range(6)}
