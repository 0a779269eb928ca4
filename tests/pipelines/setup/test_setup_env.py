"""make uses .venv here or the environment that ENV names, in a folder of any name, and sets up what is not ready."""

import json
import os
import shutil
import subprocess
import sys
import time

import pytest

from pipelines.setup import setup_env
from tests import ROOT
from tests.environments import Copy
from tests.keyboard import Terminal

ODD = ["my wörk: 2", "a;b 'c", 'quote" $HOME `x` #1 %2']


OTHER = "def put_first(): 0\ncheck = len"


@pytest.fixture
def copy(tmp_path):
    """A working copy whose environment is ready."""
    copy = Copy(tmp_path / "copy")
    copy.ready()
    return copy


def told(done) -> dict:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("name", ODD)
def test_targets_run_in_a_folder_of_any_name(tmp_path, name):
    copy = Copy(tmp_path / name)
    copy.ready()
    for target in ("claims", "repro", "lab"):
        found = told(copy.make(target))
        assert found["lib"] == str(copy.root / "lib/__init__.py")
        assert found["prefix"] == str(copy.root / ".venv")
        assert os.path.realpath(copy.root / found["stage"]) == os.path.realpath(copy.env.python)


def test_from_nothing_in_a_folder_with_a_colon(tmp_path):
    copy = Copy(tmp_path / ODD[0])
    done = copy.make("setup")
    assert done.returncode == 0, done.stderr
    assert f"environment: {copy.root}/.venv\n  there is none yet; it is made now" in done.stderr
    assert done.stdout.splitlines()[-1] == "make shell opens a shell in it (its path has a colon, so it cannot be activated)"
    assert told(copy.make("claims"))["prefix"] == str(copy.root / ".venv")
    assert json.loads(copy.calls.read_text().splitlines()[0])[:2] == ["pip", "install"]


def test_a_look_at_what_is_ready_is_quick(copy):
    own = {"PATH": os.environ["PATH"], "MAKELEVEL": "1"}
    seconds = []
    for _ in range(5):
        start = time.monotonic()
        subprocess.run(["sh", "pipelines/setup/check_env.sh"], cwd=copy.root, env=own, check=True)
        seconds.append(time.monotonic() - start)
    assert min(seconds) < 0.1 and not copy.calls.exists()  # 30 ms on an idle machine


@pytest.mark.parametrize(
    "variables", [{"VIRTUAL_ENV": "/some/venv"}, {"CONDA_PREFIX": "/conda/mine", "CONDA_DEFAULT_ENV": "mine"}]
)
def test_an_active_environment_is_named_and_left_alone(copy, variables):
    active = next(iter(variables.values()))
    done = copy.make("claims", **variables)
    assert told(done)["prefix"] == str(copy.root / ".venv")
    assert done.stderr == (f"environment: {copy.root}/.venv (the active {active} is left alone; ENV={active} would use it)\n")
    base = {"CONDA_PREFIX": "/conda", "CONDA_DEFAULT_ENV": "base"}
    assert copy.make("claims", **base).stderr == f"environment: {copy.root}/.venv\n"
    assert copy.make("claims", VIRTUAL_ENV=str(copy.root / ".venv")).stderr == f"environment: {copy.root}/.venv\n"


@pytest.mark.parametrize("by", ["word", "variable", "relative"])
def test_env_names_another_environment_which_two_copies_share(copy, tmp_path, by):
    other = copy.ready(tmp_path / "sha red $x")
    second = Copy(tmp_path / "second")
    for one in (copy, second, copy):
        place = "../sha red $x" if by == "relative" else str(other.place)
        done = one.make("claims", ENV=place) if by == "variable" else one.make("claims", f"ENV={place}")
        found = told(done)
        assert found["prefix"] == str(other.place) and found["lib"] == str(one.root / "lib/__init__.py")
        assert done.stderr == f"environment: {other.place}\n"
    assert not copy.calls.exists() and not (second.root / ".venv").exists()


def test_a_file_that_shells_read_is_no_environment_that_is_asked_for(copy, tmp_path):
    (tmp_path / "profile").write_text("")
    assert told(copy.make("claims", ENV=str(tmp_path / "profile")))["prefix"] == str(copy.root / ".venv")
    assert "is no environment" in copy.make("claims", f"ENV={tmp_path}/profile").stderr


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("missing", "is no environment (`python3 -m venv FOLDER` makes one); name another, or leave ENV out"),
        ("folder", "is no environment"),
        ("without python", "has no Python that starts"),
        ("old", "has Python 3.10.2, wanted is 3.11 to 3.13"),
        ("new", "has Python 3.14.0, wanted is 3.11 to 3.13"),
        ("co:lon", "has a colon in its path, which no PATH can hold"),
    ],
)
def test_env_that_cannot_be_used_is_refused_and_not_touched(copy, tmp_path, kind, said):
    place = tmp_path / kind
    if kind != "missing":
        (place / "bin").mkdir(parents=True)
    if kind not in ("missing", "folder"):
        (place / "pyvenv.cfg").write_text("")
    if kind in ("old", "new"):
        (place / "bin/python").write_text(f"#!/bin/sh\necho Python {'3.10.2' if kind == 'old' else '3.14.0'}\n")
        (place / "bin/python").chmod(0o755)
    before = sorted(place.rglob("*"))
    done = copy.make("claims", f"ENV={place}")
    assert done.returncode == 2 and done.stderr.count("\n") == 3 and said in done.stderr, done.stderr
    assert sorted(place.rglob("*")) == before


def gone(copy):
    copy.env.place.rename(copy.root / "elsewhere")


def without_python(copy):
    for path in (copy.env.place / "bin").glob("python*"):
        path.unlink()


def dangling(copy):
    without_python(copy)
    (copy.env.place / "bin/python").symlink_to("/nowhere/python3.11")


def not_starting(copy):
    without_python(copy)
    (copy.env.place / "bin/python").write_text("#!/bin/sh\nexit 127\n")
    (copy.env.place / "bin/python").chmod(0o755)


def of_another_copy(copy):
    copy.env.stamp.write_text(copy.env.stamp.read_text().replace(str(copy.env.place), "/another/copy/.venv"))


def moved_without_a_stamp(copy):
    copy.env.stamp.unlink()
    config = copy.env.place / "pyvenv.cfg"
    config.write_text(config.read_text().replace(str(copy.env.place), "/another/my copy/.venv"))


def upgraded(copy):
    lines = copy.env.stamp.read_text().splitlines()
    lines[4] = "python /usr/bin/python3.10"
    copy.env.stamp.write_text("\n".join(lines) + "\n")


def broken_off(copy):
    (copy.root / "build").mkdir()
    (copy.root / setup_env.BEGUN).write_text("default")
    (copy.env.place / "pyvenv.cfg").unlink()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (gone, "there is none yet"),
        (without_python, "its Python is gone or does not start"),
        (dangling, "its Python is gone or does not start"),
        (not_starting, "its Python is gone or does not start"),
        (of_another_copy, "it was made as /another/copy/.venv, and an environment cannot be moved"),
        (moved_without_a_stamp, "it was made as /another/my copy/.venv, and an environment cannot be moved"),
        (upgraded, "it was made with /usr/bin/python3.10, its Python is now "),
        (broken_off, "making it was broken off"),
    ],
)
def test_what_is_spoilt_is_made_anew_with_the_reason(copy, monkeypatch, capfd, spoil, said):
    made = []
    monkeypatch.chdir(copy.root)
    monkeypatch.setattr(setup_env, "install", lambda env, torch, *, moved: made.append(torch))
    create = setup_env.create
    monkeypatch.setattr(setup_env, "create", lambda place, **options: create(place, **options | {"with_pip": False}))
    spoil(copy)
    own = {"MAKELEVEL": "2", "PATH": os.environ["PATH"], "CALLS": "/dev/null"}
    assert setup_env.lacking(copy.env, "default") or setup_env.spoilt(copy.env)
    setup_env.set_up(copy.env, "", "")
    assert said in capfd.readouterr().err and made == ["default"]
    assert copy.env.version() == sys.version_info[:3] and not setup_env.BEGUN.exists()
    copy.env.sign("default", ready=True)
    assert subprocess.run(["sh", "pipelines/setup/check_env.sh"], env=own).returncode == 0
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda c: c.env.stamp.unlink(), "make has not set it up before"),
        (lambda c: c.env.stamp.write_text("rea"), "make has not set it up before"),
        (
            lambda c: c.env.stamp.write_text(c.env.stamp.read_text().replace("ready", "begun", 1)),
            "setting it up was broken off",
        ),
        (lambda c: (c.root / "requirements.lock").write_text("other==1"), "requirements.lock is not what it was set up by"),
        (lambda c: (c.root / "lib/core/working_copy.py").write_text(OTHER), "the code that goes into it has changed"),
    ],
)
def test_what_is_not_ready_is_completed_with_the_reason(copy, change, said):
    change(copy)
    done = copy.make("claims")
    assert told(done) and f"  {said}; the packages of requirements.lock are installed into it" in done.stderr
    assert "--require-hashes" in copy.calls.read_text()
    assert copy.make("claims").stderr == f"environment: {copy.root}/.venv\n"


def test_setting_up_that_fails_is_gone_on_with(copy):
    copy.env.stamp.unlink()
    done = copy.make("claims", FAILING="install")
    assert done.returncode == 2 and "could not be installed; the cause stands above" in done.stderr
    assert "setting it up was broken off" in copy.make("claims").stderr


@pytest.mark.parametrize("kind", ["folder", "file", "link"])
def test_what_is_no_environment_is_never_cleared(copy, tmp_path, kind):
    gone(copy)
    (tmp_path / "mine").mkdir()
    place = copy.root / ".venv"
    place.write_text("mine") if kind == "file" else place.mkdir() if kind == "folder" else place.symlink_to(tmp_path / "mine")
    if kind != "file":
        (place / "notes").write_text("mine")
    done = copy.make("claims")
    assert done.returncode == 2 and f"{place} is no environment, and is left as it is; move it away" in done.stderr
    assert (place if kind == "file" else place / "notes").read_text() == "mine"


def test_nothing_computed_is_removed():
    for path in (ROOT / "Makefile", *(ROOT / "pipelines").glob("*.sh")):
        lines = [line for line in path.read_text().splitlines() if "rm " in line and "rm -rf build reports/failed" not in line]
        assert lines == [], path
    assert "rmtree" not in (ROOT / "pipelines/setup/setup_env.py").read_text()


def test_torch_for_cpus_comes_from_its_index_and_the_rest_with_hashes(copy):
    done = copy.make("setup", "TORCH=cpu")
    assert done.returncode == 0 and "it has PyTorch's default build, cpu is asked for" in done.stderr
    first, second, third = (json.loads(line) for line in copy.calls.read_text().splitlines())
    assert first[-5:] == ["--no-deps", "--default-index", setup_env.INDEX, "torch==2.12.1+cpu", "torchvision==0.27.1+cpu"]
    assert {"install", "--require-hashes", "--no-deps", "build/without_torch.lock"} <= set(second)
    left = (copy.root / "build/without_torch.lock").read_text()
    assert left == LOCK_WITHOUT
    assert third[1] == "uninstall" and third[-2:] == ["nvidia-cublas", "triton"]
    assert copy.make("claims").stderr == f"environment: {copy.root}/.venv\n", "it is kept until .venv goes"
    assert copy.make("setup", "TORCH=cpu").returncode == 0 and len(copy.calls.read_text().splitlines()) == 3


LOCK_WITHOUT = "numpy==2.4.0 \\\n    --hash=sha256:aa\nzict==3.0.0 \\\n    --hash=sha256:ff\n"


def test_an_index_out_of_reach_leaves_all_as_it_was(copy):
    done = copy.make("setup", "TORCH=cpu", FAILING=setup_env.INDEX)
    assert done.returncode == 2 and setup_env.INDEX in done.stderr and "plain `make setup` works without" in done.stderr
    assert copy.make("claims").stderr == f"environment: {copy.root}/.venv\n"
    assert len(copy.calls.read_text().splitlines()) == 1


@pytest.mark.parametrize("value", ["gpu", "CPU", "cu130; rm x", "$(touch x)"])
def test_another_torch_is_refused(copy, value):
    done = copy.make("setup", f"TORCH={value}")
    assert done.returncode == 2 and f"TORCH={value} is not known; TORCH=cpu takes" in done.stderr
    assert not (copy.root / "x").exists()


@pytest.mark.parametrize("value", ["; touch x", "$(shell touch x)", "$$(touch x)", "'; touch x; '", "`touch x`", 'a "b c" $d'])
@pytest.mark.parametrize("target", ["lab ARGS", "repro SCALE", "record STUDY", "sweep NAME", "sweep CLUSTER", "replay SCALE"])
def test_what_a_user_gives_is_never_run(copy, target, value):
    target, name = target.split()
    found = told(copy.make(target, f"{name}={value}"))
    assert not (copy.root / "x").exists()
    assert value == found["given"] if name == "ARGS" else any(value in word for word in found["arguments"])


def test_no_python_is_said(copy, tmp_path):
    gone(copy)
    (tmp_path / "bin").mkdir()
    for name in ("make", "sh", "id", "sha256sum", "readlink", "cat"):
        (tmp_path / "bin" / name).symlink_to(shutil.which(name) or "/nowhere")
    done = copy.make("claims", PATH=str(tmp_path / "bin"))
    assert done.returncode == 2 and "no Python from 3.11 to 3.13 on PATH" in done.stderr


def test_no_ensurepip_is_said(copy, monkeypatch, capsys):
    gone(copy)
    monkeypatch.chdir(copy.root)
    monkeypatch.setattr(setup_env.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(sys, "argv", ["", str(copy.env.place), ""])
    assert setup_env.main() == 1 and not copy.env.place.exists()
    assert "has no ensurepip, which makes environments; install it (on Debian and Ubuntu: apt install python3-venv)" in (
        capsys.readouterr().err
    )


@pytest.mark.parametrize("script", ["check_env", "check_git"])
def test_a_folder_that_cannot_be_written_to_is_said(copy, script):
    for folder in (copy.root, *copy.root.parents):
        if not folder.stat().st_mode & 0o005:
            folder.chmod(folder.stat().st_mode | 0o005)  # for the user below
    copy.root.chmod(0o555)
    user = ["setpriv", "--reuid", "65534", "--clear-groups"] if os.getuid() == 0 else []
    command = [*user, "sh", f"pipelines/setup/{script}.sh"]
    done = subprocess.run(command, cwd=copy.root, capture_output=True, text=True)
    copy.root.chmod(0o755)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert f"make writes to {copy.root}, which " in done.stderr
    assert f" may not; clone it elsewhere: git clone '{copy.root}' hourglass" in done.stderr


def test_help_lists_every_target_in_order(copy):
    text = (ROOT / "Makefile").read_text()
    listed = [line.split()[1] for line in copy.make("help").stdout.splitlines()]
    named = [line.split(":")[0] for line in text.splitlines() if "  ## " in line]
    assert listed == named and {"setup", "shell", "repro", "test", "lab", "clean"} <= set(listed)
    assert copy.make().stdout == copy.make("help").stdout


@pytest.fixture(params=["dash", "bash", "busybox", "mksh"])
def tools(request, tmp_path):
    """The programs that macOS has too, with a shell as `sh`: no sha256sum, and a readlink that knows no -f."""
    if not shutil.which(request.param):
        pytest.skip(f"no {request.param} here")
    folder = tmp_path / "tools"
    folder.mkdir()
    for name in ("make", "awk", "cat", "git", "id", "shasum", "uname"):
        (folder / name).symlink_to(shutil.which(name))
    (folder / "sh").symlink_to(shutil.which(request.param))
    (folder / "readlink").write_text("#!/bin/sh\necho 'readlink: illegal option -- f' >&2\nexit 1\n")
    (folder / "readlink").chmod(0o755)
    return folder


def test_the_tools_of_macos_suffice(copy, tools):
    given = {"PATH": str(tools)}
    assert told(copy.make("repro", f"SHELL={tools}/sh", **given))["prefix"] == str(copy.root / ".venv")
    done = copy.make("setup", **given)
    assert done.returncode == 0 and done.stderr == f"environment: {copy.root}/.venv\n" and not copy.calls.exists()
    assert copy.make("help", **given).stdout == copy.make("help").stdout != ""
    assert told(copy.make("doctor", **given))["prefix"] == str(copy.root / ".venv")


def test_without_sha256sum_a_look_at_what_is_ready_needs_no_python(copy, tools):
    """Whose only Python is the environment's, and would not start to set up."""
    (tools / "readlink").unlink()
    (tools / "readlink").symlink_to(shutil.which("readlink"))
    (copy.root / "pipelines/setup/setup_env.py").write_text("raise SystemExit(1)")
    assert copy.make("setup", PATH=str(tools)).returncode == 0
    (tools / "shasum").unlink()
    assert copy.make("setup", PATH=str(tools)).returncode == 2


def test_doctor_passes_over_a_python_that_is_too_old(copy, tmp_path):
    gone(copy)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/python3").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "bin/python3").chmod(0o755)
    path = f"{tmp_path}/bin:/usr/bin:/bin"
    done = copy.make("doctor", PATH=path)
    assert "no Python from 3.11 on is on PATH" in done.stdout or told(done)
    (tmp_path / "bin/python3.12").symlink_to(sys.executable)
    assert told(copy.make("doctor", PATH=path))["lib"] == str(copy.root / "lib/__init__.py")


@pytest.mark.parametrize("features", ["output-sync", ""])
def test_tests_run_side_by_side_only_where_make_keeps_their_outputs_apart(copy, features):
    done = copy.make("--dry-run", "test", f".FEATURES={features}")
    assert done.returncode == 0 and ("--jobs 2 --output-sync=target whole unit programs" in done.stdout) == bool(features)
    assert ("two groups of tests at a time" in done.stdout) == bool(features)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "dash"])
@pytest.mark.parametrize("name", ["plain", *ODD[:2]])
def test_a_shell_has_the_environment_first(tmp_path, shell, name):
    if not shutil.which(shell):
        pytest.skip(f"no {shell} here")
    copy = Copy(tmp_path / name)
    copy.ready()
    (tmp_path / "other").mkdir()
    for rc in (".bashrc", ".zshrc"):
        (tmp_path / rc).write_text(f"PATH={tmp_path}/other:$PATH\n")
    (tmp_path / "other/python").write_text("#!/bin/sh\necho wrong\n")
    (tmp_path / "other/python").chmod(0o755)
    own = {"HOME": str(tmp_path), "PATH": f"{sys.base_prefix}/bin:/usr/bin:/bin", "SHELL": shutil.which(shell), "TERM": "dumb"}
    lines = "python -c 'import lib, sys; print(\"at\", sys.prefix, lib.__file__)'\nexit\n"
    terminal = Terminal(["make", "shell"], cwd=copy.root, env=own)
    terminal.press(lines)
    terminal.end()
    assert f"at {copy.root}/.venv {copy.root}/lib/__init__.py" in terminal.seen.decode(), terminal.lines()
