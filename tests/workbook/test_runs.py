"""Parameters: overlays may change what is there and nothing else; names are names, and keys are text."""

import re

import pytest

from lib.workbook import runs


def test_an_overlay_changes_leaves_and_keeps_the_rest():
    base = {"seeds": [0, 1, 2], "runs": {"a": {"epochs": 9, "lr": 0.1}, "b": 1}}
    assert runs.overlay(base, {"seeds": [0], "runs": {"a": {"epochs": 1}}}) == {
        "seeds": [0],
        "runs": {"a": {"epochs": 1, "lr": 0.1}, "b": 1},
    }
    assert base["runs"]["a"]["epochs"] == 9


def test_an_overlay_cannot_add():
    with pytest.raises(ValueError, match=r"changes runs\.a\.epoch, which params\.yaml lacks; it has \['epochs'\]"):
        runs.overlay({"runs": {"a": {"epochs": 9}}}, {"runs": {"a": {"epoch": 1}}})


def test_a_missing_section_is_named_with_those_there_are():
    with pytest.raises(ValueError, match="runs has no 'c'; it has: a, b"):
        runs.section({"runs": {"a": 1, "b": 2}}, "runs.c")


def test_a_missing_result_names_the_command_that_makes_it(tmp_path):
    with pytest.raises(FileNotFoundError, match="make repro"):
        runs.read_json(tmp_path / "claims.json")


def test_json_with_nan_is_refused(tmp_path):
    with pytest.raises(ValueError, match="Out of range float values"):
        runs.write_json(tmp_path / "x.json", {"a": float("nan")})


PARAMS = "scale: embedded\ndata: {d: {}}\nruns: {a: {family: f, data: d}}\ntrials: {t: {notebook: n, reads: [data/raw]}}\n"


@pytest.fixture
def root(tmp_path):
    """A folder with parameters, and what changes them."""
    (tmp_path / "pipelines/scales").mkdir(parents=True)
    (tmp_path / "pipelines/scales/embedded.yaml").write_text("")
    (tmp_path / "params.yaml").write_text(PARAMS)
    return tmp_path


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("{d: {}}", "{'my data': {}}", "a name in data of params.yaml is 'my data'; it may have letters"),
        ("{d: {}}", "{'my data': {}}", "such as my_data"),
        ("family: f", "family: ../f", "runs.a.family in params.yaml is '../f'"),
        ("data: d}", "data: 'd; rm x'}", "runs.a.data in params.yaml is 'd; rm x'"),
        ("notebook: n", "notebook: ../../n", "trials.t.notebook in params.yaml is '../../n'; it must be a path below"),
        ("data/raw]", "/etc/passwd]", "trials.t.reads in params.yaml is '/etc/passwd'"),
        ("runs: {a: {family: f, data: d}}", "runs: [a]", "runs in params.yaml must hold `name: value` lines, got ['a']"),
        (
            "{family: f",
            "{steps: {1: 0.5}, family: f",
            "params.yaml: runs: a: steps has the key 1, of type int; write it as text: '1'",
        ),
        ("family: f", "family: [{true: 1}]", "has the key True, of type bool"),
        ("family: f", "family: {null: 1}", "has the key None"),
    ],
)
def test_names_and_keys_are_held_to_their_rule(root, old, new, told):
    assert PARAMS.count(old) == 1
    (root / "params.yaml").write_text(PARAMS.replace(old, new))
    with pytest.raises(ValueError, match=re.escape(told)):
        runs.parameters(root)


def test_sound_parameters_pass(root):
    assert runs.parameters(root)["runs"]["a"] == {"family": "f", "data": "d"}


@pytest.mark.parametrize("text", ["- a\n", "3\n", "word\n"])
def test_yaml_that_is_no_mapping_is_refused(tmp_path, text):
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(ValueError, match=r"x\.yaml must hold `name: value` lines, got "):
        runs.read_yaml(tmp_path / "x.yaml")


def test_json_whose_keys_would_become_text_is_refused(tmp_path):
    with pytest.raises(ValueError, match=re.escape("x.json: a has the key 1, of type int")):
        runs.write_json(tmp_path / "x.json", {"a": [{1: 0.5}]})


def test_json_that_is_broken_is_named(tmp_path):
    (tmp_path / "x.json").write_text('{"a": ')
    with pytest.raises(ValueError, match=r"x\.json is not valid JSON: .*; mend it; `git checkout`"):
        runs.read_json(tmp_path / "x.json")


@pytest.mark.parametrize("line", ["scale: embedded  # note", 'scale: "embedded"', "scale: paper", "scale:\tembedded"])
def test_a_scale_is_set_however_it_is_written(line):
    assert re.match(r"scale: smoke(  # note)?\nseeds: 1\n", runs.with_scale(f"{line}\nseeds: 1\n", "smoke"))


def test_parameters_without_a_scale_are_refused(root):
    (root / "params.yaml").write_text("seeds: [0]\n")
    with pytest.raises(ValueError, match=r"unknown scale None in params\.yaml; known: smoke"):
        runs.parameters(root)
    with pytest.raises(ValueError, match=r"params\.yaml has no line `scale: smoke`"):
        runs.with_scale("seeds: [0]\n", "smoke")


def test_yaml_in_another_encoding_is_named(tmp_path):
    (tmp_path / "x.yaml").write_bytes("name: wörk\n".encode("latin-1"))
    with pytest.raises(ValueError, match=r"x\.yaml is not valid YAML: 'utf-8' codec can't decode"):
        runs.read_yaml(tmp_path / "x.yaml")


def test_folders_are_numbered_and_a_link_is_removed_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "ROOT", tmp_path)
    assert [runs.numbered("a/b"), runs.numbered("a/b")] == ["a/b-1", "a/b-2"]
    (tmp_path / "a/b-3.ipynb").touch()
    assert runs.numbered("a/b") == "a/b-4"
    (tmp_path / "link").symlink_to(tmp_path / "a")
    for name in ("link", "none", "a/b-3.ipynb"):
        runs.remove(tmp_path / name)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "b-1", "b-2", "b-4"]
    runs.remove(tmp_path / "a")
    assert list(tmp_path.iterdir()) == []
