"""What concept models do when the background misleads: edits of heads, names of discovered units, and a knob of correlation.

Also what sparse objectives come to by themselves, and a network that learns the pictures with no concept in between.
"""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lib.concepts import leakage, posthoc, sparse
from lib.concepts.baselines import zero_shot
from lib.concepts.bottleneck import ConceptModel, accuracy, predict
from lib.concepts.discover import name_units
from lib.concepts.meaning import agrees
from lib.concepts.methods import METHODS, Budget, Case, case, names_of
from lib.concepts.scenes import BACKGROUNDS, HELD_OUT, drawn, labels
from lib.core.precision import usual
from lib.core.types import Rows, Words
from lib.data.captions.attributes import favourite
from lib.data.embeddings import Embedded
from lib.experiments.concept_scenes.table import Models, Source, shots
from lib.experiments.tables import Tables

KINDS = ("contrastive", "gumbel", "gumbel_all", "entmax", "bernoulli")
CHANNELS = (16, 32, 64)


def spurious(label: int) -> int:
    """Return the concept that the knob ties to a class: its shape's favourite background."""
    return BACKGROUNDS[int(favourite(torch.tensor(label // 2)))]


def untied(scene: dict[str, int], own: Case, fitted: Models) -> Tables:
    """Return few shots, whether an identity holds, and a network of the pictures alone, where nothing is tied."""
    differs = {"isotropic": [{"seed": own.seed, "differs": isotropic(own.data, own.seed)}]}
    return shots(own, fitted) | differs | end_to_end(own.seed, rho=0.0, epochs=own.budget.net, **scene)


def misled(scene: dict[str, int], rho: float, fair: Source, own: Case, fitted: Models) -> Tables:
    """Return `edits` of models that learnt where the background tells, judged where it does not, and `names` of units.

    Also a network of the pictures alone. fair: the same with nothing tied; its validation rows are what fine-tuning sees.
    """
    data, seed, target = own.data, own.seed, fair(own.seed).valid
    model, units = fitted["PCBM words"], fitted["discover, then name"]
    naming = name_units(own.dictionary(), 0, names_of(own.data))
    called = [name for name, dead in zip(naming.names, naming.dead.tolist(), strict=True) if not dead]
    made = edited(model, seed) | {"fine-tuned": posthoc.fine_tuned(model, target)} | without(units, called, data, seed)
    rows = [{"seed": seed, "edit": name} | scored(one, data) for name, one in made.items()]
    told = named(units, called, naming.cosine[~naming.dead], data, seed)
    return {"edits": rows, "names": told} | end_to_end(seed, rho=rho, epochs=own.budget.net, **scene)


def edited(model: ConceptModel, seed: int) -> dict[str, ConceptModel]:
    """Return a model as it is, and with the tied background or another concept in use taken from every class."""
    draw, found = torch.Generator().manual_seed(seed), dict.fromkeys(("none", "prune", "normalise", "other"), model)
    for k in range(len(model.bias)):
        own = spurious(k)
        used = [j for j in model.weights[k].nonzero().flatten().tolist() if j not in BACKGROUNDS]
        found["prune"] = posthoc.prune(found["prune"], k, own)
        found["normalise"] = posthoc.prune(found["normalise"], k, own, normalise=True)
        if used:
            other = used[int(torch.randint(len(used), (), generator=draw))]
            found["other"] = posthoc.prune(found["other"], k, other)
    return found


def without(units: ConceptModel, called: list[str], data: Embedded, seed: int) -> dict[str, ConceptModel]:
    """Return a model on discovered units as it is, without those called by a background, and without as many others."""
    names = {data.concepts.names[j] for j in BACKGROUNDS}
    ground = torch.tensor([j for j, name in enumerate(called) if name in names], dtype=torch.long)
    rest = torch.tensor([j for j, name in enumerate(called) if name not in names], dtype=torch.long)
    drawn_ones = rest[torch.randperm(len(rest), generator=torch.Generator().manual_seed(seed))[: len(ground)]]
    cut = {"units": ground[:0], "units without backgrounds": ground, "units without others": drawn_ones}
    return {name: units._replace(weights=units.weights.index_fill(1, gone, 0.0)) for name, gone in cut.items()}


def scored(model: ConceptModel, data: Embedded) -> dict[str, float]:
    """Return accuracy on the test, and on its images whose background is not the one that training tied to their class."""
    own = torch.tensor([spurious(k) for k in data.test.y.tolist()])
    broken = data.test_truth.gather(1, own[:, None])[:, 0] == 0
    part = Rows(data.test.x[broken], data.test.y[broken])
    return {"accuracy": accuracy(model, *data.test), "broken_accuracy": accuracy(model, *part)}


def named(units: ConceptModel, called: list[str], cosine: Tensor, data: Embedded, seed: int) -> list[dict]:
    """Return for each unit that fires its name, the concept it tells best (area under ROC on the test), and a shuffled name."""
    u, truth = units.score(data.test.x), data.test_truth
    kept = [j for j in range(truth.shape[1]) if 0 < truth[:, j].double().mean() < 1]
    tells = leakage.area(u.T[..., None].expand(-1, -1, len(kept)), truth[:, kept])  # (units, concepts)
    best = [data.concepts.names[kept[j]] for j in tells.argmax(1).tolist()]
    turned = torch.randperm(len(called), generator=torch.Generator().manual_seed(seed)).tolist()
    rows = zip(called, best, tells.amax(1).tolist(), cosine.tolist(), (called[i] for i in turned), strict=True)
    columns = ("name", "tells", "area", "cosine", "shuffled")
    return [{"seed": seed} | dict(zip(columns, row, strict=True)) for row in rows]


def knob(sources: dict[float, Source], budget: Budget, seed: int) -> Tables:
    """Return table `knob`: of every method whether concepts exist, weights follow and maps find, by how much all was tied."""
    rows = []
    for rho, source in sources.items():
        own = case(source(seed), seed, budget)
        for name, method in METHODS.items():
            model = method(own)
            rows.append({"seed": seed, "rho": rho, "method": name} | agrees(name, model, own.data) | scored(model, own.data))
    return {"knob": rows}


def alone(seed: int, *, rows: int = 32, columns: int = 20, steps: int = 400) -> Tables:
    """Return table `alone`: how free logits end whose only loss is a sparse objective, rows shuffled at each step.

    entropy: of softmax rows (of sparsemax rows for entmax) over log L; open: share of gates that are open.
    """
    found = []
    for kind in KINDS:
        draw = torch.Generator().manual_seed(seed)
        z = (2 * torch.randn(rows, columns, generator=draw, dtype=torch.float64)).requires_grad_()
        adam, price = torch.optim.Adam([z], 0.1, fused=True), sparse.KINDS[kind][1]
        for _ in range(steps):
            order = torch.randperm(rows, generator=draw)
            adam.zero_grad()
            price(torch.eye(columns, dtype=z.dtype), z[order], sparse.gumbel(z.shape, draw)).backward()
            adam.step()
        p = sparse.sparsemax(z.detach()) if kind == "entmax" else z.detach().softmax(1)
        gates = z.detach().sigmoid() if kind == "bernoulli" else (p > 0).double()
        entropy = torch.special.entr(p).sum(1).mean() / torch.tensor(columns).double().log()
        found.append({"seed": seed, "kind": kind, "entropy": entropy.item(), "open": gates.mean().item()})
    return {"alone": found}


def isotropic(data: Embedded, seed: int) -> float:
    """Return the share of test images on which Concept Matrix Search over an orthonormal bank and zero-shot disagree."""
    width = data.test.x.shape[1]
    noise = torch.randn(width, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    frame = Words([f"axis {j}" for j in range(width)], torch.linalg.qr(noise).Q)
    searched = sparse.concept_matrix_search(data.classes, frame, data.train.x, centre=False)
    plain = zero_shot(data.classes, data.train.x)
    return (predict(searched, data.test.x) != predict(plain, data.test.x)).double().mean().item()


def end_to_end(seed: int, *, rho: float, n: int, valid: int, test: int, epochs: int = 8) -> Tables:
    """Return the test accuracy of convolutions trained on the pictures alone, of the epoch of best validation accuracy."""
    parts = [(usual(s.images) / 127.5 - 1, labels(s.truth)) for s in drawn(seed, rho=rho, n=n, valid=valid, test=test)]
    (x, y), held, (final, told) = parts
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed + HELD_OUT)
        layers = [nn.Sequential(nn.Conv2d(a, b, 4, 2, 1), nn.BatchNorm2d(b), nn.ReLU()) for a, b in pairwise((3, *CHANNELS))]
        net = nn.Sequential(*layers, nn.Flatten(), nn.Linear(CHANNELS[-1] * 16, 12))
    adam, draw, best = torch.optim.Adam(net.parameters(), 2e-3), torch.Generator().manual_seed(seed), (-1.0, 0.0)
    for _ in range(epochs):
        net.train()
        for rows in torch.randperm(len(y), generator=draw).split(64):
            adam.zero_grad()
            F.cross_entropy(net(x[rows]), y[rows]).backward()
            adam.step()
        net.eval()
        with torch.no_grad():
            scores = [(net(z).argmax(1) == k).double().mean().item() for z, k in (held, (final, told))]
        best = max(best, tuple(scores))
    return {"methods": [{"seed": seed, "method": "end-to-end net", "accuracy": best[1], "valid_accuracy": best[0]}]}
