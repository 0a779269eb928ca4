"""Examples for people: reasons that add up, corrections in order, pictures of units."""

from lib.concepts import methods
from lib.concepts import scenes as task
from lib.concepts.bottleneck import accuracy
from lib.experiments.concept_scenes import examples
from tests.experiments.concept_scenes.samples import LITTLE
from tests.samples import SIZES


def test_examples_show_reasons_that_add_up_and_corrections_in_order(source):
    data = source(4, rho=0.95)
    case = methods.case(data, 4, LITTLE)
    found = examples.examples(case, rho=0.95, **SIZES)
    assert found.images.shape == (4, 3, 32, 32) and found.maps.shape == (4, 32, 32) and len(found.reasons) == 4 * 29
    first = [row["predicted"] for row in found.corrections if row["step"] == 0]
    model = methods.METHODS["PCBM words"](case)
    assert accuracy(model, *data.test) < 1 and all(
        row["predicted"] != row["true"] for row in found.corrections if row["step"] == 0
    )
    assert len(first) == 4 and {row["concept"] for row in found.corrections if row["step"]} <= set(task.CONCEPTS)
    names, fires = examples.gallery(case, rho=0.95, **SIZES)
    assert len(names) == len(fires) and fires.shape[1:] == (6, 3, 32, 32)
