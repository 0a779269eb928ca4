"""A CLIP behind one interface: what it embeds, what it remembers, what it refuses."""

import math
import re

import numpy as np
import open_clip
import pytest
import torch
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image

from lib.concepts import bank as banks
from lib.concepts import clip, pictures, small
from lib.concepts import scenes as scene_embeddings
from lib.concepts.bank import bank, distinct, named_classes, scores
from lib.data.captions.attributes import draw
from lib.data.captions.scenes import scenes
from lib.data.captions.sentences import captions

TEXTS = [text for row in captions(draw(200, seed=0), seed=0).texts for text in row]
WORDS = small.Words(small.vocabulary(TEXTS))
IMAGES = scenes(20, seed=0).images


def made(seed=0, **options):
    return clip.Backbone(small.untrained(WORDS.size, seed=seed), WORDS, **options)


@pytest.fixture
def folder(tmp_path):
    clip.save(tmp_path / "weights", small.untrained(WORDS.size, seed=0), WORDS)
    return tmp_path / "weights"


def vit(**vision):
    """A small vision transformer with the words of the scenes."""
    vision = {"layers": 1, "width": 64, "head_width": 32, "patch_size": 8, "image_size": 32} | vision
    torch.manual_seed(0)
    model = open_clip.CLIP(64, vision, small.config(WORDS.size)["text_cfg"])
    open_clip.factory.set_model_preprocess_cfg(model, vars(small.LOOK))
    return clip.Backbone(model, WORDS)


def test_pairs_of_words_one_by_one_are_those_of_the_text():
    texts = [*(text for row in captions(draw(50, seed=4), seed=4).texts for text in row), "It's a  (crimson) ring, isn't it?!"]
    for text in texts:
        assert [pair for word in text.split() for pair in small.pairs(word)] == small.byte_pairs().encode(text)
    found = small.Words(small.vocabulary(texts))(texts[-1:], context_length=8)[0]
    assert found[0] == found.max() - 1 and found[-1] == found.max() and len(found) == 8, "a cut text keeps its end"


def test_reloaded_weights_give_the_same_embeddings(folder, tmp_path):
    first, back = made(), clip.load(folder)
    assert torch.equal(back.embed_images(IMAGES), first.embed_images(IMAGES))
    assert torch.equal(back.embed_texts(TEXTS[:9]), first.embed_texts(TEXTS[:9]))
    assert back.fingerprint == first.fingerprint != made(seed=1).fingerprint
    clip.save(tmp_path / "again", small.untrained(WORDS.size, seed=0), WORDS)
    assert all((tmp_path / "again" / path.name).read_bytes() == path.read_bytes() for path in folder.iterdir())


def test_open_clip_reads_the_same_folder(folder):
    theirs = open_clip.create_model(f"local-dir:{folder}", pretrained_image=False).eval()
    transform = image_transform_v2(PreprocessCfg(**theirs.visual.preprocess_cfg), is_train=False)
    shown = [Image.fromarray(image.permute(1, 2, 0).numpy()) for image in IMAGES]
    with torch.no_grad():
        want = theirs.encode_image(torch.stack([transform(image) for image in shown]), normalize=True)
        words = theirs.encode_text(WORDS(TEXTS[:5]), normalize=True)
    back = clip.load(folder)
    assert torch.allclose(back.embed_images(IMAGES), want, atol=1e-5)
    assert torch.allclose(back.embed_texts(TEXTS[:5]), words, atol=1e-6)


def test_embeddings_are_unit_rows_or_what_the_network_gives():
    backbone = made(batch=7)
    raw, unit = backbone.embed_images(IMAGES, unit=False), backbone.embed_images(IMAGES)
    assert unit.shape == (20, 64) and torch.allclose(unit.norm(dim=1), torch.ones(20))
    assert torch.allclose(raw / raw.norm(dim=1, keepdim=True), unit) and not torch.allclose(raw, unit, atol=0.01)
    assert torch.allclose(unit, made(batch=256).embed_images(IMAGES), atol=1e-5)
    assert torch.allclose(backbone.embed_texts(TEXTS[:9]).norm(dim=1), torch.ones(9))


def test_words_are_byte_pairs_renumbered_with_the_end_highest():
    for text in TEXTS[:40]:
        (row,) = WORDS(text)
        theirs = small.byte_pairs().encode(text)
        assert [WORDS.kept[i - small.FIRST] for i in row[1 : 1 + len(theirs)].tolist()] == theirs
        assert row.argmax() == len(theirs) + 1 and row.max() == WORDS.size - 1 and not row[len(theirs) + 2 :].any()
    assert WORDS("a zebra")[0, 2] == small.UNKNOWN
    assert WORDS(["red"] * 3).shape == (3, small.CONTEXT)


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


@pytest.mark.parametrize("backbone", [made, lambda: vit(pool_type="avg")], ids=["small", "transformer"])
def test_the_mean_over_places_is_the_embedding_where_the_network_averages(backbone):
    backbone = backbone()
    tokens = backbone.patch_tokens(IMAGES)
    assert tokens.shape == (20, 4, 4, 64)
    assert torch.allclose(tokens.mean((1, 2)), backbone.embed_images(IMAGES, unit=False), atol=1e-5)


def test_places_of_other_networks_are_heuristic_or_refused():
    assert vit().patch_tokens(IMAGES).shape == (20, 4, 4, 64)
    with pytest.raises(ValueError, match="the features of this ModifiedResNet reach the shared space by no linear map"):
        vit(layers=[1, 1, 1, 1], width=8, head_width=8).patch_tokens(IMAGES)


def test_texts_that_the_backbone_cannot_read_whole_are_refused():
    backbone = made()
    fits = " ".join(["red"] * (small.CONTEXT - 2))
    assert backbone.embed_texts([fits]).shape == (1, 64)
    with pytest.raises(ValueError, match=f"1 texts are longer than the {small.CONTEXT} tokens .* the first has 25: 'red red"):
        backbone.embed_texts(["red", f"{fits} red"])
    theirs = clip.Backbone(vit().model, open_clip.SimpleTokenizer(context_length=24))
    theirs.tokens([" ".join("!" * 22)])  # the pair that pads is a word as well
    with pytest.raises(ValueError, match="the first has 25"):
        theirs.tokens([" ".join("!" * 23)])
    for wrong, said in ((["red", " "], "' ' is no text"), ([], "at least one sentence"), ("red", "must be a list")):
        with pytest.raises(ValueError, match=said):
            backbone.embed_texts(wrong)


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


def test_a_bank_is_the_mean_of_its_sentences_and_comes_back(tmp_path):
    backbone = made()
    rows = backbone.embed_texts(["red circle", "a red disc", "blue"])
    found = bank(backbone, {"red circle": ["red circle", "a red disc"], "blue": ["blue"]})
    want = torch.nn.functional.normalize(torch.stack([rows[:2].mean(0), rows[2]]), dim=1)
    assert torch.allclose(found.vectors, want, atol=1e-6) and found.names == ["red circle", "blue"]
    raw = bank(backbone, ["blue"], normalisation="raw")
    assert torch.allclose(raw.vectors, backbone.embed_texts(["blue"], unit=False)) and raw.normalisation == "raw"
    banks.write(tmp_path / "bank.safetensors", found)
    back = banks.read(tmp_path / "bank.safetensors")
    assert torch.equal(back.vectors, found.vectors) and back._replace(vectors=0) == found._replace(vectors=0)
    x = backbone.embed_images(IMAGES)
    assert torch.allclose(scores(found, x, backbone=backbone.fingerprint), x @ want.T, atol=1e-6)


def test_a_bank_refuses_another_backbone_of_the_same_width():
    first, second = made(seed=0), made(seed=1)
    found = bank(first, ["red", "blue"])
    x = second.embed_images(IMAGES)
    assert x.shape[1] == found.vectors.shape[1]
    with pytest.raises(ValueError, match=f"the bank was made by backbone {first.fingerprint[:12]} and the embeddings by"):
        scores(found, x, backbone=second.fingerprint)
    with pytest.raises(ValueError, match="x has 5 columns and the bank 64"):
        scores(found, x[:, :5], backbone=first.fingerprint)


def test_concepts_that_are_none_or_twice_are_refused():
    for names, said in (
        ([], "at least one name"),
        (["red", " "], "' ' is no concept"),
        (["striped wings", "red", "Striped  wings"], "'Striped  wings' is given twice, first as 'striped wings'"),
    ):
        with pytest.raises(ValueError, match=said):
            distinct(names)
        with pytest.raises(ValueError, match=said):
            bank(made(), names)
    with pytest.raises(ValueError, match="the concept 'red' has no sentence"):
        bank(made(), {"red": []})
    with pytest.raises(ValueError, match="normalisation must be one of unit, raw, got 'l2'"):
        bank(made(), ["red"], normalisation="l2")


def test_concepts_that_hold_a_class_as_whole_words_are_flagged():
    names = ["cat", "a Cat's ear", "category", "many cats", "polar bear fur", "bear", "boxes", "concatenated"]
    assert named_classes(names, ["cat", "polar bear", "box"]) == {
        "cat": "cat", "a Cat's ear": "cat", "many cats": "cat", "polar bear fur": "polar bear", "boxes": "box",
    }  # fmt: skip
    assert bank(made(), ["red circle", "a circled square"], classes=["circle"]).flagged == {"red circle": "circle"}


def test_weights_that_are_unknown_or_cannot_be_had_say_so(monkeypatch):
    with pytest.raises(ValueError, match=r"unknown model of open_clip 'ViT-B-33'; known: .*ViT-B-32"):
        clip.pretrained("ViT-B-33", "openai")
    with pytest.raises(ValueError, match=r"unknown weights of ViT-B-32 'laion3b'; known: .*openai"):
        clip.pretrained("ViT-B-32", "laion3b")

    def no_network(*_, **__):
        raise OSError("no route to host")

    monkeypatch.setattr(open_clip.factory, "download_pretrained", no_network)
    with pytest.raises(
        ValueError, match=r"the weights 'laion2b_s34b_b79k' of ViT-B-32 cannot be had \(.*no route to host.*clip\.load"
    ):
        clip.pretrained("ViT-B-32", "laion2b_s34b_b79k")


def test_a_tag_leads_to_the_weights_and_tokenizer_of_open_clip(monkeypatch):
    asked, model = [], small.untrained(49408, seed=0)
    monkeypatch.setattr(open_clip, "create_model", lambda *names, **options: asked.append((names, options)) or model)
    found = clip.pretrained("RN50", "yfcc15m", batch=3)
    assert asked == [(("RN50",), {"pretrained": "yfcc15m", "weights_only": True})] and found.batch == 3
    with torch.no_grad():
        want = model.encode_text(open_clip.get_tokenizer("RN50")(["a photo of a cat"], context_length=24), normalize=True)
    assert torch.allclose(found.embed_texts(["a photo of a cat"]), want, atol=1e-6)


def test_folders_that_are_no_checkpoint_are_refused(folder):
    weights = folder / clip.WEIGHTS
    whole = weights.read_bytes()
    weights.write_bytes(whole[:1000])
    with pytest.raises(ValueError, match=rf"the weights in .* do not fit its {re.escape(clip.SHAPE)}"):
        clip.load(folder)
    clip.save(folder, small.untrained(WORDS.size + 1, seed=0), WORDS)
    with pytest.raises(ValueError, match=r"(?s)do not fit .*size mismatch"):
        clip.load(folder)
    weights.unlink()
    with pytest.raises(FileNotFoundError, match=r"open_clip_model\.safetensors does not exist; a checkpoint is"):
        clip.load(folder)


def test_nothing_of_torchs_random_state_is_touched():
    torch.manual_seed(5)
    want = torch.rand(3)
    torch.manual_seed(5)
    small.untrained(WORDS.size, seed=1)
    assert torch.equal(torch.rand(3), want)


def test_scenes_are_embedded_anew_by_a_clip_that_was_trained_anew_in_its_place(tmp_path):
    words = small.Words(small.vocabulary([*TEXTS, *scene_embeddings.EMPTY]))
    sizes, found = {"rho": 0.0, "n": 40, "valid": 10, "test": 10}, []
    for seed in (0, 0, 1):
        clip.save(tmp_path, small.untrained(words.size, seed=seed), words)
        found.append(scene_embeddings.embedded(3, folder=tmp_path, **sizes))
    first, again, other = found
    assert again is first, "the same weights embed once"
    images = scene_embeddings.drawn(3, **sizes)[2].images
    assert torch.equal(other.test.x, clip.load(tmp_path).embed_images(images).double())
    assert torch.equal(other.test.y, first.test.y) and (other.concepts.vectors - first.concepts.vectors).abs().max() > 0.01
