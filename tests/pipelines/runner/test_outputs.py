"""Outputs of notebooks are the same where only a last digit was rounded otherwise, and nowhere else."""

import pytest
from nbformat import v4

from pipelines.runner.outputs import differences, reconciled, settle

TABLE = "method   rmse   n\nplain   0.150   5\nvib    10.230  12\n"
PAGE = '<table>\n  <tr style="text-align: right;">\n    <td>0.151</td>\n    <td>5</td>\n  </tr>\n</table>'


@pytest.mark.parametrize(
    ("stored", "fresh"),
    [
        ("0.151", "0.150"),
        ("rmse 3.53 over 5 seeds", "rmse 3.54 over 5 seeds"),
        ("9.99e-05", "1.00e-04"),
        ("0.15", "0.1499"),
        ("-0.0004", "-0.0005"),
        ("-0.00", "0.00"),
        ("0.98+0.12j", "0.98+0.13j"),
        ("0.98+0.00j", "0.98-0.00j"),
        ("0.32 ± 0.05", "0.33 ± 0.05"),
        ("nan and inf", "nan and inf"),
        ("9.99  12", "10.00 12"),
        (TABLE, TABLE.replace("0.150", "0.151")),
        ("     rmse  n\na    9.99  5\nb    0.20  7\n", "      rmse  n\na    10.00  5\nb     0.20  7\n"),
        (PAGE, PAGE.replace("0.151", "0.150")),
        ('<path d="M 10.25 30.5" id="m3f9a"/>', '<path d="M 10.26 30.5" id="m3f9a"/>'),
    ],
)
def test_a_last_digit_may_be_rounded_otherwise(stored, fresh):
    assert differences(stored, fresh) == differences(fresh, stored) == []


@pytest.mark.parametrize(
    ("stored", "fresh", "said"),
    [
        ("0.150", "0.152", "a number differs: 0.150, now 0.152"),
        ("0.150", "0.250", "a number differs: 0.150, now 0.250"),
        ("3.530", "3.540", "a number differs"),
        ("0.15", "0.1401", "a number differs"),
        ("0.150", "-0.150", "a number differs"),
        ("0.98+0.12j", "0.98-0.12j", "a number differs"),
        ("1.2e-05", "1.2e-04", "a number differs"),
        ("1e-05", "1e-04", "a number differs"),
        ("5 seeds", "6 seeds", "a number differs: 5, now 6"),
        ("5", "5.0", "a number differs"),
        ("0", "0.1", "a number differs"),
        ("nan", "0.150", "a number differs: nan, now 0.150"),
        ("inf", "-inf", "a number differs"),
        ("nan", "inf", "a number differs"),
        ("torch 2.12.1", "torch 2.12.2", "the text differs"),
        ("sha256 3f9a", "sha256 3f8a", "the text differs"),
        ("x1 rises", "x2 rises", "the text differs"),
        ("it holds", "it fails", "the text differs: 'it holds', now 'it fails'"),
        ("a  b 0.150", "a b 0.150", "the text differs"),
        (TABLE, TABLE.replace("vib    10.230  12\n", ""), "the text differs"),
        (TABLE, TABLE + "nib     0.200   5\n", "the text differs"),
        (TABLE, TABLE.replace("  12", "  13"), "a number differs: 12, now 13"),
        (PAGE, PAGE.replace("0.151", "0.149"), "a number differs: 0.151, now 0.149"),
        (PAGE, PAGE.replace("<td>5</td>", "<td>6</td>"), "a number differs: 5, now 6"),
    ],
)
def test_anything_else_is_a_difference(stored, fresh, said):
    assert differences(stored, fresh)[0].startswith(said) and differences(fresh, stored)


def stream(text, name="stdout"):
    return {"output_type": "stream", "name": name, "text": text}


def shown(text):
    return {"output_type": "display_data", "data": {"text/plain": text}}


def test_outputs_of_one_kind_are_held_against_each_other_in_their_order():
    stored, fresh = [stream("a 0.10"), shown("0.20")], [shown("0.21"), stream("b 0.10")]
    assert reconciled(fresh, stored) == ([shown("0.20"), stream("b 0.10")], ["the text differs: 'a ', now 'b '"])
    assert fresh == [shown("0.21"), stream("b 0.10")], "what was given stays"
    assert reconciled(stored[:1] * 2, stored) == (stored[:1] * 2, []), "one too many is left to be refused"
    assert reconciled([stream("a 0.11", "stderr")], stored) == ([stream("a 0.11", "stderr")], []), (
        "another stream is another kind"
    )


def test_a_notebook_that_ran_again_keeps_what_is_the_same():
    def book(*cells):
        outputs = [(code, [v4.new_output("stream", text=text)]) for code, text in cells]
        return v4.new_notebook(cells=[v4.new_code_cell(code, outputs=made) for code, made in outputs])

    fresh = book(("a", "0.151"), ("b", "0.159"), ("c", "0.151"))
    settle(fresh, book(("a", "0.150"), ("b", "0.150"), ("other", "0.150")))
    assert [cell.outputs[0].text for cell in fresh.cells] == ["0.150", "0.159", "0.151"]
