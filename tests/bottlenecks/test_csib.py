"""CS-IB is both printed propositions, and its public form a sum of squares."""

import torch

from lib.bottlenecks import BOTTLENECKS
from lib.estimators.cs import conditional_cs_divergence, cs_qmi_normalised


def test_cs_ib_is_both_propositions_with_widths_apart(model, rows):
    x, y, _ = rows
    terms = BOTTLENECKS["cs_ib"](model, *rows, widths=(0.4, 0.9), price_widths=(1.1, 0.6))
    code, guess = terms.watch["code"], terms.watch["prediction"]
    torch.testing.assert_close(terms.fit, conditional_cs_divergence(x, y, guess, width_x=0.4, width_y=0.9))
    torch.testing.assert_close(terms.price, cs_qmi_normalised(x, code, width_x=1.1, width_y=0.6))


def test_the_public_form_of_cs_ib_is_a_sum_of_squares(model, rows):
    terms = BOTTLENECKS["cs_ib_sse"](model, *rows)
    plain = BOTTLENECKS["plain"](model, *rows)
    torch.testing.assert_close(terms.fit, 20 * plain.fit)
