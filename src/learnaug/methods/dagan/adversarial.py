"""Generator and critic trained against each other, update by update, in the one loop."""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from learnaug.data import ImageSet
from learnaug.errors import RunError
from learnaug.methods.dagan.guide import Guide
from learnaug.methods.dagan.maker import Drawing, Shape, noise
from learnaug.methods.dagan.pairs import Pairs, pixels, turned, turns
from learnaug.methods.dagan.selection import Judge
from learnaug.methods.gallery import present
from learnaug.nets import keyed, reseed
from learnaug.nets.pair_critic import PairCritic
from learnaug.seeds import Seeds
from learnaug.training.forward import autocast
from learnaug.training.target import below, optimiser_tensors, restore_optimiser

if TYPE_CHECKING:
    from learnaug.methods.dagan.method import DAGAN

__all__ = ["Adversaries", "penalty"]

BETAS = (0.0, 0.9)
LOOKS = 8  # at what is made of a few pictures, from before the first update to after the last
SHOWN_ROWS = 8
PROBED = 256  # pairs that the critic is asked about
SMALL = 1e-12  # in the root: its slope at 0 is not finite


def penalty(critic: nn.Module, given: Tensor, between: Tensor) -> Tensor:
    """Return (|slope of the critic along its second picture| - 1)^2 of each pair: float [B].

    The norm is over all values of a picture (the authors' code takes it over one axis alone).

    Args:
        critic: two pictures [B, C, H, W] to scores [B].
        given: float [B, C, H, W], the first picture of each pair.
        between: float [B, C, H, W], a point between a real and a generated second one.
    """
    between = between.detach().requires_grad_()
    scores = critic(given, between)
    (slope,) = torch.autograd.grad(scores.sum(), between, create_graph=True)
    norm = (slope.float().flatten(1).square().sum(1) + SMALL).sqrt()
    return (norm - 1).square()


@dataclass
class _Sums:
    """Sums since the last row of the log."""

    distance: float = 0.0  # real less generated
    penalty: float = 0.0
    count: float = 0.0  # steps of the critic
    named: float = 0.0  # loss of the guide on generated pictures
    made: float = 0.0  # guided steps of the generator

    def means(self) -> dict[str, float]:
        each = max(1.0, self.count)
        found = {"critic_distance": self.distance / each, "penalty": self.penalty / each}
        return found | ({"class_loss": self.named / self.made} if self.made else {})


class Drawn(NamedTuple):
    """Pairs of a class and noise: float [B, C, H, W] in [-1, 1] twice, and float [B, z].

    `rows` are the positions of the first pictures in the source, `turns` how often both are turned
    by 90 degrees: int64 [B] each.
    """

    given: Tensor
    wanted: Tensor
    z: Tensor
    rows: NDArray[np.int64]
    turns: NDArray[np.int64]


class Adversaries:
    """WGAN-GP over pairs of a class: the task that the loop trains.

    One update is `critic_steps` steps of the critic, each with fresh pairs and noise, along
    E[D(x_i, G(x_i, z))] - E[D(x_i, x_j)] + penalty E[(|slope| - 1)^2], and one step of the
    generator along -E[D(x_i, G(x_i, z))] + class_weight E[-log p(class of x_i | G(x_i, z))]. The
    point at which the slope is taken lies between x_j and the generated picture; x_i stays. p is
    of the guide, which stays as it is; the paper has none.

    Args:
        method: the settings.
        shape: of the generator.
        source: pictures of the source classes.
        held: pictures of classes that are not learned from, or of the validation part.
        seeds: keys the first weights, and what is shown.
        device, precision: where and in which number format.
        guide: knows the classes of `source`; None: the critic alone says what a class is.
    """

    def __init__(
        self,
        method: DAGAN,
        shape: Shape,
        source: ImageSet,
        held: ImageSet,
        seeds: Seeds,
        device: torch.device,
        precision: str,
        guide: Guide | None = None,
    ) -> None:
        self.method, self.shape, self.source, self.guide = method, shape, source, guide
        self.device, self.precision = device, precision
        self.pairs = Pairs.of(source.labels)
        self.generator = shape.build(seeds.child("generator")).to(device)
        with keyed(seeds.child("critic")):
            critic = PairCritic(
                shape.channels, shape.size, width=method.critic_width,
                convs=method.critic_convs, blocks=method.blocks, dropout=method.dropout,
            )  # fmt: skip
        self.critic = critic.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.size = min(method.batch, len(self.pairs.rows))
        nets: dict[str, nn.Module] = {"generator": self.generator, "critic": self.critic}
        self.steps = {
            name: torch.optim.Adam(net.parameters(), method.lr, BETAS, fused=True)
            for name, net in nets.items()
        }
        self.sums = _Sums()
        self.judge = Judge("last", [], None)
        self.held, self.looking = held, set[int]()
        rows = present(held.labels if len(held) else source.labels, SHOWN_ROWS)
        self.shown = torch.from_numpy((held if len(held) else source).images[rows]).to(device)
        self.shown_z = noise(len(rows), shape.noise, seeds.child("shown"))
        self.looks: dict[int, Tensor] = {}  # updates made -> uint8 [R, C, H, W]

    def watch(self, updates: int, judge: Judge) -> None:
        """Say how many updates there will be, and who judges the states of the generator."""
        self.judge = judge
        self.looking = {round(updates * i / (LOOKS - 1)) for i in range(LOOKS)}

    def step(self, update: int, seeds: Seeds) -> float:
        """Make one update of both nets and return the mean loss of the critic."""
        if not update:
            self._look(0)
        reseed(seeds.child("dropout", update), self.device)
        self.generator.train()
        self.critic.train()
        total = 0.0
        for number in range(self.method.critic_steps):
            total += self._criticise(update, seeds.child("critic", update, number))
        self._generate(update, seeds.child("generator", update))
        self._look(update + 1)
        return total / self.method.critic_steps

    def drawn(self, seeds: Seeds) -> Drawn:
        """Return fresh pairs and noise."""
        gen = seeds.child("pairs").numpy()
        rows, others = self.pairs.draw(self.size, gen)
        both = pixels(self.source, np.concatenate([rows, others]), self.device)
        how = np.zeros(self.size, np.int64)
        if self.method.rotate:
            how = turns(self.size, self.shape.size, gen)
            both = turned(both, np.concatenate([how, how]))
        given, wanted = both.chunk(2)
        z = noise(self.size, self.shape.noise, seeds.child("noise"))
        return Drawn(given, wanted, z.to(self.device), rows, how)

    def _criticise(self, update: int, seeds: Seeds) -> float:
        given, wanted, z, *_ = self.drawn(seeds)
        place = torch.from_numpy(seeds.child("between").numpy().random(self.size, np.float32))
        part = place.to(self.device)[:, None, None, None]
        with autocast(self.device, self.precision):
            with torch.no_grad():
                made = self.generator(given, z)
            scores = self.critic(torch.cat([given, given]), torch.cat([wanted, made]))
            slope = penalty(self.critic, given, part * wanted + (1 - part) * made).mean()
        real, fake = scores.chunk(2)
        distance = real.mean() - fake.mean()
        loss = self.method.penalty * slope - distance
        self._descend("critic", self.critic, loss, update)
        self.sums.distance += float(distance.detach())
        self.sums.penalty += float(slope.detach())
        self.sums.count += 1
        return float(loss.detach())

    def _generate(self, update: int, seeds: Seeds) -> None:
        given, _, z, rows, how = self.drawn(seeds)
        self.critic.requires_grad_(False)
        with autocast(self.device, self.precision):
            made = self.generator(given, z)
            loss = -self.critic(given, made).mean()
            if self.guide:
                named = self.guide.loss(turned(made, -how), rows)
                loss = loss + self.method.class_weight * named
                self.sums.named += float(named.detach())
                self.sums.made += 1
        self._descend("generator", self.generator, loss, update)
        self.critic.requires_grad_(True)

    def _descend(self, name: str, net: nn.Module, loss: Tensor, update: int) -> None:
        optimiser = self.steps[name]
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.get_total_norm([p.grad for p in net.parameters() if p.grad is not None])
        if not (math.isfinite(float(loss.detach())) and math.isfinite(float(norm))):
            raise RunError(
                f"training stopped at update {update}: loss or gradient of the {name} not finite",
                [f"loss {float(loss.detach())}, gradient norm {float(norm)}"],
                "lower lr",
            )
        optimiser.step()

    def _look(self, update: int) -> None:
        """Keep what is made of the shown pictures, and let the judge look."""
        if update in self.looking:
            self.looks[update] = self.drawing().generate(self.shown, self.shown_z).cpu()
        self.judge.look(update, self.drawing())

    @torch.no_grad()
    def distance(self, seeds: Seeds) -> float | None:
        """Return the critic's mean score of held pairs less that of generated ones, dropout off.

        None where no class of the held pictures has two. Small: the critic cannot tell them apart.
        """
        pairs = Pairs.of(self.held.labels)
        if not len(pairs.rows):
            return None
        first, second = pairs.draw(PROBED, seeds.child("pairs").numpy())
        z, found = noise(PROBED, self.shape.noise, seeds.child("noise")).to(self.device), []
        generator, critic = self.generator.eval(), self.critic.eval()
        for start in range(0, PROBED, self.method.batch):
            part = slice(start, start + self.method.batch)
            given, wanted = (pixels(self.held, rows[part], self.device) for rows in (first, second))
            made = generator(given, z[part])
            found.append(critic(given, wanted) - critic(given, made))
        return float(torch.cat(found).mean())

    def drawing(self) -> Drawing:
        """Return the generator as it is now, in evaluation; it is no copy."""
        return Drawing(self.generator.eval(), self.shape)

    def measure(self, update: int) -> dict[str, Any]:
        """Return the row of the curve: the critic's distance and penalty, means since the last."""
        found, self.sums = self.sums.means(), _Sums()
        return found

    def tensors(self) -> dict[str, Tensor]:
        """Return both nets, their optimisers and the sums of the log."""
        out = {f"generator.{k}": v for k, v in self.generator.state_dict().items()}
        out |= {f"critic.{k}": v for k, v in self.critic.state_dict().items()}
        for name, optimiser in self.steps.items():
            out |= optimiser_tensors(optimiser, f"adam-{name}")
        sums = list(astuple(self.sums))
        out |= {f"look.{update}": look for update, look in self.looks.items()}
        out |= self.judge.tensors()
        return out | {"sums": torch.tensor(sums, dtype=torch.float64)}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Take back what `tensors` returned."""
        for name, net in (("generator", self.generator), ("critic", self.critic)):
            net.load_state_dict(below(tensors, name))
            restore_optimiser(self.steps[name], tensors, f"adam-{name}")
        self.looks = {int(update): look for update, look in below(tensors, "look").items()}
        self.judge.restore(tensors)
        self.sums = _Sums(*tensors["sums"].tolist())
