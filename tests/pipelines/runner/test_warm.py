"""A forked kernel is a fresh one, there sooner: it has what its client has, sees nothing of other kernels, ends as they do."""

import json
import os
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import nbformat
import pytest
from jupyter_client.manager import KernelManager

from pipelines.runner import warm, warm_client
from pipelines.runner.kernel import execute
from pipelines.runner.notebook_file import clean
from pipelines.runner.stage_environment import listed
from tests import ROOT
from tests.pipelines.test_run_notebook import processes_end_in, wait_for
from tests.toy import Toy

pytestmark = [
    pytest.mark.programs,
    pytest.mark.skipif(not warm.can_fork(), reason="this system's kernels start by themselves"),
]


class Manager(KernelManager):
    program = sys.executable

    def format_kernel_cmd(self, extra_arguments=None):
        return warm_client.command([self.program, *super().format_kernel_cmd(extra_arguments)[1:]])


@pytest.fixture(scope="module")
def server():
    """One server for the kernels of this file; with PYTHONPATH they would take `lib` from there, not from where they work."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PYTHONPATH", raising=False)
        with warm.kernels(ROOT) as server:
            yield server.pid


@contextmanager
def kernel(folder, program=sys.executable, **variables):
    """A kernel that works in the folder; ask(code) returns what the code leaves in `answer`."""
    manager = Manager()
    manager.program = program
    manager.start_kernel(cwd=str(folder), env=listed(os.environ) | variables)
    client = manager.blocking_client()
    client.start_channels()

    def ask(code):
        reply = client.execute_interactive(code, user_expressions={"answer": "__import__('json').dumps(answer)"}, timeout=20)
        assert reply["content"]["status"] == "ok", reply["content"]
        return json.loads(eval(reply["content"]["user_expressions"]["answer"]["data"]["text/plain"]))

    try:
        client.wait_for_ready(timeout=20)
        yield manager, client, ask
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


NOTEBOOK = """
import matplotlib.pyplot as plt, numpy as np, pandas as pd, torch
from lightning_fabric import Fabric
from lib.core import progress
from lib.widgets import explorers
from lib.workbook import plot
---
plt.rcParams["figure.constrained_layout.use"] = True
fig, axes = plt.subplots(1, 2)
axes[0].plot(torch.randn(20, generator=torch.Generator().manual_seed(0)).cumsum(0))
axes[1].hist(np.random.default_rng(0).normal(size=50), label="a"); axes[1].legend();
---
display(pd.DataFrame({"a": [1.5, 2], "b": ["x", None]}))
Fabric(accelerator="cpu", devices=1).seed_everything(3)
print(torch.randn(3), hash("a"), torch.get_num_threads(), plt.get_backend())
---
display(pd.DataFrame(np.eye(30)))
print([pd.get_option(f"display.{name}") for name in ("max_columns", "max_rows", "width", "precision")])
print(plt.rcParams, np.get_printoptions(), torch.__config__.parallel_info())
---
import os, pathlib
_ = pathlib.Path("parent").write_text(str(os.getppid()))
"""


def test_writes_the_same_bytes_as_a_fresh_kernel(server, tmp_path, monkeypatch):
    (tmp_path / "lib").symlink_to(ROOT / "lib")
    monkeypatch.chdir(tmp_path)
    cells = [nbformat.v4.new_code_cell(text.strip()) for text in NOTEBOOK.split("---")]
    parents, texts = [], []
    for _ in range(2):
        executed = execute(nbformat.v4.new_notebook(cells=cells), {}, tmp_path / "executed.ipynb")
        texts.append(nbformat.writes(clean(executed)))
        parents.append(int(Path("parent").read_text()))
        monkeypatch.delenv("HOURGLASS_WARM", raising=False)
    assert parents == [server, os.getpid()]
    assert "image/" in texts[0] and texts[0] == texts[1]


def test_a_kernel_sees_nothing_of_the_one_before(server, tmp_path):
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/__init__.py").write_text("")
    look = """
import os, sys, matplotlib, numpy, random, torch
state = [os.getppid(), "mine" in globals(), [m for m in sys.modules if m.split(".")[0] in ("lib", "pipelines")], sys.path,
         matplotlib.rcParams["lines.linewidth"], str(torch.get_default_dtype()), "LEFT" in os.environ]
from lib import value
answer = [state, value.value, numpy.random.rand(), random.random(), torch.rand(()).item()]
mine = os.environ["LEFT"] = "1"
sys.path.append("/nowhere")
matplotlib.rcParams["lines.linewidth"] = 9.0
torch.set_default_dtype(torch.float64); torch.manual_seed(1)
"""
    seen = []
    # Of another length: Python knows a changed source by its second and its size.
    for value in ("1", "22"):
        (tmp_path / "lib/value.py").write_text(f"value = {value}")
        with kernel(tmp_path) as (_, _, ask):
            seen.append(ask(look))
    (first, *one), (second, *two) = seen
    assert first == second
    assert first[0] == server and first[2] == [] and first[5] == "torch.float32"
    assert one[0] == 1 and two[0] == 22
    assert not {*one[1:]} & {*two[1:]}


def test_has_the_folder_variables_and_arguments_of_its_client(server, tmp_path):
    look = """
import multiprocessing.process, os, sys
answer = [os.getcwd(), multiprocessing.process.ORIGINAL_DIR, dict(os.environ), sys.argv, sys.path]
"""
    seen = []
    for threads in (os.environ["OMP_NUM_THREADS"], "2"):
        with kernel(tmp_path, HOURGLASS_X="mine", OMP_NUM_THREADS=threads) as (_, _, ask):
            seen.append([*ask(look), ask("answer = os.getppid()")])
    warm_one, cold_one = seen
    assert warm_one[:2] == cold_one[:2] == [str(tmp_path)] * 2
    assert warm_one[2].pop("OMP_NUM_THREADS") == "1" and cold_one[2].pop("OMP_NUM_THREADS") == "2"
    assert cold_one[2].items() <= warm_one[2].items() and warm_one[2]["HOURGLASS_X"] == "mine"  # imports set a few more
    assert (warm_one[3][0], len(warm_one[3])) == (cold_one[3][0], len(cold_one[3])) and warm_one[4] == cold_one[4]
    assert [warm_one[5], cold_one[5]] == [server, os.getpid()], "who differs in OMP_NUM_THREADS must start afresh"


def test_python_is_known_by_a_relative_name(server):
    """As where the path of the environment has a colon, which PATH cannot hold."""
    with kernel(sys.prefix, program="bin/python") as (_, _, ask):
        assert ask("import os; answer = os.getppid()") == server


def test_is_interrupted_ends_and_is_killed_as_another(server, tmp_path):
    with kernel(tmp_path) as (manager, client, ask):
        assert ask("import os; answer = os.getppid()") == server
        # Or the kernel, which takes the interrupt for an error, would for a moment abort what it is asked next.
        told = {"stop_on_error": False}
        asleep = client.execute("open('asleep', 'w').close(); import time; time.sleep(60)", **told)
        wait_for(tmp_path / "asleep")
        manager.interrupt_kernel()
        while (reply := client.get_shell_msg(timeout=10))["parent_header"]["msg_id"] != asleep:
            pass
        assert reply["content"]["ename"] == "KeyboardInterrupt"
        assert ask("answer = 7") == 7
        client.execute("os._exit(3)")
        assert manager.provisioner.process.wait(timeout=5) == 3
        assert not manager.is_alive()
    with kernel(tmp_path) as (_, _, ask):
        assert ask("import os, subprocess; subprocess.Popen(['sleep', '60']); answer = os.getppid()") == server
    assert processes_end_in(tmp_path, seconds=2)
    assert ends(lambda: not Path(f"/proc/{server}/task/{server}/children").read_text()), "a zombie is left"


def test_ends_with_its_stage_and_with_its_server(tmp_path):
    toy = Toy(tmp_path)
    toy.environment.pop("PYTHONPATH", None)
    toy.change("pipelines/runner/warm.py", "LIBRARIES = (", 'LIBRARIES = ("ipykernel.kernelapp", "numpy", "torch") or (')
    with warm.kernels(toy.root, toy.environment) as server:
        toy.environment["HOURGLASS_WARM"] = os.environ["HOURGLASS_WARM"]
        toy.change("params.yaml", "{epochs: 2}", "{wait: 60.0}")
        for victim in ("stage", "server"):
            (toy.root / "build/partial/train-a/half").unlink(missing_ok=True)
            stage = toy.start()
            wait_for(toy.root / "build/partial/train-a/half")
            forked = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
            assert len(forked) == 1
            (stage if victim == "stage" else server).kill()
            assert ends(lambda: not Path("/proc", forked[0]).exists()), f"the kernel outlives its {victim}"  # noqa: B023
            stage.communicate(timeout=20)
            assert stage.returncode
        toy.change("params.yaml", "{wait: 60.0}", "{epochs: 2}")
        assert toy.stage().returncode == 0
    assert "HOURGLASS_WARM" not in os.environ and not Path(toy.environment["HOURGLASS_WARM"]).parent.exists()


def ends(condition, seconds=5):
    """Whether the condition comes true in time."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True
