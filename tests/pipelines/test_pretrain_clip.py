"""The weights that ship are those that the parameters of their scale train, and their card says so."""

import subprocess
import sys

import pytest

from lib.concepts import shipped
from lib.data.captions.scenes import scenes
from lib.data.captions.sentences import captions
from lib.workbook import runs
from pipelines import pretrain_clip


@pytest.fixture(scope="module")
def raw():
    """The weights that ship, as `make repro` pulls them."""
    if not (place := runs.at("data/raw/clip")).exists():
        subprocess.run([sys.executable, "-m", "pipelines.runner.tracked"], cwd=runs.ROOT, check=True)
    return place


@pytest.mark.parametrize("scale", ["smoke", "embedded"])
def test_the_settings_of_both_scales_have_weights(raw, scale):
    given = runs.parameters(scale=scale)["runs"]["small_clip"]["parameters"]
    wanted = shipped.settings(given["scenes_drawn"], given["budget"], given["seed"])
    facts = shipped.told(raw / f"{scale}.json")
    assert facts["settings"] == wanted and facts["history"][-1]["step"] == given["budget"]["steps"]
    assert facts["sha256"] in (raw / "card.md").read_text()


def test_the_shipped_weights_are_what_the_code_trains(raw):
    """Training rounds otherwise on another processor: weights that were drawn with deviation 0.02 and more agree to 0.001."""
    given = runs.parameters(scale="smoke")["runs"]["small_clip"]["parameters"]
    drawn, seed = given["scenes_drawn"], given["seed"]
    seen = scenes(drawn["n"], rho=drawn["rho"], seed=seed)
    said = captions(seen.truth, each=drawn["captions"], seed=seed)
    wanted = shipped.settings(drawn, given["budget"], seed)
    made, found = shipped.train(seen, said, wanted), shipped.find(raw, said, wanted)
    theirs = found.model.state_dict()
    apart = max((value - theirs[name]).abs().double().median().item() for name, value in made.model.state_dict().items())
    assert apart < 1e-3, apart
    assert [row["whole"] for row in found.history] == pytest.approx([row["whole"] for row in made.history], rel=0.01)


def test_the_card_that_ships_tells_of_the_weights_that_ship(raw, monkeypatch):
    monkeypatch.chdir(runs.ROOT)
    assert pretrain_clip.card() == (raw / "card.md").read_text()
    assert {path.stem for path in raw.glob("*.safetensors")} == set(pretrain_clip.SCALES)
