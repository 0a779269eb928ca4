"""Objectives: terms(model, x, y, noise, *, options) -> Terms, one for each stacked member; loss = fit + beta * price."""

from lib.bottlenecks.csib import cs_ib_sse_terms, cs_ib_terms
from lib.bottlenecks.hsic import hsic_terms
from lib.bottlenecks.nib import exp_nib_terms, nib_terms, square_nib_terms
from lib.bottlenecks.plain import plain_terms
from lib.bottlenecks.vib import vib_terms

BOTTLENECKS = {
    "plain": plain_terms,
    "vib": vib_terms,
    "nib": nib_terms,
    "square_nib": square_nib_terms,
    "exp_nib": exp_nib_terms,
    "hsic": hsic_terms,
    "cs_ib": cs_ib_terms,
    "cs_ib_sse": cs_ib_sse_terms,
}
