"""What is no notebook is named with its line, and of a notebook that ran only what does not vary is kept."""

import json
import os
import re

import nbformat
import pytest

from pipelines.runner.notebook_file import clean, declared, read_notebook, source, typed, write

BROKEN = {
    "empty": (b"", "a.ipynb:1 is empty"),
    "conflict": (b'{\n<<<<<<< HEAD\n "cells": []\n=======\n>>>>>>> other\n}', "a.ipynb:2 holds a merge conflict"),
    "cut": (b'{"cells": [\n{"cell_type": "code",', "a.ipynb:2 is no JSON"),
    "picture": (b"\x89PNG\r\n\x1a\n", "a.ipynb:1 is not UTF-8 text"),
    "a list": (b"[]", "a.ipynb is no notebook of format 4"),
    "newer": (b'{"cells": [], "metadata": {}, "nbformat": 5, "nbformat_minor": 0}', "its format: 5"),
    "older": (b'{"worksheets": [], "metadata": {}, "nbformat": 3, "nbformat_minor": 0}', "its format: 3"),
    "no source": (b'{"cells": [{"cell_type": "code", "metadata": {}}], "nbformat": 4, "nbformat_minor": 5}', "of sound cells"),
    "odd tags": (
        b'{"cells": [{"cell_type": "code", "source": "", "metadata": {"tags": 5}}], "nbformat": 4, "nbformat_minor": 5}',
        "of sound cells",
    ),
    "no cell": (b'{"cells": [3], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}', "a.ipynb is no notebook of format 4"),
    "odd cell": (
        b'{"cells": [{"cell_type": "x", "source": "", "metadata": {}}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}',
        "cells.0",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_no_notebook_is_named_with_its_line(tmp_path, case):
    content, told = BROKEN[case]
    (tmp_path / "a.ipynb").write_bytes(content)
    with pytest.raises(ValueError, match=re.escape(told)):
        read_notebook(tmp_path / "a.ipynb")


def test_a_folder_a_broken_link_and_a_pipe_are_no_notebooks(tmp_path):
    (tmp_path / "folder.ipynb").mkdir()
    (tmp_path / "link.ipynb").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe.ipynb")
    for path in tmp_path.iterdir():
        with pytest.raises(ValueError, match=rf"{path.name} is no file, or leads to none"):
            read_notebook(path)


def test_a_byte_order_mark_and_lines_kept_apart_are_read(tmp_path):
    cell = {
        "cell_type": "code",
        "id": "a",
        "metadata": {},
        "source": ["x = 1\n", "y = 2"],
        "outputs": [],
        "execution_count": None,
    }
    book = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (tmp_path / "a.ipynb").write_bytes(b"\xef\xbb\xbf" + json.dumps(book).encode())
    assert read_notebook(tmp_path / "a.ipynb").cells[0].source == "x = 1\ny = 2"


def ran(count, **metadata):
    """A notebook after a run that counted cells from `count`."""
    told = {"data": {"text/plain": "3"}, "metadata": {"x": count}, "execution_count": count}
    output = nbformat.v4.new_output("execute_result", **told)
    streams = [nbformat.v4.new_output("stream", text=text) for text in ("a", "b\n")]
    error = nbformat.v4.new_output("stream", name="stderr", text=f"a warning at {count}")
    injected = nbformat.v4.new_code_cell("x = 5", metadata={"tags": ["injected-parameters"]})
    cells = [
        nbformat.v4.new_code_cell("x = 1", metadata={"tags": ["parameters"]} | metadata, execution_count=count),
        injected,
        nbformat.v4.new_code_cell("x + 2", outputs=[*streams, error, output], execution_count=count + 1, metadata=metadata),
    ]
    return nbformat.v4.new_notebook(cells=cells, metadata=metadata)


def test_two_runs_that_say_the_same_are_stored_as_the_same_bytes(tmp_path):
    for name, book in (("a", ran(1)), ("b", ran(17, execution={"start": "2026-01-01"}))):
        write(clean(book), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    outputs = nbformat.read(tmp_path / "a", 4).cells[2].outputs
    assert [one.get("text") or one.data["text/plain"] for one in outputs] == ["ab\n", "3"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_source_is_what_a_person_wrote():
    cells = source(ran(4, collapsed=True)).cells
    assert [(cell.source, cell.outputs, cell.execution_count) for cell in cells] == [("x = 1", [], None), ("x + 2", [], None)]
    assert [dict(cell.metadata) for cell in cells] == [{"tags": ["parameters"]}, {}]


def test_a_value_must_be_declared_and_of_its_type():
    known = declared(ran(1), "mine")
    assert known == {"x": 1} and typed({"rate": 0.5}, {"rate": 2}, "mine") == {"rate": 2}
    for given, told in (({"y": 1}, "has no parameter y; it takes x"), ({"x": True}, "must be int like 1, got True")):
        with pytest.raises(ValueError, match=told):
            typed(known, given, "mine")


@pytest.mark.parametrize("cells", [[], [0, 0]])
def test_parameters_stand_in_one_cell(cells):
    book = nbformat.v4.new_notebook(cells=[ran(1).cells[one] for one in cells])
    with pytest.raises(ValueError, match=f"notebook mine has {len(cells)} cells tagged 'parameters', it needs exactly one"):
        declared(book, "mine")
