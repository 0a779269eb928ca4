"""One interface to any CLIP: the small one of scenes, any that open_clip knows by its tag, or a folder of open_clip's layout.

Embeddings are stored by the hash of what went in and of the weights, so each is computed once; a run that was stopped goes on
after the last batch that was stored. Source: [radford2021learning], by [cherti2023reproducible].
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import open_clip
import torch
from open_clip.timm_model import TimmModel
from open_clip.transform import PreprocessCfg, image_transform_v2
from open_clip.transformer import VisionTransformer
from open_clip.utils import to_2tuple
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor, nn

from lib.concepts import pictures, small
from lib.concepts.store import digest, remembered
from lib.core import checks
from lib.core.progress import bar

WEIGHTS, SHAPE, VOCABULARY = "open_clip_model.safetensors", "open_clip_config.json", "vocabulary.json"


class Backbone:
    """A CLIP that embeds pictures and texts; `fingerprint` is the hash of its weights, transform and tokenizer."""

    def __init__(self, model: nn.Module, tokenizer: Callable, *, cache: Path | None = None, batch: int = 256) -> None:
        self.model, self.tokenizer, self.cache = model.eval().requires_grad_(False), tokenizer, cache
        self.batch = checks.counted(batch, "batch")
        look = PreprocessCfg(**model.visual.preprocess_cfg)
        self.look = replace(look, size=to_2tuple(look.size))
        self.transform = image_transform_v2(self.look, is_train=False)
        self.context = model.context_length
        self.fingerprint = fingerprint(model, self.look, tokenizer)

    def embed_images(self, images: Sequence[pictures.Item] | Tensor, *, unit: bool = True) -> Tensor:
        """Return (n, d) float32, rows of length 1 unless `unit` is false; see `pictures.read` for what an image may be."""
        x = torch.cat([self.cached("image", z, self.model.encode_image) for z in self.batches(images)])
        return nn.functional.normalize(x, dim=1) if unit else x

    def patch_tokens(self, images: Sequence[pictures.Item] | Tensor) -> Tensor:
        """Return what each part of a picture adds, in the space of embeddings, (n, h, w, d) float32.

        Where the network averages over places before a linear map, their mean is the embedding before it is made unit; where
        it attends or reads a class token, the same map is applied to tokens that it was not trained for.
        Errors: a network whose features do not go through one linear map.
        """
        return torch.cat([self.cached("patch", z, self.places) for z in self.batches(images)])

    def embed_texts(self, texts: Sequence[str], *, unit: bool = True) -> Tensor:
        """Return (m, d) float32, rows of length 1 unless `unit` is false. Errors: no texts, blank ones, too long ones."""
        tokens = self.tokens(texts)
        x = torch.cat([self.cached("text", z, self.model.encode_text) for z in bar(tokens.split(self.batch), "texts")])
        return nn.functional.normalize(x, dim=1) if unit else x

    def tokens(self, texts: Sequence[str]) -> Tensor:
        """Return the numbers (m, context) of each text, and refuse one of which the end would be cut off."""
        if isinstance(texts, str) or not len(texts):
            raise ValueError(f"texts must be a list of at least one sentence, got {texts!r}")
        if blank := [text for text in texts if not isinstance(text, str) or not text.strip()]:
            raise ValueError(f"{blank[0]!r} is no text; remove it")
        wide = self.tokenizer(list(texts), context_length=4 * self.context)
        filled = wide != self.tokenizer([""], context_length=4 * self.context)[0, -1]  # byte pair 0 pads, and is "!" as well
        length = (filled * torch.arange(1, wide.shape[1] + 1)).amax(1)
        if long := [(text, int(n)) for text, n in zip(texts, length, strict=True) if n > self.context]:
            raise ValueError(
                f"{len(long)} texts are longer than the {self.context} tokens that the backbone reads; the first has "
                f"{long[0][1]}: {long[0][0]!r}; shorten it"
            )
        return wide[:, : self.context].contiguous()

    def batches(self, images: Sequence[pictures.Item] | Tensor) -> Iterator[Tensor]:
        """Yield the images, transformed, one batch after another; a tensor that has the right size already is only scaled."""
        if not len(images):
            raise ValueError("there are no pictures; give at least one")
        starts = range(0, len(images), self.batch)
        for part in (images[start : start + self.batch] for start in bar(starts, "pictures")):
            yield self.scaled(part) if self.fits(part) else pictures.read(part, self.transform).x

    def fits(self, images: Sequence[pictures.Item] | Tensor) -> bool:
        """Say whether these are bytes of the size and channels that the network takes."""
        return isinstance(images, Tensor) and images.dtype == torch.uint8 and images.shape[1:] == (3, *self.look.size)

    def scaled(self, images: Tensor) -> Tensor:
        """Return bytes (n, 3, h, w) as the transform would, without its detour."""
        mean, std = (torch.tensor(z).view(3, 1, 1) for z in (self.look.mean, self.look.std))
        return (images.float() / 255 - mean) / std

    def cached(self, kind: str, x: Tensor, compute: Callable[[Tensor], Tensor]) -> Tensor:
        """Return compute(x) on the CPU in float32, from the store if there is one and it is there."""
        weight = next(self.model.parameters())

        @torch.no_grad()
        def computed() -> Tensor:
            given = x.to(weight.device, weight.dtype if x.is_floating_point() else None)
            given = given.contiguous(memory_format=torch.channels_last) if x.ndim == 4 else given
            return compute(given).float().cpu().contiguous()

        if self.cache is None:
            return computed()
        return remembered(self.cache / f"{kind}-{digest(self.fingerprint, str(tuple(x.shape)), x)}.safetensors", computed)

    def places(self, x: Tensor) -> Tensor:
        """Return the last features at every place, mapped into the space of embeddings."""
        visual, to_shared = self.model.visual, linear_map(self.model.visual)
        found = visual.forward_intermediates(x, indices=1, normalize_intermediates=True, output_fmt="NCHW")
        return to_shared(found["image_intermediates"][-1].movedim(1, 3))


def linear_map(visual: nn.Module) -> Callable[[Tensor], Tensor]:
    """Return the map from a network's features to the shared space, or say that there is no linear one."""
    if isinstance(visual, TimmModel) and list(dict(visual.head.named_children())) == ["drop", "proj"]:
        return visual.head
    if isinstance(visual, VisionTransformer) and visual.attn_pool is None and visual.proj is not None:
        return lambda z: z @ visual.proj
    raise ValueError(
        f"the features of this {type(visual).__name__} reach the shared space by no linear map, so places have no embedding; "
        "take a vision transformer, or a network that averages over places"
    )


def fingerprint(model: nn.Module, look: PreprocessCfg, tokenizer: Callable) -> str:
    """Return the hash of what an embedding depends on besides the picture or text."""
    words = getattr(tokenizer, "kept", type(tokenizer).__name__)
    facts = json.dumps([asdict(look), words, model.context_length], sort_keys=True)
    weights = [part for name, value in sorted(model.state_dict().items()) for part in (name, value)]
    return digest(facts, *weights)


def pretrained(tag: str, pretrained: str, **options: object) -> Backbone:
    """Return a model of open_clip by its names, such as ("ViT-B-32", "laion2b_s34b_b79k"); open_clip fetches the weights.

    options: of Backbone. Errors: a model or weights that open_clip does not know; weights that cannot be had.
    """
    checks.known(tag, dict.fromkeys(open_clip.list_models()), "model of open_clip")
    checks.known(pretrained, dict.fromkeys(open_clip.list_pretrained_tags_by_model(tag)), f"weights of {tag}")
    try:
        model = open_clip.create_model(tag, pretrained=pretrained, weights_only=True)
    except (RuntimeError, OSError) as error:
        raise ValueError(
            f"the weights {pretrained!r} of {tag} cannot be had ({error}); let open_clip fetch them once where there is a "
            f"network, or give a folder with {SHAPE} and {WEIGHTS} to clip.load"
        ) from error
    return Backbone(model, open_clip.get_tokenizer(tag), **options)


def load(folder: Path, **options: object) -> Backbone:
    """Return the model of a folder in open_clip's layout: its shape, and weights as safetensors; options: of Backbone.

    With a vocabulary beside them, the tokenizer is that of the small model. Errors: a file that is not there; weights that
    do not fit the shape.
    """
    folder = Path(folder)
    for name in (SHAPE, WEIGHTS):
        if not (folder / name).exists():
            raise FileNotFoundError(f"{folder / name} does not exist; a checkpoint is {SHAPE} and {WEIGHTS} in one folder")
    shape = json.loads((folder / SHAPE).read_text())
    try:
        with torch.random.fork_rng(devices=[]):
            model = open_clip.create_model(f"local-dir:{folder}", pretrained_image=False, pretrained_text=False)
    except (RuntimeError, SafetensorError) as error:
        raise ValueError(f"the weights in {folder} do not fit its {SHAPE}: {error}") from error
    if (folder / VOCABULARY).exists():
        tokenizer = small.Words(json.loads((folder / VOCABULARY).read_text()), shape["model_cfg"]["text_cfg"]["context_length"])
    else:
        tokenizer = open_clip.get_tokenizer(f"local-dir:{folder}")
    return Backbone(model.to(memory_format=torch.channels_last), tokenizer, **options)


def save(folder: Path, model: nn.Module, words: small.Words) -> None:
    """Store the small model in open_clip's layout, with its vocabulary; the same weights give the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    shape = {"model_cfg": small.config(words.size), "preprocess_cfg": asdict(small.LOOK)}
    (folder / SHAPE).write_text(json.dumps(shape, indent=2, sort_keys=True) + "\n")
    (folder / VOCABULARY).write_text(json.dumps(words.kept) + "\n")
    save_file({name: value.contiguous() for name, value in model.state_dict().items()}, folder / WEIGHTS)
