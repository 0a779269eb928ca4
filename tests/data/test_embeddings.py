"""Planted embeddings are made of their concepts, and embeddings come back from a folder as they went."""

import pytest
import torch
from safetensors.torch import load_file, save_file

from lib.data.embeddings import planted_embeddings, read_embeddings, write_embeddings

DATA = planted_embeddings(240, seed=3)


def test_planted_embeddings_are_made_of_their_concepts():
    data = planted_embeddings(4000, seed=0, correlation=0.9)
    near = data.test.x @ data.concepts.vectors.T
    assert ((near > near.mean(0)) == data.test_truth.bool()).double().mean() > 0.9
    own = data.test_truth[torch.arange(4000), data.test.y]
    assert own.double().mean().item() == pytest.approx(0.9, abs=0.02)
    tied = [
        (t[:, -1] == y % 2).double().mean().item()
        for t, y in ((data.train_truth, data.train.y), (data.test_truth, data.test.y))
    ]
    assert tied == pytest.approx([0.95, 0.5], abs=0.03)
    again = planted_embeddings(4000, seed=0, correlation=0.9)
    assert torch.equal(data.train.x, again.train.x)
    with pytest.raises(ValueError, match="correlation must lie"):
        planted_embeddings(10, seed=0, correlation=1.5)


def parts():
    def part(rows, truth):
        return {"images": rows.x, "attributes": truth, "labels": rows.y}

    return {"train": part(DATA.train, DATA.train_truth), "test": part(DATA.test, DATA.test_truth)}


def test_a_folder_gives_back_what_was_written(tmp_path):
    texts = {"concepts": DATA.concepts, "classes": DATA.classes, "vocabulary": DATA.vocabulary}
    write_embeddings(tmp_path / "e", parts(), texts)
    found = read_embeddings(tmp_path / "e", valid=0.25, seed=1)
    assert len(found.train.y) == 180 and len(found.valid.y) == 60 and torch.equal(found.test.x, DATA.test.x)
    together = torch.cat([found.train.x, found.valid.x])
    assert torch.equal(together.sort(0).values, DATA.train.x.sort(0).values)
    row = int((DATA.train.x == found.train.x[5]).all(1).nonzero()[0])
    assert torch.equal(found.train_truth[5], DATA.train_truth[row]) and found.train.y[5] == DATA.train.y[row]
    assert found.concepts.names == list(DATA.concepts.names) and torch.equal(found.classes.vectors, DATA.classes.vectors)


def test_a_folder_is_checked(tmp_path):
    with pytest.raises(ValueError, match=r"lacks \['train.safetensors'"):
        read_embeddings(tmp_path)
    write_embeddings(tmp_path, parts(), {"concepts": DATA.concepts, "classes": DATA.classes, "vocabulary": DATA.vocabulary})
    with pytest.raises(ValueError, match="valid must lie"):
        read_embeddings(tmp_path, valid=1.0)
    short = load_file(tmp_path / "test.safetensors")
    save_file(short | {"attributes": short["attributes"][:, :3].contiguous()}, tmp_path / "test.safetensors")
    with pytest.raises(ValueError, match="attributes of test must have shape"):
        read_embeddings(tmp_path)
