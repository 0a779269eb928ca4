"""Pictures of any kind come out alike, and those that cannot be read are named."""

import math

import numpy as np
import pytest
import torch
from PIL import Image

from lib.concepts import pictures
from tests.concepts.clips import IMAGES, made


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "I;16"])
def test_pictures_of_any_mode_and_size_are_one_grey(mode):
    """A grey of 51 / 255 stays that grey, whatever the mode that holds it; in black and white it is black."""
    grey = Image.new("L", (40, 64), 51)
    if mode == "I;16":
        image = Image.fromarray(np.full((64, 40), 51 * 257, np.uint16))
    else:
        image = grey.convert("1", dither=Image.Dither.NONE) if mode == "1" else grey.convert("RGB").convert(mode)
    assert image.mode == mode
    x = pictures.read([image, Image.new("RGB", (9, 5))], made().transform).x
    assert x.shape == (2, 3, 32, 32)
    value = 0.0 if mode == "1" else 0.2
    assert (x[0] * 0.25 + 0.5 - value).abs().max() < 0.01


def test_what_is_transparent_is_laid_on_white():
    clear = Image.new("RGBA", (32, 32), (255, 0, 0, 0))
    palette = Image.new("P", (32, 32), 0)
    palette.info["transparency"] = 0
    x = pictures.read([clear, palette, Image.new("RGB", (32, 32), "white")], made().transform).x
    assert torch.equal(x[0], x[2]) and torch.equal(x[1], x[2])


def test_bytes_fractions_arrays_files_and_images_are_embedded_alike(tmp_path):
    backbone = made()
    want = backbone.embed_images(IMAGES)
    arrays = [image.permute(1, 2, 0).numpy() for image in IMAGES]
    paths = [tmp_path / f"{i}.png" for i in range(20)]
    for path, array in zip(paths, arrays, strict=True):
        Image.fromarray(array).save(path)
    mixed = [*paths[:5], *map(str, paths[5:8]), *arrays[8:12], *map(Image.fromarray, arrays[12:16]), *IMAGES[16:]]
    for given in (IMAGES.float() / 255, arrays, mixed):
        assert torch.allclose(backbone.embed_images(given), want, atol=1e-5)
    assert backbone.embed_images(torch.zeros(2, 1, 50, 40)).shape == (2, 64)


def test_corrupt_pictures_are_named_and_skipped_on_request_only(tmp_path):
    for name in ("a.png", "d.png"):
        Image.fromarray(IMAGES[0].permute(1, 2, 0).numpy()).save(tmp_path / name)
    (tmp_path / "b.png").write_text("no picture")
    (tmp_path / "c.png").write_bytes((tmp_path / "a.png").read_bytes()[:200])
    paths = [tmp_path / f"{name}.png" for name in "abcde"]
    with pytest.raises(
        ValueError, match=r"3 of 5 pictures cannot be read: .*b\.png \(not an image\); .*c\.png \(.*e\.png .*skip"
    ):
        made().embed_images(paths)
    found = pictures.read(paths, made().transform, corrupt="skip")
    assert found.kept.tolist() == [0, 3] and found.x.shape[0] == 2 and len(found.corrupt) == 3
    with pytest.raises(ValueError, match="none of the 1 pictures can be read"):
        pictures.read(paths[1:2], made().transform, corrupt="skip")


def test_pictures_that_are_none_are_refused():
    for wrong, said in (
        (torch.zeros(2, 4, 32, 32), r"shape \(1 or 3, h, w\), got \(4, 32, 32\)"),
        (2 * torch.ones(1, 3, 8, 8), r"floating pixels must be in \[0, 1\], got 2 to 2"),
        (torch.full((1, 3, 8, 8), math.nan), r"must be in \[0, 1\], got nan"),
        ([np.zeros((4, 4), np.int64)], "pixels must be uint8 or floating, got int64"),
        ([np.zeros((4, 4, 2), np.uint8)], r"an array \(h, w\[, 3\]\) or a tensor \(c, h, w\), got \(4, 4, 2\)"),
        ([Image.new("F", (4, 4))], "mode F has no known range"),
        ([3], "got int"),
        ([], "there are no pictures"),
    ):
        with pytest.raises(ValueError, match=said):
            made().embed_images(wrong)
    with pytest.raises(ValueError, match="corrupt must be one of refuse, skip, got 'ignore'"):
        pictures.read(IMAGES, made().transform, corrupt="ignore")
