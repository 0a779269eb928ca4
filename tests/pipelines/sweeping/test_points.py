"""Sweeps say what they ask for: grids, lists and random draws of points, each checked before anything runs."""

import math
import os
import re
from pathlib import Path

import nbformat
import pytest

from pipelines import sweep
from pipelines.sweeping import cluster, points
from tests import ROOT

PARAMETERS = 'x = 1\nrate = 0.5\nplan = {"lr": 0.1, "deep": {"k": 2}}\nout = "build/scratch"'


@pytest.fixture
def told(tmp_path, monkeypatch):
    """A function that reads a sweep of a small notebook from YAML."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "lib").mkdir()
    cell = nbformat.v4.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]})
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "notebooks/small.ipynb")

    def read(text):
        (tmp_path / "mine.yaml").write_text(text)
        return points.read(Path("mine.yaml"))

    return read


def test_a_grid_crosses_and_dots_lead_into_mappings(told):
    sweep = told("{notebook: small, fixed: {x: 7}, points: {grid: {rate: [0.1, 1], plan.deep.k: [3, 4, 5]}}}")
    assert [tuple(point.values()) for point in sweep.points] == [(r, k) for r in (0.1, 1) for k in (3, 4, 5)]
    assert sweep.values[5] == {"x": 7, "rate": 1, "plan": {"lr": 0.1, "deep": {"k": 5}}}
    assert sweep.varied == ["rate", "plan.deep.k"]


def test_random_points_follow_their_law_and_their_seed(told):
    text = "{{notebook: small, points: {{random: {{count: 400, seed: {}, draw: {}}}}}}}"
    draw = "{plan.lr: {low: 1e-4, high: 1.0, log: true}, x: {low: 1, high: 3}, rate: {choice: [0.5, 2.0]}}"
    first, same, other = (told(text.format(seed, draw)) for seed in (0, 0, 1))
    assert first.points == same.points != other.points
    logs = [math.log10(point["plan.lr"]) for point in first.points]
    assert min(logs) >= -4 and max(logs) <= 0
    assert sum(logs) / 400 == pytest.approx(-2, abs=4 * 4 / math.sqrt(12 * 400))  # four standard errors of a uniform mean
    assert {point["x"] for point in first.points} == {1, 2, 3} and {point["rate"] for point in first.points} == {0.5, 2.0}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{notebook: smal, points: {list: [{x: 1}]}}", "no notebook notebooks/smal.ipynb"),
        ("{notebook: small, points: {list: [{y: 1}]}}", "notebook small has no parameter y; it takes out, plan, rate, x"),
        ("{notebook: small, points: {list: [{plan.deep.l: 1}]}}", "has no parameter plan.deep.l; it takes k"),
        ("{notebook: small, points: {list: [{x: 1.5}]}}", "parameter x of notebook small must be int like 1, got 1.5"),
        ("{notebook: small, points: {list: [{out: here}]}}", "a sweep cannot vary 'out'"),
        ("{notebook: small, points: {list: [{x: 1}, {x: 1}]}}", "has 2 points, not all distinct"),
        ("{notebook: small, points: {list: []}}", "has 0 points"),
        ("{notebook: small, points: [1]}", "sweep mine: points must be a mapping, got [1]"),
        ("{notebook: small, fixed: [1], points: {list: [{x: 1}]}}", "sweep mine: fixed must be a mapping"),
        ("{notebook: small, reads: 5, points: {list: [{x: 1}]}}", "sweep mine: reads must be a list, got 5"),
        ("{notebook: 5, points: {list: [{x: 1}]}}", "sweep mine: notebook must be a text, got 5"),
        ("{notebook: small, points: {grid: {x: 5}}}", "sweep mine cannot be read (TypeError: "),
        ("{notebook: small, points: {grid: null}}", "sweep mine cannot be read (AttributeError: "),
        ("{notebook: small, points: {list: [1]}}", "points are one of grid: {name: [values]}"),
        ("{notebook: small, points: {random: {count: two, seed: 0, draw: {}}}}", "sweep mine cannot be read (TypeError: "),
        ("{notebook: small, points: {list: [{plan: {lr: 2020-01-01}}]}}", "sweep mine cannot be read (TypeError: "),
        ("{notebook: small, points: {list: [{x.y: 1}]}}", "sweep mine cannot be read (TypeError: "),
        ("{notebook: small.v2, points: {list: [{x: 1}]}}", "the name of a notebook is 'small.v2'"),
        ("{notebook: small, points: {lists: []}}", "points must be one of grid, list and random"),
        ("{notebook: small, pionts: {list: []}}", "'pionts' is unknown or missing"),
        ("{notebook: small, points: {random: {count: 2, seed: 0, draw: {x: {low: 3, high: 1}}}}}", "x is drawn by"),
        ("{notebook: small, points: {random: {count: 2, draw: {}}}}", "random points need count, seed and draw"),
        ("{notebook: small, points: {random: {count: 2, seed: 0, draw: {x: {low: 0, high: 1, log: true}}}}}", "needs low > 0"),
    ],
)
def test_refuses_what_no_point_can_be(told, text, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        told(text)


def test_a_key_changes_with_parameters_notebook_what_it_imports_and_data(told):
    text = "{notebook: small, points: {list: [{x: 1}, {x: 2}]}, reads: [data]}"
    before = points.keys(told(text))
    assert len(set(before)) == 2 and points.keys(told(text)) == before
    assert points.keys(told(text.replace("points", "fixed: {rate: 2.0}, points"))) != before
    Path("data").write_text("data")
    after = points.keys(told(text))
    assert not set(after) & set(before)
    before, book = after, Path("notebooks/small.ipynb")
    content = nbformat.read(book, 4)
    content.cells.append(nbformat.v4.new_code_cell("from lib import used"))
    nbformat.write(content, book)
    after = points.keys(told(text))
    assert not set(after) & set(before)
    for path, counts in {"lib/used.py": True, "lib/other.py": False}.items():
        before = after
        Path(path).write_text("y = 1")
        after = points.keys(told(text))
        assert set(after).isdisjoint(before) == counts, path


def test_every_sweep_that_ships_can_be_read(monkeypatch):
    monkeypatch.chdir(ROOT)
    for path in Path("pipelines/sweeps").glob("*.yaml"):
        assert len(points.read(path).points) >= 8


def test_job_scripts_say_what_the_description_says(monkeypatch):
    monkeypatch.chdir(ROOT)
    slurm, pbs = (cluster.script(Path(f"pipelines/clusters/{name}.yaml")) for name in ("slurm", "pbs"))
    for line in ("#SBATCH -p main", "#SBATCH --cpus-per-task=1", "#SBATCH --mem=4G", "#SBATCH -t 01:00:00", "--exclusive=user"):
        assert line in slurm
    assert "#PBS -q main" in pbs and "walltime=01:00:00" in pbs and "\ncd $PBS_O_WORKDIR\n" in pbs
    for script in (slurm, pbs):
        assert re.search(r"-m distributed\.cli\.dask_worker tls://\S+ .*--nthreads 1 .*--no-dashboard", script)
        assert "\nexport DASK_DISTRIBUTED__WORKER__HTTP__ROUTES='[]'\n" in script
        assert set(re.findall(r"--tls-(\S+) ", script)) == {"ca-file", "cert", "key"}


def test_keys_of_jobs_lie_where_nobody_else_reads_and_not_longer_than_they_are_used(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with cluster.started(ROOT / "pipelines/clusters/slurm.yaml") as opened:
        (folder,) = Path("build").iterdir()
        assert folder.stat().st_mode & 0o777 == 0o700 and len(list(folder.glob("tls_*"))) == 3
        assert all(str(path.resolve()) in opened.job_script() for path in folder.glob("tls_*"))
    assert list(Path("build").iterdir()) == []


def test_lines_before_a_job_are_a_list(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("c.yaml").write_text("{kind: slurm, jobs: 1, options: {cores: 1, memory: 1GB, job_script_prologue: cd here}}")
    with pytest.raises(ValueError, match=r"c\.yaml: job_script_prologue must be a list of lines, got 'cd here'"):
        cluster.script(Path("c.yaml"))


def test_tls_can_be_left_out_by_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("c.yaml").write_text("{kind: slurm, jobs: 1, options: {cores: 1, memory: 1GB, processes: 1}, tls: false}")
    assert " tcp://" in cluster.script(Path("c.yaml"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{kind: moon, jobs: 1, options: {}}", "must give kind (slurm, pbs, kubernetes), jobs and options"),
        ("{kind: slurm, jobs: 1}", "must give kind"),
        ("{kind: [slurm], jobs: 1, options: {}}", "must give kind"),
        ("{kind: slurm, jobs: two, options: {}}", "must give kind"),
        ("{kind: slurm, jobs: 0, options: {}}", "must give kind"),
        ("{kind: slurm, jobs: 1, options: null}", "must give kind"),
        ("{kind: slurm, jobs: 1, options: {}, tls: 1}", "and may give tls, got"),
        ("{kind: kubernetes, jobs: 1, options: {}}", "starts workers without TLS, so that whoever reaches the scheduler"),
        (
            "{kind: kubernetes, jobs: 1, options: {}, tls: false}",
            "needs the package dask-kubernetes, which cannot be imported (No module named 'dask_kubernetes'); install it first",
        ),
    ],
)
def test_refuses_a_cluster_that_it_cannot_open(tmp_path, text, message):
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(ValueError, match=re.escape(message)):
        cluster.described(tmp_path / "c.yaml")


def test_gpus_are_those_that_may_be_used(monkeypatch):
    monkeypatch.setitem(os.environ, "CUDA_VISIBLE_DEVICES", "2,5")
    assert cluster.gpus() == ["2", "5"]
    monkeypatch.setitem(os.environ, "CUDA_VISIBLE_DEVICES", "")
    assert cluster.gpus() == []


def test_what_it_reads_must_be_there(told):
    asked = told("{notebook: small, points: {list: [{x: 1}]}, reads: [lib, data/raw]}")
    with pytest.raises(ValueError, match=r"it reads data/raw, which does not exist; name files and folders of this repository"):
        sweep.fetch(asked)
    Path("data/raw").mkdir(parents=True)
    sweep.fetch(asked)
