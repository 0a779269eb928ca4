"""What every concept model must be compared with: the embedding itself, prompts alone, and concepts that mean nothing."""

from collections.abc import Sequence

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from lib.concepts.bottleneck import ConceptModel, accuracy, cosines, model_of, standardised, words
from lib.core import checks
from lib.core.types import Rows, Words

STRENGTHS = (0.01, 0.1, 1.0, 10.0, 100.0)


def linear_probe(train: Rows, valid: Rows, *, strengths: Sequence[float] = STRENGTHS) -> ConceptModel:
    """Fit softmax regression on standardised embeddings, its inverse penalty C chosen by validation accuracy.

    Of equal accuracies the strongest penalty is taken. Its concepts are the coordinates, which have no names.
    """
    score = standardised(lambda x: x.double(), train.x)
    u, y, found = score(train.x).numpy(), classes_of(train.y).numpy(), []
    for strength in sorted(strengths):
        head = LogisticRegression(C=checks.positive(float(strength), "strength"), max_iter=2000).fit(u, y)
        weights, bias = two_rows(head)
        model = model_of(score, weights, bias, train.x, concepts=[f"coordinate {j}" for j in range(u.shape[1])])
        found.append((accuracy(model, valid.x, valid.y), model))
    return max(found, key=lambda pair: pair[0])[1]


def classes_of(y: Tensor) -> Tensor:
    """Refuse labels that leave a class of 0..K-1 without rows, or name one class only."""
    counts = checks.labels(y, len(y)).bincount()
    if len(counts) < 2 or (counts == 0).any():
        empty = (counts == 0).nonzero().flatten().tolist()
        raise ValueError(f"training labels need at least 2 classes and rows of each, got {len(counts)} with none of {empty}")
    return y.long()


def two_rows(head: LogisticRegression) -> tuple[Tensor, Tensor]:
    """Return weights (K, L) and bias (K,); two classes have one row w in scikit-learn, which is (-w/2, w/2) here.

    A single row added to both logits would cancel in the softmax, and its concepts would decide nothing.
    """
    weights, bias = (torch.from_numpy(np.array(part, dtype=float)) for part in (head.coef_, head.intercept_))
    if len(weights) > 1:
        return weights, bias
    return torch.cat([-weights, weights]) / 2, torch.cat([-bias, bias]) / 2


def zero_shot(prompts: Words, x: Tensor, *, scale: float = 100.0) -> ConceptModel:
    """Return the model whose concepts are the prompts of the classes: logit_k = scale cos(x, prompt_k).

    x: (n, d) only sets the mean and the extremes of the scores. Source: [radford2021learning].
    """
    prompts = words(prompts, "class prompts", width=x.shape[1])
    eye = torch.eye(len(prompts.names), dtype=torch.float64)
    return model_of(lambda z: scale * cosines(z, prompts.vectors), eye, eye.new_zeros(len(eye)), x, concepts=prompts.names)


def random_vectors(count: int, width: int, *, seed: int) -> Words:
    """Return `count` directions drawn evenly from the sphere, what a bank without any meaning looks like."""
    draws = torch.randn(count, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return Words([f"random {j}" for j in range(count)], draws / draws.norm(dim=1, keepdim=True))


def random_words(vocabulary: Words, count: int, *, seed: int) -> Words:
    """Return `count` words of a vocabulary that has nothing to do with the task, drawn without replacement."""
    vocabulary = words(vocabulary, "vocabulary")
    if checks.counted(count, "count") > len(vocabulary.names):
        raise ValueError(f"count is {count} and the vocabulary has {len(vocabulary.names)} words; give a longer one")
    drawn = torch.randperm(len(vocabulary.names), generator=torch.Generator().manual_seed(seed))[:count]
    return Words([vocabulary.names[j] for j in drawn.tolist()], vocabulary.vectors[drawn])
