"""A cluster is opened as its description says, its keys are its user's alone, and what cannot be opened is refused by name."""

import os
import re
from pathlib import Path

import pytest

from pipelines.sweeping import cluster
from tests import ROOT


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
