"""A sweep on a real SLURM of one node, where Debian's packages slurmctld, slurmd, slurm-client and munge are installed."""

import os
import shutil
import subprocess
import time

import pytest

from lib.core.processes import cores
from lib.workbook import runs
from tests.pipelines.swept import Swept

pytestmark = pytest.mark.programs

NEEDED = ("slurmctld", "slurmd", "sbatch", "munged", "mungekey")
FOUND = {name: shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin") for name in NEEDED}
CONFIGURATION = """ClusterName=one
SlurmctldHost={host}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={root}/munge.socket
CredType=cred/munge
SlurmctldPort=16817
SlurmdPort=16818
StateSaveLocation={root}/state
SlurmdSpoolDir={root}/spool
SlurmctldPidFile={root}/slurmctld.pid
SlurmdPidFile={root}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
MpiDefault=none
ReturnToService=2
SlurmdParameters=config_overrides
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=8000 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


@pytest.fixture
def slurm(tmp_path):
    """The variables under which commands speak to a SLURM of this node, its own alone."""
    if lacking := [name for name, path in FOUND.items() if path is None]:
        pytest.skip(f"SLURM's {', '.join(lacking)} are not installed: apt-get install slurmctld slurmd slurm-client munge")
    if os.getuid():
        pytest.skip("a SLURM of one's own needs root")
    root = tmp_path / "slurm"
    for place in (root, root / "state", root / "spool"):
        place.mkdir(mode=0o755)
    (root / "private").mkdir(mode=0o700)
    host = os.uname().nodename.split(".")[0]
    text = CONFIGURATION.format(host=host, root=root, cpus=cores())
    (root / "slurm.conf").write_text(text)
    variables = os.environ | {"SLURM_CONF": str(root / "slurm.conf"), "PATH": f"{os.environ['PATH']}:/usr/sbin"}
    private = root / "private"
    subprocess.run([FOUND["mungekey"], "--create", f"--keyfile={private}/key"], check=True)
    munge = ["--foreground", "--force", f"--socket={root}/munge.socket", f"--key-file={private}/key"]
    munge += [f"--{name}-file={private}/{name}" for name in ("log", "pid", "seed")]
    daemons = [[FOUND["munged"], *munge], [FOUND["slurmctld"], "-D", "-c"], [FOUND["slurmd"], "-D", "-c", "-N", host]]
    log, running = (root / "log").open("w"), []
    for command in daemons:
        running.append(subprocess.Popen(command, env=variables, stdout=log, stderr=log))
        time.sleep(1.5)
    try:
        until = time.monotonic() + 30
        while "idle" not in subprocess.run(["sinfo", "-h"], env=variables, capture_output=True, text=True).stdout:
            assert time.monotonic() < until, (root / "log").read_text()[-3000:]
            time.sleep(0.5)
        yield variables
    finally:
        for process in reversed(running):
            process.kill()
            process.wait()
        log.close()


def test_a_sweep_runs_as_slurm_jobs(slurm, tmp_path):
    toy = Swept(tmp_path / "toy")
    toy.environment = slurm | {k: v for k, v in toy.environment.items() if k != "PATH"}
    toy.environment.pop("PYTHONPATH", None)
    options = {"queue": "main", "cores": 1, "processes": 1, "memory": "1GB", "walltime": "00:05:00", "interface": "lo"}
    runs.write_json(tmp_path / "toy/one.yaml", {"kind": "slurm", "jobs": 1, "options": options})  # JSON is YAML
    command = (*toy.write("mine", points=range(4), bad=3), "--cluster", "one.yaml")
    done = toy.python(*command, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    assert toy.table("mine").y[:3].tolist() == [0, 1, 4] and toy.table("mine").status.tolist() == ["done"] * 3 + ["failed"]
    (output,) = (tmp_path / "toy").glob("slurm-*.out")
    assert "tls://" in output.read_text() and "tcp://" not in output.read_text()
    assert not list((tmp_path / "toy/build").glob("hourglass-*"))
    assert "Register worker plugin" in output.read_text() or "Registered to" in output.read_text()
    assert not subprocess.run(["squeue", "-h", "-t", "R"], env=slurm, capture_output=True, text=True).stdout.strip()
