"""The small CLIPs whose weights ship with the repository, so that every processor asks the same network.

A folder holds NAME.safetensors and, beside it, NAME.json: the settings that it was trained by, its vocabulary, its sha256 and
the history of its training. Trained anew on another processor, the same settings give other weights.
"""

import hashlib
import json
from pathlib import Path
from typing import NamedTuple

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import nn

from lib.concepts import clip, small
from lib.concepts.pretrain import Budget, pretrain
from lib.data.captions.attributes import COLUMN
from lib.data.captions.scenes import Scenes
from lib.data.captions.sentences import Captions
from lib.data.embedded import present

FACTS = ("settings", "vocabulary", "sha256", "history")
AGAIN = "`dvc pull data.dvc` brings the weights that ship, `make clip` trains them anew"


class Trained(NamedTuple):
    """A small CLIP after its training."""

    model: nn.Module
    words: small.Words
    history: list[dict[str, float]]  # rows of `pretrain`
    source: str  # where the weights come from


def settings(scenes_drawn: dict, budget: dict, seed: int) -> dict:
    """Return what decides the weights on one processor, as it is written down: every field of the budget, named or not."""
    return {"scenes": scenes_drawn, "budget": Budget(**budget)._asdict(), "seed": seed}


def words_of(said: Captions) -> small.Words:
    """Return the tokenizer of the captions' own words."""
    return small.Words(small.vocabulary(sentence for row in said.texts for sentence in row))


def train(seen: Scenes, said: Captions, given: dict) -> Trained:
    """Train a small CLIP on scenes and captions; groups share a colour or, at every other step, a background.

    given: as `settings` returns it.
    """
    words, seed = words_of(said), given["seed"]
    tokens = words([sentence for row in said.texts for sentence in row]).view(len(said.texts), -1, small.CONTEXT)
    groups = seen.truth[:, [COLUMN["colour"], COLUMN["background"]]]
    model = small.untrained(words.size, seed=seed)
    pictures = clip.Backbone(small.untrained(words.size, seed=seed), words).scaled(seen.images)
    history = pretrain(model, pictures, tokens, groups, Budget(**given["budget"]), seed=seed)
    return Trained(model, words, history, "trained just now")


def store(path: Path, trained: Trained, given: dict) -> None:
    """Write a network's weights to path, NAME.safetensors, and what is known of them to NAME.json."""
    content = save({name: value.contiguous() for name, value in trained.model.state_dict().items()})
    facts = (given, trained.words.kept, hashlib.sha256(content).hexdigest(), trained.history)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    told = json.dumps(dict(zip(FACTS, facts, strict=True)), indent=2, sort_keys=True, allow_nan=False)
    path.with_suffix(".json").write_text(told + "\n")


def find(folder: Path, said: Captions, given: dict) -> Trained | None:
    """Return the network of the folder that was trained by these settings, or None where there is none.

    Errors: a folder without weights; weights that are missing, damaged or of another shape; a vocabulary that is not that of
    the captions; a file beside the weights that does not tell of them.
    """
    for path in sorted(present(Path(folder)).glob("*.json")):
        facts = told(path)
        if facts["settings"] == json.loads(json.dumps(given)):
            return opened(path.with_suffix(".safetensors"), facts, words_of(said))
    return None


def told(path: Path) -> dict:
    """Return what a file beside weights tells of them."""
    try:
        facts = json.loads(path.read_text())
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not valid JSON: {error}; {AGAIN}") from None
    if not isinstance(facts, dict) or set(facts) != set(FACTS):
        raise ValueError(f"{path} must tell {', '.join(FACTS)}, it holds {sorted(facts)}; {AGAIN}")
    return facts


def opened(path: Path, facts: dict, words: small.Words) -> Trained:
    """Return the network whose weights lie at path, after its hash, its words and its shape were checked."""
    if words.kept != facts["vocabulary"]:
        raise ValueError(f"{path} was trained on other words than those of the captions drawn now; {AGAIN}")
    content = present(path).read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != facts["sha256"]:
        raise ValueError(f"{path} has the sha256 {found}, and not {facts['sha256']} as it was trained; {AGAIN}")
    model = small.untrained(words.size, seed=0)
    try:
        model.load_state_dict(load(content))
    except (RuntimeError, SafetensorError) as error:
        raise ValueError(
            f"the weights in {path} are not those of this network: {' '.join(str(error).split())}; {AGAIN}"
        ) from None
    return Trained(model.eval(), words, facts["history"], f"{path.name} of this repository, sha256 {found}")
