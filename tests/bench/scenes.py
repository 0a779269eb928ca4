"""Captioned scenes against a rate that was set, and embeddings against open_clip's own path and against the store."""

import tempfile
import time
from pathlib import Path

import open_clip
import torch
from PIL import Image
from torch import Tensor

from lib.concepts import clip, small
from lib.data.captions.scenes import scenes
from lib.data.captions.sentences import captions
from tests.bench.harness import compare, row

MANY, RATE = 4000, 2000  # scenes; a second


def wall_seconds(repeats: int = 3) -> float:
    """Return the least time by the clock that many scenes take, with their labels."""
    taken = []
    for seed in range(repeats):
        begin = time.perf_counter()
        scenes(MANY, seed=seed)
        taken.append(time.perf_counter() - begin)
    return min(taken)


def theirs(model: torch.nn.Module, pictures: list[Image.Image]) -> Tensor:
    """Return embeddings as open_clip's users make them: a transform for each picture, then the model."""
    transform = clip.Backbone(model, small.Words([])).transform
    with torch.no_grad():
        return model.encode_image(torch.stack([transform(picture) for picture in pictures]), normalize=True)


def growth() -> list[dict]:
    """Return nothing: cost grows with the number of pictures."""
    return []


def rows() -> list[dict]:
    """Compare with two thousand scenes a second, with pictures embedded one transform after another, and with the store."""
    drawn = scenes(512, seed=0)
    words = small.Words(small.vocabulary(text for texts in captions(drawn.truth, seed=0).texts for text in texts))
    model = small.untrained(words.size, seed=0)
    pictures = [Image.fromarray(image.permute(1, 2, 0).numpy()) for image in drawn.images]
    backbone = clip.Backbone(model, words, batch=256)
    with tempfile.TemporaryDirectory() as folder:
        stored = clip.Backbone(model, words, batch=256, cache=Path(folder))
        stored.embed_images(drawn.images)
        size = "512 scenes, the small CLIP"
        rate = MANY / wall_seconds()
        return [
            row("scenes", f"{MANY} scenes of 32 pixels with labels", f"{RATE} a second by the clock", 1.0, rate / RATE),
            compare(
                "clip-images", size, f"open_clip {open_clip.__version__}: its transform, its model", 1.0,
                lambda: backbone.embed_images(drawn.images), lambda: theirs(model, pictures), tolerance=1e-4,
            ),
            compare(
                "clip-store", size, "the same, not stored before", 10.0,
                lambda: stored.embed_images(drawn.images), lambda: backbone.embed_images(drawn.images), tolerance=1e-6,
            ),
        ]  # fmt: skip
