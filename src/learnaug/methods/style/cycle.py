"""One CycleGAN between the training pictures and one style: a task of the training loop."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import interpolate

from learnaug.data import ImageSet, batches
from learnaug.errors import RunError
from learnaug.methods.style.domains import Style
from learnaug.methods.style.maker import fitted
from learnaug.nets.cyclegan import discriminator, generator
from learnaug.seeds import Seeds
from learnaug.training.forward import autocast
from learnaug.training.target import below, optimiser_tensors, restore_optimiser

__all__ = ["Course", "Cycle", "Pool", "enlarged", "rate_at"]

LARGER = 286 / 256  # pictures are enlarged by this before a random part of the old size is cut
BETAS = (0.5, 0.999)
ROW = ("painters", "judges", "cycle", "identity", "changed")  # means in a row of the learning curve


@dataclass(frozen=True, slots=True)
class Course:
    """How one CycleGAN is trained.

    Args:
        updates: of all four nets.
        batch: pictures of each side in an update.
        lr: learning rate of Adam until the decay begins.
        decay: share of the updates, at the end, over which it falls to 0 along a line.
        cycle: weight of the way there and back, in both directions.
        identity: weight of leaving pictures of the own side alone, as a part of `cycle`.
        pool: former generated pictures that the discriminators are shown; 0: the newest alone.
    """

    updates: int
    batch: int = 1
    lr: float = 2e-4
    decay: float = 0.5
    cycle: float = 10.0
    identity: float = 0.5
    pool: int = 50


def rate_at(course: Course, update: int) -> float:
    """Return the learning rate of an update: constant, then along a line that would reach 0 after.

    Example:
        >>> [round(rate_at(Course(4, lr=1.0), update), 2) for update in range(4)]
        [1.0, 1.0, 1.0, 0.5]
    """
    falling = course.decay * course.updates
    return course.lr * min(1.0, (course.updates - update) / falling) if falling else course.lr


def enlarged(edge: int) -> int:
    """Return the edge from which a part of the old size is cut, in pixels.

    Example:
        >>> enlarged(256), enlarged(64)
        (286, 72)
    """
    return round(edge * LARGER)


class Pool:
    """Former generated pictures; what a discriminator is shown in place of the newest ones.

    Until it is full it keeps and shows every picture. Then, with probability 1/2, a random one of
    the pool is shown and the new one takes its place; else the new one is shown.

    Args:
        most: pictures it keeps; 0: the newest are shown.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.kept: list[Tensor] = []

    def shown(self, pictures: Tensor, gen: np.random.Generator) -> Tensor:
        """Return what is shown for new pictures [B, C, H, W], one after another."""
        if not self.most:
            return pictures
        out = []
        for picture in pictures:
            swap, place = gen.random() < 0.5, int(gen.integers(self.most))
            if len(self.kept) < self.most:
                self.kept.append(picture)
            elif swap:
                picture, self.kept[place] = self.kept[place], picture
            out.append(picture)
        return torch.stack(out)


class Cycle:
    """CycleGAN: two generators and two discriminators, trained in turn in every update.

    G paints training pictures x in the style, F takes pictures y of the style back. G and F descend
    along (D_y(G(x)) - 1)² + (D_x(F(y)) - 1)² + cycle (|F(G(x)) - x| + |G(F(y)) - y|) + cycle
    identity (|G(y) - y| + |F(x) - x|), then each D along the mean of (D(real) - 1)² and
    D(shown)², all means over pixels or patches. Pictures are in [-1, 1].

    Args:
        train: the training part; its labels are not looked at.
        style: the other side.
        course: how it is trained.
        nets: width, blocks, layers, and whether the generators add to their input.
        seeds: key the first weights.
        device, precision: where and in which number format.
    """

    def __init__(
        self,
        train: ImageSet,
        style: Style,
        course: Course,
        nets: tuple[int, int, int, bool],
        seeds: Seeds,
        device: torch.device,
        precision: str,
    ) -> None:
        width, blocks, layers, skip = nets
        self.train, self.style, self.course = train, style, course
        self.device, self.precision = device, precision
        channels = train.channels
        made = {
            name: generator(
                channels, width=width, blocks=blocks, skip=skip, seeds=seeds.child(name)
            )
            for name in ("paint", "back")
        } | {
            name: discriminator(channels, width=width, layers=layers, seeds=seeds.child(name))
            for name in ("judge_style", "judge_train")
        }
        fast = torch.channels_last
        self.nets: dict[str, nn.Module] = {
            name: net.to(device).to(memory_format=fast) for name, net in made.items()
        }
        self.paint, self.back = self.nets["paint"], self.nets["back"]
        self.judges = (self.nets["judge_style"], self.nets["judge_train"])
        self.optimisers = {
            "painters": _adam((self.paint, self.back), course),
            "judges": _adam(self.judges, course),
        }
        self.pools = {"style": Pool(course.pool), "train": Pool(course.pool)}
        self.sums = torch.zeros(len(ROW) + 1, dtype=torch.float64)

    def step(self, update: int, seeds: Seeds) -> float:
        """Make a step of both generators, then of both discriminators; return the former's loss."""
        for optimiser in self.optimisers.values():
            for group in optimiser.param_groups:
                group["lr"] = rate_at(self.course, update)
        x = self._side(self.train.images, update, seeds.child("train"))
        y = self._side(self.style.images, update, seeds.child("style"))
        with autocast(self.device, self.precision):
            loss, row, styled, real = self._painters(x, y)
        self._descend("painters", loss, update)
        gen = seeds.child("pool", update).numpy()
        shown = self.pools["style"].shown(styled, gen), self.pools["train"].shown(real, gen)
        with autocast(self.device, self.precision):
            judged = self._judged(self.judges[0], y, shown[0])
            judged = judged + self._judged(self.judges[1], x, shown[1])
        self._descend("judges", judged, update)
        values = [float(loss.detach()), float(judged.detach()), *row, 1.0]
        self.sums += torch.tensor(values, dtype=torch.float64)
        return values[0]

    def _painters(self, x: Tensor, y: Tensor) -> tuple[Tensor, list[float], Tensor, Tensor]:
        """Return the generators' loss, figures in [0, 1], and what they made: G(x), F(y)."""
        for judge in self.judges:
            judge.requires_grad_(False)
        # Normalised by picture: pictures of one batch do not see each other.
        styled, same_y = self.paint(torch.cat([x, y])).chunk(2)
        real, same_x = self.back(torch.cat([y, x])).chunk(2)
        way_x = (self.back(styled) - x).abs().mean()
        way_y = (self.paint(real) - y).abs().mean()
        still = (same_y - y).abs().mean() + (same_x - x).abs().mean()
        fooled = (self.judges[0](styled).float() - 1).square().mean()
        fooled = fooled + (self.judges[1](real).float() - 1).square().mean()
        course = self.course
        loss = fooled + course.cycle * (way_x + way_y + course.identity * still)
        changed = (styled.detach() - x).abs().mean()
        row = [float(value.detach()) / 2 for value in (way_x, still / 2, changed)]
        return loss, row, styled.detach().float(), real.detach().float()

    @staticmethod
    def _judged(judge: nn.Module, real: Tensor, shown: Tensor) -> Tensor:
        judge.requires_grad_(True)
        true, false = judge(torch.cat([real, shown])).float().chunk(2)
        loss: Tensor = ((true - 1).square().mean() + false.square().mean()) / 2
        return loss

    def _descend(self, name: str, loss: Tensor, update: int) -> None:
        if not torch.isfinite(loss):
            raise RunError(
                f"CycleGAN for style {self.style.name} stopped at update {update}: its loss is not "
                "finite",
                [f"loss of the {name} {float(loss.detach())}, rate {self.course.lr:.3g}"],
                "lower lr",
            )
        self.optimisers[name].zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimisers[name].step()

    def _side(self, images: NDArray[np.uint8], update: int, seeds: Seeds) -> Tensor:
        """Return the pictures of one side: enlarged, cut at random, half of them mirrored.

        Args:
            images: uint8 [N, C, H, W] of the training's size, or of the style's.
            update, seeds: key the draws.

        Returns:
            float [B, C, H', W'] in [-1, 1].
        """
        size = min(self.course.batch, len(self.train), len(self.style.images))
        rows = batches(len(images), size, update, seeds)
        given = torch.from_numpy(np.ascontiguousarray(images[rows])).to(self.device)
        given = given.float() / 127.5 - 1
        height, width = self.train.size
        if images is self.train.images:  # those of the style were read at the enlarged size
            large = (enlarged(height), enlarged(width))
            given = interpolate(given, large, mode="bilinear", align_corners=False)
        gen = seeds.child("view", update).numpy()
        views = []
        for picture in given:
            top = int(gen.integers(picture.shape[1] - height + 1))
            left = int(gen.integers(picture.shape[2] - width + 1))
            view = picture[:, top : top + height, left : left + width]
            views.append(view.flip(2) if gen.random() < 0.5 else view)
        return fitted(torch.stack(views)).contiguous(memory_format=torch.channels_last)

    def measure(self, update: int) -> dict[str, Any]:
        """Return the rate, and the mean losses and distances (in [0, 1]) since the last row."""
        count = max(1.0, float(self.sums[-1]))
        means = {name: float(value) / count for name, value in zip(ROW, self.sums, strict=False)}
        self.sums.zero_()
        return {"lr": rate_at(self.course, update - 1), **means}

    def tensors(self) -> dict[str, Tensor]:
        """Return weights, optimisers, pools and sums under flat names."""
        out = {"sums": self.sums.clone()}
        for name, net in self.nets.items():
            out |= {f"{name}.{key}": value for key, value in net.state_dict().items()}
        for name, optimiser in self.optimisers.items():
            out |= optimiser_tensors(optimiser, name)
        for name, pool in self.pools.items():
            out |= {f"pool.{name}.{place}": kept for place, kept in enumerate(pool.kept)}
        return out

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Take back what `tensors` returned."""
        self.sums = tensors["sums"].clone()
        for name, net in self.nets.items():
            net.load_state_dict(below(tensors, name))
        for name, optimiser in self.optimisers.items():
            restore_optimiser(optimiser, tensors, name)
        for name, pool in self.pools.items():
            kept = below(tensors, f"pool.{name}")
            pool.kept = [kept[f"{place}"].to(self.device) for place in range(len(kept))]


def _adam(nets: tuple[nn.Module, ...], course: Course) -> torch.optim.Optimizer:
    parameters = chain.from_iterable(net.parameters() for net in nets)
    return torch.optim.Adam(list(parameters), lr=course.lr, betas=BETAS, fused=True)
