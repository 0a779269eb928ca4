"""A replay says the same of what is the same, and names the stage or the claim that moved, and why."""

import copy
import json
import subprocess

import nbformat
import pytest

from lib.workbook import runs
from pipelines import replay
from tests.toy import LEDGER, STAGES, Toy

pytestmark = pytest.mark.programs

CLAIM = {"measured": 0.5, "spread": 0.1, "rule": "gap > 0", "verdict": "holds"}
STAGE = {"cmd": "run", "params": {"params.yaml": {"seeds": [0]}}, "deps": {"lib": "a"}, "outs": {"runs/a": "b"}}
LATER = {"cmd": "run", "params": {}, "deps": {"runs/a": "b"}, "outs": {"reports": "c"}}
STATE = {"machine": {"torch": "2.1"}, "stages": {"train": STAGE, "study": LATER}, "claims": {"gap": CLAIM}}
SEEDED = 'import torch\ntorch.manual_seed(seeds[0])\nwide = torch.backends.cpu.get_cpu_capability() != "DEFAULT"\n'
JUDGED = f"""{LEDGER}
row |= {{"id": "drawn", "measured": 0.5 + 0.01 * wide, "spread": 0.1, "rule": rule}}
runs.write_json(runs.folder("reports") / "claims.json", [row])
runs.write_json(folder / "drawn.json", [torch.rand(()).item(), bool(wide)])
"""


@pytest.fixture
def now():
    return copy.deepcopy(STATE)


def test_what_is_the_same_is_said_to_be(now):
    assert replay.told(STATE, now) == (
        ["outputs: 2 of 2 with the same bytes", "claims: 1 of 1 the same to the last digit"],
        True,
    )


@pytest.mark.parametrize(
    ("change", "good", "said"),
    [
        ({"verdict": "fails"}, False, "claim gap: its verdict was 'holds', now 'fails'"),
        ({"rule": "gap > 1"}, False, "claim gap: its rule was 'gap > 0', now 'gap > 1'"),
        ({"measured": 0.55}, True, "same verdict, within the spread: was 0.5, now 0.55"),
        ({"measured": 0.7}, True, "same verdict, OUTSIDE the spread: was 0.5, now 0.7"),
        ({"measured": 0.5001}, True, "same verdict, the same as printed: was 0.5, now 0.5001; recorded spread 0.1"),
        ({"measured": None}, True, "same verdict, OUTSIDE the spread"),
    ],
)
def test_a_claim_that_moved_is_named(now, change, good, said):
    now["claims"]["gap"] |= change
    lines, fine = replay.told(STATE, now)
    assert fine == good and any(said in line for line in lines) and "claims: 0 of 1 the same to the last digit" in lines


@pytest.mark.parametrize(
    ("old", "new", "spread", "said"),
    [
        (0.168434, 0.168439, None, "the same as printed"),
        (0.168434, 0.168434 + 1e-4, None, "the same as printed"),
        (0.168434, 0.168434 + 2e-4, None, "ANOTHER value, of which no spread is recorded"),
        (0.168434, 0.168439, 1e-6, "the same as printed"),
        (9.9996, 10.0004, None, "the same as printed"),
        (-0.3, 0.3, None, "ANOTHER value, of which no spread is recorded"),
        (0.0, 1e-6, None, "the same as printed"),
        (0.0, 3e-6, None, "ANOTHER value, of which no spread is recorded"),
        (12.0, 13.0, 2.0, "within the spread"),
        (12.0, 15.0, 2.0, "OUTSIDE the spread"),
        (1.2e-5, 1.2e-4, 1e-6, "OUTSIDE the spread"),
    ],
)
def test_values_are_compared_by_the_digits_that_are_printed(old, new, spread, said):
    assert replay.nearness(old, new, spread) == replay.nearness(new, old, spread) == said


def test_the_first_stage_that_differs_is_named_and_none_that_follows(now):
    now["stages"]["train"]["outs"]["runs/a"] = now["stages"]["study"]["deps"]["runs/a"] = "other"
    now["stages"]["study"]["outs"]["reports"] = "other"
    assert replay.diverged(STATE["stages"], now["stages"]) == {"train": "with the same inputs, parameters and command"}
    now["stages"]["train"] |= {"deps": {"lib": "z"}, "params": {}}
    assert replay.diverged(STATE["stages"], now["stages"]) == {"train": "lib changed; its parameters changed"}
    now["machine"]["torch"] = "2.2"
    assert "the machines differ: torch was 2.1, here 2.2" in replay.told(STATE, now)[0]


@pytest.fixture(scope="module")
def accepted(tmp_path_factory):
    """A toy workbook in git after its first run, which replays are compared with."""
    toy = Toy(tmp_path_factory.mktemp("toy"))
    toy.environment.pop("PYTHONPATH", None)
    toy.change(
        "pipelines/runner/warm.py",
        "LIBRARIES = (",
        'LIBRARIES = ("ipykernel.kernelapp", "ipykernel.debugger", "numpy", "torch") or (',
    )
    book = nbformat.read(toy.root / "notebooks/toy.ipynb", 4)
    book.cells[0].source += '\nrule = "drawn > 0"'
    book.cells[1].source = SEEDED + book.cells[1].source + JUDGED
    nbformat.write(book, toy.root / "notebooks/toy.ipynb")
    (toy.root / "dvc.yaml").write_text(STAGES)
    toy.describe()
    (toy.root / ".gitignore").write_text("/runs/\n/build/\n/reports/*\n!/reports/reference.json\n__pycache__/\n")
    git(toy, "init", "--quiet")
    assert toy.python("-m", "dvc", "init", "--quiet").returncode == 0
    done = toy.python("-m", "dvc", "repro")
    assert done.returncode == 0, done.stderr
    assert toy.python("-m", "pipelines.accept", "--here").returncode == 0
    commit(toy)
    return toy


def git(toy, *arguments):
    subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *arguments], cwd=toy.root, check=True)


def commit(toy):
    git(toy, "add", "-A"), git(toy, "commit", "--quiet", "--allow-empty", "--message", "x")


def replayed(toy):
    commit(toy)
    done = toy.python("-m", "pipelines.replay")
    return done.returncode, done.stdout[done.stdout.rindex("outputs: ") :].splitlines() if "outputs: " in done.stdout else done


@pytest.fixture(scope="module")
def untouched(accepted):
    """What the replay of an untouched clone says, and what it compared."""
    said = replayed(accepted)
    state = accepted.python("-c", "import json; from pipelines import replay; print(json.dumps(replay.state(replay.COPY)))")
    return said, json.loads(state.stdout)


def test_an_untouched_clone_says_all_the_same(untouched):
    assert untouched[0] == (0, ["outputs: 5 of 5 with the same bytes", "claims: 1 of 1 the same to the last digit"])


def test_another_version_is_named_with_the_stage(accepted, untouched):
    before = runs.read_json(accepted.root / "reports/reference.json")["embedded"]
    before["machine"]["torch"] = "2.0.0"
    before["stages"]["train@b"]["outs"]["runs/b"] = "of another version"
    lines, good = replay.told(before, untouched[1])
    assert good and any(line.startswith("the machines differ: torch was 2.0.0, here ") for line in lines)
    assert "first to differ: stage train@b: with the same inputs, parameters and command" in lines


def test_another_seed_names_the_stages_that_draw_by_it(accepted):
    accepted.change("params.yaml", "seeds: [0, 1]", "seeds: [5, 1]")
    code, lines = replayed(accepted)
    accepted.change("params.yaml", "seeds: [5, 1]", "seeds: [0, 1]")
    assert code == 0 and lines[0] == "outputs: 1 of 5 with the same bytes"
    assert lines[1:3] == [f"first to differ: stage train@{name}: its parameters changed" for name in "ab"]


def test_another_rule_names_its_claim(accepted):
    accepted.change("notebooks/toy.ipynb", "drawn > 0", "drawn > 1")
    code, lines = replayed(accepted)
    accepted.change("notebooks/toy.ipynb", "drawn > 1", "drawn > 0")
    assert code == 1 and "claim drawn: its rule was 'drawn > 0', now 'drawn > 1'" in lines


def test_another_processor_changes_bytes_and_keeps_verdicts(accepted):
    accepted.environment["ATEN_CPU_CAPABILITY"] = "default"
    code, lines = replayed(accepted)
    del accepted.environment["ATEN_CPU_CAPABILITY"]
    assert code == 0 and any(line.startswith("the machines differ: instructions was ") for line in lines), lines
    assert "first to differ: stage train@a: with the same inputs, parameters and command" in lines
    assert any("claim drawn: same verdict, within the spread" in line for line in lines)


def test_without_a_reference_it_says_how_to_make_one(accepted):
    done = accepted.python("-m", "pipelines.replay", "--scale", "paper")
    assert done.returncode == 1 and "has nothing of scale paper, it has ['embedded']; `make repro SCALE=paper`" in done.stderr
