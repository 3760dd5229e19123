"""The paper's learner: a table over pairs of elements, updated by PPO (Schulman et al. 2017).

Two defects of the reference code are not repeated: its ratio is old over new, so that its steps
lower what was rewarded; and its baseline holds the reward that it is held against.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import logsigmoid

from learnaug.ops.policy import Element, Policy, Stage

__all__ = ["TABLES", "PairTable"]

TABLES = ("multinomial", "conditional")
EMA = 0.9  # of the baseline
CLIP, INNER, DIVERGED = 0.2, 5, 0.002  # of the ratio; steps a reward; nats of KL that end them
RATE, BETAS, SCALE = 0.1, (0.5, 0.999), 0.5  # of Adam; of the advantage

Floats = NDArray[np.float64]


class PairTable:
    """The distribution over n x n pairs of elements, first then second, and its learner.

    p_ij = sigmoid(theta_ij) / sum of sigmoid(theta) (the paper), or p_i p_j|i, each of them such a
    normalised sigmoid (the reference code). All theta begin at 0: every pair alike.

    Args:
        elements: n elements.
        kind: "multinomial" or "conditional".
    """

    def __init__(self, elements: tuple[Element, ...], kind: str) -> None:
        n = len(elements)
        self.elements, self.kind = elements, kind
        shapes = [(n * n,)] if kind == "multinomial" else [(n,), (n, n)]
        self.theta = [torch.zeros(shape, dtype=torch.float64) for shape in shapes]
        for each in self.theta:
            each.requires_grad_()
        self.adam = torch.optim.Adam(self.theta, lr=RATE, betas=BETAS)
        self.baseline: float | None = None

    def log_chances(self) -> Tensor:
        """Return the log probability of every pair: float64 [n, n]."""
        n = len(self.elements)
        if self.kind == "multinomial":
            return _normalised(self.theta[0]).reshape(n, n)
        return _normalised(self.theta[0])[:, None] + _normalised(self.theta[1])

    def chances(self) -> Floats:
        """Return the probability of every pair: float64 [n, n], sum 1."""
        with torch.no_grad():
            found: Floats = self.log_chances().exp().numpy()
        return found

    def reward(self, reward: float, counts: NDArray[np.int64]) -> float:
        """Learn from the reward of a trial; return its advantage over the baseline.

        Every pair is given the share of the advantage that it had of the draws:
        maximise sum_ij c_ij / c * min(r_ij A, clip(r_ij, 1 ± 0.2) A), r = p_new / p_old.

        Args:
            reward: any scale.
            counts: int64 [n * n], how often each pair was applied in the trial.
        """
        baseline = reward if self.baseline is None else self.baseline
        advantage = SCALE * (reward - baseline)
        self.baseline = EMA * baseline + (1 - EMA) * reward
        n = len(self.elements)
        share = torch.from_numpy(counts / max(1, counts.sum())).reshape(n, n)
        old = self.log_chances().detach()
        for _ in range(INNER):
            now = self.log_chances()
            if float((old.exp() * (old - now.detach())).sum()) > DIVERGED:
                break
            loss = -surrogate(now, old, share, advantage)
            self.adam.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            self.adam.step()
        return advantage

    def policy(self, chances: Floats | None = None) -> Policy:
        """Return the policy that draws a pair for each picture from these probabilities."""
        chances = self.chances() if chances is None else chances
        pairs = tuple((a, b) for a in self.elements for b in self.elements)
        return Policy((Stage(pairs, tuple(float(p) for p in chances.ravel())),), "aws-paper")


def surrogate(now: Tensor, old: Tensor, share: Tensor, advantage: float) -> Tensor:
    """Return PPO's clipped objective, to be maximised.

    Args:
        now, old: log probabilities [n, n] of the new and the old table.
        share: [n, n], of the draws of the trial.
        advantage: of its reward.

    Example:
        >>> p = torch.tensor([[0.5, 0.5]]).log()
        >>> float(surrogate(p, p, torch.tensor([[1.0, 0.0]]), 2.0))
        2.0
    """
    ratio = (now - old).exp()
    clipped = ratio.clamp(1 - CLIP, 1 + CLIP)
    return (share * torch.minimum(ratio * advantage, clipped * advantage)).sum()


def _normalised(theta: Tensor) -> Tensor:
    """Return the log of the normalised sigmoid over the last axis."""
    log = logsigmoid(theta)
    return log - log.logsumexp(-1, keepdim=True)
