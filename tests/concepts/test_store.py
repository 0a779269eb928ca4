"""What was computed once is remembered by its content, and neither a crash nor a damaged file is taken for it."""

import math

import pytest
import torch

from lib.concepts import clip, small
from tests.concepts.clips import IMAGES, TEXTS, WORDS, made


class Counted(clip.Backbone):
    """A backbone that counts the rows it really embeds, and fails when told to."""

    rows, fail_at = 0, math.inf

    def cached(self, kind, x, compute):
        def counting(z):
            if self.rows >= self.fail_at:
                raise KeyboardInterrupt
            self.rows += len(z)
            return compute(z)

        return super().cached(kind, x, counting)


def counted(tmp_path, seed=0):
    return Counted(small.untrained(WORDS.size, seed=seed), WORDS, cache=tmp_path / "store", batch=8)


def test_what_is_embedded_once_is_remembered_by_its_content(tmp_path):
    first, want = counted(tmp_path), made(batch=8).embed_images(IMAGES)
    assert torch.equal(first.embed_images(IMAGES), want) and first.rows == 20
    again = counted(tmp_path)
    assert torch.equal(again.embed_images(IMAGES.clone()), want) and again.rows == 0
    assert (
        torch.equal(again.embed_images(IMAGES, unit=False), made(batch=8).embed_images(IMAGES, unit=False)) and again.rows == 0
    )
    again.embed_images(255 - IMAGES)
    again.patch_tokens(IMAGES)
    again.embed_texts(TEXTS[:4])
    assert again.rows == 44
    other = counted(tmp_path, seed=1)
    other.embed_images(IMAGES)
    assert other.rows == 20, "another backbone's embeddings were taken"
    assert not list((tmp_path / "store").glob("*.part"))


def test_a_stopped_run_goes_on_after_the_last_batch(tmp_path):
    stopped = counted(tmp_path)
    stopped.fail_at = 16
    with pytest.raises(KeyboardInterrupt):
        stopped.embed_images(IMAGES)
    resumed = counted(tmp_path)
    assert torch.equal(resumed.embed_images(IMAGES), made(batch=8).embed_images(IMAGES)) and resumed.rows == 4


def test_a_damaged_file_is_computed_anew(tmp_path):
    counted(tmp_path).embed_images(IMAGES)
    for path in (tmp_path / "store").iterdir():
        path.write_bytes(path.read_bytes()[:50])
    again = counted(tmp_path)
    assert torch.equal(again.embed_images(IMAGES), made(batch=8).embed_images(IMAGES)) and again.rows == 20
