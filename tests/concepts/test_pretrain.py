"""Contrast in a batch and in groups: losses in closed form, batches that are what they say, weights that repeat."""

import math

import pytest
import torch

from lib.concepts import small, zero_shot
from lib.concepts.clip import Backbone
from lib.concepts.pretrain import Budget, batches, losses, parameter_groups, pretrain, rate
from lib.data.captions.attributes import COLUMN
from lib.data.captions.scenes import scenes
from lib.data.captions.sentences import captions

SCENES = scenes(400, seed=0)
TEXTS = [text for row in captions(SCENES.truth, seed=0).texts for text in row]
WORDS = small.Words(small.vocabulary(TEXTS))
GIVEN = (
    (SCENES.images.float() / 255 - 0.5) / 0.25,
    WORDS(TEXTS).view(400, 4, -1),
    SCENES.truth[:, [COLUMN["colour"], COLUMN["background"]]],
)
QUICK = Budget(steps=24, batch=32, group=8, warm_up=4)


def test_losses_of_orthogonal_rows_have_a_closed_form():
    """Pairs that match and are orthogonal to all others: -log(e^s / (e^s + n - 1)) with n rows to choose from."""
    u, s = torch.eye(12, dtype=torch.float64), torch.tensor(3.0, dtype=torch.float64)
    whole, inside = losses(u, u, s, 4)
    for got, n in ((whole, 12), (inside, 4)):
        assert got.item() == pytest.approx(math.log(math.exp(3) + n - 1) - 3, rel=1e-12)
    whole, inside = losses(u, u.roll(4, 0), s, 4)  # each caption is that of a row in another group
    assert whole.item() == pytest.approx(math.log(math.exp(3) + 11), rel=1e-12)
    assert inside.item() == pytest.approx(math.log(4), rel=1e-12)


def test_batches_are_whole_groups_and_use_each_row_once_a_round():
    groups, budget = torch.arange(120) % 3, Budget(steps=1, batch=20, group=5)
    stream = batches(groups, budget, torch.Generator().manual_seed(0))
    rounds = [torch.stack([next(stream) for _ in range(6)]) for _ in range(2)]
    for rows in rounds:
        assert torch.equal(rows.flatten().sort().values, torch.arange(120))
        of = groups[rows].view(6, 4, 5)
        assert (of == of[:, :, :1]).all() and any(len(batch.unique()) > 1 for batch in of)
    assert not torch.equal(*rounds)


def test_the_rate_rises_and_falls_as_a_cosine():
    budget = Budget(steps=150, warm_up=50, least=0.02)
    assert [rate(0, budget), rate(49, budget)] == pytest.approx([1 / 50, 1.0])
    assert [rate(50, budget), rate(100, budget), rate(150, budget)] == pytest.approx([1.0, 0.51, 0.02])


def test_tables_of_vectors_do_not_decay():
    model = small.untrained(WORDS.size, seed=0)
    shrink, keep = parameter_groups(model, 0.1)
    assert len(shrink["params"]) + len(keep["params"]) == len(list(model.parameters()))
    ids = {id(p) for p in keep["params"]}
    assert id(model.token_embedding.weight) in ids and id(model.logit_scale) in ids and id(model.text_projection) not in ids
    assert (shrink["weight_decay"], keep["weight_decay"]) == (0.1, 0.0)


def trained(seed=0, **changes):
    model = small.untrained(WORDS.size, seed=seed)
    return model, pretrain(model, *GIVEN, QUICK._replace(**changes), seed=seed)


def test_training_repeats_to_the_bit_and_learns():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    (first, history), (second, _), (other, _) = trained(), trained(), trained(seed=1, steps=1)
    torch.set_num_threads(threads)
    assert all(torch.equal(a, b) for a, b in zip(first.state_dict().values(), second.state_dict().values(), strict=True))
    assert not torch.equal(first.text_projection, other.text_projection)
    assert [row["step"] for row in history] == [10, 20, 24] and not first.training
    assert history[-1]["whole"] < math.log(32) - 0.1, "no better than guessing among 32"
    row = history[-1]
    assert row["loss"] == pytest.approx(0.65 * row["whole"] + 0.35 * row["inside"], rel=1e-5)
    backbone, new = Backbone(first, WORDS), scenes(300, seed=1)
    table = zero_shot.accuracy(
        backbone.embed_images(new.images), new.truth, zero_shot.banks(backbone), backbone=backbone.fingerprint
    ).set_index("attribute")
    assert table.accuracy["background"] > 0.4  # chance is 0.25, and 0.025 one standard error


def test_the_scale_stays_below_its_ceiling():
    model = small.untrained(WORDS.size, seed=0)
    model.logit_scale.data.fill_(9.0)
    history = pretrain(model, *GIVEN, QUICK._replace(steps=1), seed=0)
    assert history[-1]["scale"] == pytest.approx(100.0)


def test_budgets_and_rows_that_do_not_fit_are_refused():
    model = small.untrained(WORDS.size, seed=0)
    images, tokens, groups = GIVEN
    for budget, said in (
        (QUICK._replace(batch=30), "batch 30 is not made of whole groups of 8"),
        (QUICK._replace(steps=0), "steps must be a whole number >= 1, got 0"),
        (QUICK._replace(lr=0.0), "lr must be a positive finite number, got 0.0"),
        (QUICK._replace(grouped=1.5), r"grouped must be in \[0, 1\], got 1.5"),
        (QUICK._replace(batch=800), "the rows fill groups of .* rows in all, fewer than a batch of 800"),
    ):
        with pytest.raises(ValueError, match=said):
            pretrain(model, *GIVEN, budget, seed=0)
    with pytest.raises(ValueError, match=r"groups must have shape \(n, k\), got \(400,\); for one grouping pass"):
        pretrain(model, images, tokens, groups[:, 0], QUICK, seed=0)
    with pytest.raises(ValueError, match="images, tokens and groups must pair row by row, got 399, 400 and 400 rows"):
        pretrain(model, images[1:], tokens, groups, QUICK, seed=0)
