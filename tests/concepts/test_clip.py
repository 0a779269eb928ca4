"""A CLIP behind one interface: what it embeds, where it comes from, what it refuses."""

import re

import open_clip
import pytest
import torch
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image

from lib.concepts import clip, small
from tests.concepts.clips import IMAGES, TEXTS, WORDS, made


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
