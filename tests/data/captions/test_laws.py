"""Laws of all captioned scenes: the seed alone decides, and what cannot be drawn is refused."""

import pytest
import torch

from lib.data.captions.attributes import COLUMN, attributes, draw
from lib.data.captions.clips import clips
from lib.data.captions.scenes import render, scenes
from lib.data.captions.sentences import captions


def test_the_same_seed_gives_the_same_bytes_and_another_gives_others():
    first, second, other = (scenes(300, rho=0.5, seed=seed) for seed in (7, 7, 8))
    assert all(a.numpy().tobytes() == b.numpy().tobytes() for a, b in zip(first, second, strict=True))
    assert not torch.equal(first.images, other.images)
    assert captions(first.truth, seed=7).texts == captions(second.truth, seed=7).texts


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(ValueError, match=r"rho must be in \[0, 1\], got 1.5"):
        draw(3, rho=1.5, seed=0)
    with pytest.raises(ValueError, match="part must be one of seen, held, all, got 'test'"):
        draw(3, part="test", seed=0)
    with pytest.raises(ValueError, match="n must be a whole number >= 1, got 0"):
        scenes(0, seed=0)
    with pytest.raises(ValueError, match="size must be a whole number >= 16, got 8"):
        scenes(1, size=8, seed=0)
    with pytest.raises(ValueError, match="frames must be a whole number >= 2, got 1"):
        clips(1, frames=1, seed=0)
    with pytest.raises(ValueError, match="seed must be a whole number >= 0, got -1"):
        scenes(1, seed=-1)
    good = draw(4, seed=0)
    with pytest.raises(ValueError, match=r"truth must be int64 of shape \(n, 7\), got \(4, 6\); `draw` gives such rows"):
        attributes(good[:, :6])
    with pytest.raises(ValueError, match=r"truth must be int64 .* got list"):
        captions(good.tolist(), seed=0)
    wrong = good.clone()
    wrong[0, 1] = 6
    with pytest.raises(ValueError, match="colour must be between 0 and 5, got 6; it counts red, green"):
        render(wrong, seed=0)
    nowhere = good.clone()
    nowhere[:, COLUMN["count"]], nowhere[:, COLUMN["place"]] = 0, -1
    with pytest.raises(ValueError, match="a scene of one object needs a place"):
        render(nowhere, seed=0)
