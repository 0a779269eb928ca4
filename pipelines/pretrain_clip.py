"""make clip: train the small CLIPs of the smoke and the embedded scale anew, and store them with the data that ship.

python -m pipelines.pretrain_clip [SCALE ...]

They lie in data/raw/clip, pinned by data.dvc and kept in .dvc/store like all data. It takes six minutes of one core.
"""

import argparse
import sys
from pathlib import Path

import torch

from lib.concepts import shipped
from lib.core.processes import die_with_parent
from lib.data.captions.scenes import scenes
from lib.data.captions.sentences import captions
from lib.workbook import runs
from pipelines.runner import outcome, tracked
from pipelines.runner.working import alone
from pipelines.setup.export_data import CARD

FOLDER, SCALES = Path("data/raw/clip"), ("smoke", "embedded")


def train(scale: str) -> None:
    """Train the network of one scale by its parameters and store it."""
    given = runs.parameters(Path.cwd(), scale)["runs"]["small_clip"]["parameters"]
    drawn, seed = given["scenes_drawn"], given["seed"]
    seen = scenes(drawn["n"], rho=drawn["rho"], seed=seed)
    said = captions(seen.truth, each=drawn["captions"], seed=seed)
    chosen = shipped.settings(drawn, given["budget"], seed)
    shipped.store(FOLDER / f"{scale}.safetensors", shipped.train(seen, said, chosen), chosen)


def card() -> str:
    """Return the data card of the weights that lie in the folder."""
    facts = {path.stem: shipped.told(path) for path in sorted(FOLDER.glob("*.json"))}
    size = [
        f"`{name}`: {f['settings']['scenes']['n']} scenes, {f['settings']['budget']['steps']} steps"
        for name, f in facts.items()
    ]
    hashes = [f"`{name}.safetensors` {f['sha256']}" for name, f in facts.items()]
    return CARD.format(
        title="Weights of the small CLIPs",
        about="What notebooks/clip.ipynb would train at the scales smoke and embedded: open_clip's model with 64 dimensions, "
        "trained by this project on scenes that it draws itself, and on nothing else. They ship since training on another "
        "processor gives other weights, and figures that differ; `make clip` trains them anew.",
        size=f"{'; '.join(size)}; 379 thousand weights each; sha256: {', '.join(hashes)}",
        source="trained here, by lib.concepts.shipped.train; beside each are its settings and the history of its training",
        licence="MIT as this repository",
        cite="radford2021learning, cherti2023reproducible",
        missing="none",
        mind="One seed each. The network of the smoke scale has seen twenty batches and can tell next to nothing.",
    )


def main(argv: list[str] | None = None) -> int:
    """Train, write the card, pin and push."""
    die_with_parent()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scales", nargs="*", default=SCALES, choices=(*SCALES, []), metavar="SCALE")
    args = parser.parse_args(argv)
    tracked.pull()
    torch.set_num_threads(1)  # with one thread the weights repeat to the bit on one machine
    with alone(Path("build/clip.lock"), "make clip"):
        for scale in args.scales:
            train(scale)
        (FOLDER / "card.md").write_text(card())
        tracked.dvc("add", "data/raw")
        tracked.dvc("push", "data.dvc")
    return 0


if __name__ == "__main__":
    sys.exit(outcome.main_of(main, "make clip"))
