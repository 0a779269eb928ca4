"""The runner turns every kind of bad input and bad luck into one message, exit status 1 and nothing half-written."""

import json
import resource
import time

import nbformat
import psutil
import pytest

pytestmark = pytest.mark.programs


def test_writes_results_and_an_executed_notebook_without_anything_that_varies(toy):
    first = toy.stage()
    assert (first.returncode, first.stderr) == (0, "")
    assert json.loads((toy.root / "runs/a/result.json").read_text()) == {"epochs": 2, "rate": 0.5, "seeds": [0, 1]}
    text = (toy.root / "reports/notebooks/train-a.ipynb").read_bytes()
    assert toy.stage().returncode == 0
    assert (toy.root / "reports/notebooks/train-a.ipynb").read_bytes() == text
    outputs = [o for c in nbformat.reads(text.decode(), 4).cells for o in c.get("outputs", [])]
    assert [o.text for o in outputs] == ["2 0.5\n"]
    assert b"papermill" not in text


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("{epochs: 2}", "{epohcs: 2}", "no parameter epohcs; it takes epochs, mode, out"),
        ("{epochs: 2}", "{epochs: two}", "parameter epochs of notebook toy must be int like 3, got 'two'"),
        ("{epochs: 2}", "{epochs: 2.5}", "must be int like 3, got 2.5"),
        ("{epochs: 2}", "{epochs: true}", "must be int like 3, got True"),
        ("{epochs: 2}", "{mode: .nan}", "must be str like 'ok', got nan"),
        ("  a:", "  c:", "runs has no 'a'; it has: c, b"),
        ("scale: embedded", "scale: giant", "unknown scale 'giant'"),
        ("runs:", "runs: [", "params.yaml is not valid YAML"),
    ],
)
def test_refuses_bad_parameters_before_it_runs(toy, old, new, message):
    toy.change("params.yaml", old, new)
    done = toy.stage()
    assert done.returncode == 1
    assert message in done.stderr
    assert done.stderr.startswith("stage train-a failed: ") and "Traceback" not in done.stderr
    assert toy.leftovers() == []


def test_a_whole_number_may_stand_for_a_float(toy):
    toy.change("params.yaml", "{epochs: 2}", "{rate: 1}")
    assert toy.stage().returncode == 0


def test_reads_numbers_as_dvc_does(toy):
    toy.change("params.yaml", "{epochs: 2}", "{rate: 1e-3}")
    assert toy.stage().returncode == 0
    assert json.loads((toy.root / "runs/a/result.json").read_text())["rate"] == 0.001


def test_refuses_parameters_that_are_derived(toy):
    toy.change("build/notebooks/toy.ipynb", "epochs = 3", "epochs = 3 * 2")
    assert "holds 'epochs = 3 * 2'; only NAME = literal may stand there" in toy.stage().stderr


def test_refuses_an_overlay_that_names_what_params_yaml_lacks(toy):
    with (toy.root / "params.yaml").open("a") as file:
        file.write("scales: {embedded: {runs: {a: {train: {epoch: 9}}}}}\n")
    done = toy.stage()
    assert done.returncode == 1
    assert "changes runs.a.train.epoch, which params.yaml lacks; it has ['epochs']" in done.stderr


def test_names_a_missing_input(toy):
    (toy.root / "raw.txt").unlink()
    done = toy.stage()
    assert done.returncode == 1 and "input raw=raw.txt does not exist" in done.stderr
    assert toy.leftovers() == []


def test_keeps_a_failed_notebook_apart(toy):
    toy.change("params.yaml", "{epochs: 2}", "{mode: 'nan'}")
    done = toy.stage()
    assert done.returncode == 1
    assert "FloatingPointError: loss became NaN at epoch 12" in done.stderr and "Traceback" not in done.stderr
    assert toy.leftovers() == []
    kept = nbformat.read(toy.root / "reports/failed/train-a.ipynb", 4)
    assert any(o.output_type == "error" for c in kept.cells for o in c.get("outputs", []))
    toy.change("params.yaml", "{mode: 'nan'}", "{epochs: 2}")
    assert toy.stage().returncode == 0
    assert not (toy.root / "reports/failed/train-a.ipynb").exists()


def test_a_failed_stage_leaves_the_previous_result_alone(toy):
    assert toy.stage().returncode == 0
    toy.change("params.yaml", "{epochs: 2}", "{mode: 'nan'}")
    assert toy.stage().returncode == 1
    assert json.loads((toy.root / "runs/a/result.json").read_text())["epochs"] == 2


def test_a_write_error_as_of_a_full_disk_ends_the_stage(toy):
    toy.change("params.yaml", "{epochs: 2}", "{mode: big}")
    done = toy.stage(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000)))
    assert done.returncode == 1 and "OSError" in done.stderr and "File too large" in done.stderr
    assert toy.leftovers() == []


@pytest.mark.parametrize("name", ["raw.txt", "lib/workbook/runs.py", "params.yaml"])
def test_refuses_a_result_whose_input_was_edited_meanwhile(toy, name):
    toy.change("params.yaml", "{epochs: 2}", "{wait: 3.0}")
    running = toy.start()
    wait_for(toy.root / "build/partial/train-a/half")
    place = toy.root / name
    place.write_text(place.read_text().replace("wait: 3.0", "wait: 4.0") + ("x = 1\n" if name.endswith(".py") else "\n"))
    _, message = running.communicate(timeout=60)
    assert running.returncode == 1 and f"{name} changed while the stage ran" in message
    assert toy.leftovers() == []


def test_refuses_to_begin_with_other_code_than_dvc_knows(toy):
    with (toy.root / "lib/workbook/runs.py").open("a") as file:
        file.write("x = 1\n")
    done = toy.stage()
    assert done.returncode == 1 and "lib/workbook/runs.py changed since this run began" in done.stderr
    assert toy.python("-m", "pipelines.runner.strip").returncode == 0 and toy.stage().returncode == 0


def test_an_edit_of_what_it_does_not_read_stops_nothing(toy):
    toy.change("params.yaml", "{epochs: 2}", "{wait: 3.0}")
    running = toy.start()
    wait_for(toy.root / "build/partial/train-a/half")
    (toy.root / "lib/koopman/vamp.py").write_text("")
    with (toy.root / "lib/workbook/runs.py").open("a") as file:
        file.write("# a comment does nothing\n")
    toy.change("params.yaml", "{epochs: 4}", "{epochs: 5}")
    _, message = running.communicate(timeout=60)
    assert running.returncode == 0, message


def test_nothing_goes_on_computing_after_kill_9(toy):
    toy.change("params.yaml", "{epochs: 2}", "{wait: 60.0}")
    running = toy.start()
    wait_for(toy.root / "build/partial/train-a/half")
    running.kill()
    running.communicate()
    assert processes_end_in(toy.root, seconds=10)
    assert not (toy.root / "runs/a").exists()


def wait_for(path, seconds=60):
    until = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < until, f"{path} did not appear"
        time.sleep(0.05)


def working_in(folder):
    """Return the command of every process of this machine that works in the folder."""
    found = psutil.process_iter(["cwd", "cmdline"])
    return [process.info["cmdline"] for process in found if process.info["cwd"] == str(folder.resolve())]


def processes_end_in(folder, seconds):
    """Return whether within the time no process of this machine works in the folder."""
    until = time.monotonic() + seconds
    while working_in(folder):
        if time.monotonic() > until:
            return False
        time.sleep(0.2)
    return True
