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


PARAMS = "scale: embedded\ndata: {d: {}}\nnetworks: {a: {paper: f, data: d}}\nruns: {t: {notebook: n, reads: data/raw}}\n"
PAPER = """
runs: {own: {part: p, paper: q, steps: 9}}
scales: {embedded: {}, smoke: {runs: {own: {steps: 1}}}}
"""


@pytest.fixture
def root(tmp_path):
    """A folder with parameters, and what changes them."""
    (tmp_path / "params.yaml").write_text(PARAMS)
    (tmp_path / "notebooks/p/q").mkdir(parents=True)
    (tmp_path / "notebooks/p/q/params.yaml").write_text(PAPER)
    return tmp_path


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("{d: {}}", "{'my data': {}}", "a name in data of params.yaml is 'my data'; it may have letters"),
        ("{d: {}}", "{'my data': {}}", "such as my_data"),
        ("paper: f", "paper: ../f", "networks.a.paper in params.yaml is '../f'"),
        ("data: d}", "data: d, hero: ../d}", "networks.a.hero in params.yaml is '../d'"),
        ("data: d}", "data: 'd; rm x'}", "networks.a.data in params.yaml is 'd; rm x'"),
        ("notebook: n", "notebook: ../../n", "runs.t.notebook in params.yaml is '../../n'; it must be a path below"),
        ("data/raw}", "/etc/passwd}", "runs.t.reads in params.yaml is '/etc/passwd'"),
        (
            "networks: {a: {paper: f, data: d}}",
            "networks: [a]",
            "networks in params.yaml must hold `name: value` lines",
        ),
        (
            "{paper: f",
            "{steps: {1: 0.5}, paper: f",
            "params.yaml: networks: a: steps has the key 1, of type int; write it as text: '1'",
        ),
        ("paper: f", "paper: [{true: 1}]", "has the key True, of type bool"),
        ("paper: f", "paper: {null: 1}", "has the key None"),
        ("runs: {t:", "runs: {own:", "runs.own in notebooks/p/q/params.yaml is given in another file too"),
    ],
)
def test_names_and_keys_are_held_to_their_rule(root, old, new, told):
    assert PARAMS.count(old) == 1
    (root / "params.yaml").write_text(PARAMS.replace(old, new))
    with pytest.raises(ValueError, match=re.escape(told)):
        runs.parameters(root)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            "paper: q",
            "paper: r",
            "runs.own in notebooks/p/q/params.yaml has {'part': 'p', 'paper': 'r'}; in this folder it must",
        ),
        ("part: p, ", "", "has {'part': None, 'paper': 'q'}; in this folder it must have {'part': 'p', 'paper': 'q'}"),
        ("{own: {steps: 1}}", "{own: {step: 1}}", "changes runs.own.step, which notebooks/p/q/params.yaml lacks"),
        ("{own: {steps: 1}}", "{t: {notebook: m}}", "changes runs.t, which notebooks/p/q/params.yaml lacks"),
        ("{own: {part", "{'o;n': {part", "a name in runs of notebooks/p/q/params.yaml is 'o;n'"),
    ],
)
def test_a_papers_parameters_are_its_own(root, old, new, told):
    assert PAPER.count(old) == 1
    (root / "notebooks/p/q/params.yaml").write_text(PAPER.replace(old, new))
    with pytest.raises(ValueError, match=re.escape(told)):
        runs.parameters(root, "smoke")


@pytest.mark.parametrize("text", ["seeds: [1, 2]\n", "scale: smoke\n"])
def test_what_papers_share_stands_in_no_papers_file(root, text):
    (root / "notebooks/p/q/params.yaml").write_text(text)
    with pytest.raises(ValueError, match=r"q/params\.yaml has the section (seeds|scale); a paper's file may have data"):
        runs.parameters(root)


def test_a_section_may_be_empty(root):
    (root / "notebooks/p/q/params.yaml").write_text("runs:\nstudies:\nscales: {embedded:}\n")
    assert runs.parameters(root)["studies"] == {}


def test_sound_parameters_are_read_as_one(root):
    found = runs.parameters(root)
    assert found["networks"]["a"] == {"paper": "f", "data": "d"} and found["runs"].keys() == {"t", "own"}
    assert "scales" not in found and found["runs"]["own"]["steps"] == 9
    assert runs.parameters(root, "smoke")["runs"]["own"]["steps"] == 1


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
