"""Draw a policy's random numbers for a batch: on the host, the same for every device."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from learnaug.errors import UsageError
from learnaug.ops.compiled import CompiledStage
from learnaug.ops.geometry import box
from learnaug.ops.policy import Policy
from learnaug.ops.table import op_numbers

__all__ = ["EXTRA", "Drawn", "draw"]

EXTRA = 4  # free uniform numbers for places, aspect and the like
_PER_SLOT = 3 + EXTRA  # does it happen, how strong, which sign, and the free ones
_SLOTTED = ("ops", "value", "extra", "fill", "interpolation", "partner", "mix")
_MIXUP, _CUTMIX = op_numbers("mixup", "cutmix")


@dataclass(frozen=True, slots=True)
class Drawn:
    """What a batch of B pictures will undergo: S slots in order, all on the host.

    Args:
        ops: int16 [B, S]; number of the operation in TABLE's order, -1 for nothing.
        value: float32 [B, S]; magnitude in the operation's unit, sign included (cutmix: side of
            the box as a fraction).
        extra: float32 [B, S, 4]; uniform in [0, 1): x, y and two more, for places and shapes.
        fill: int16 [B, S]; grey level outside the picture.
        interpolation: int8 [B, S]; position in INTERPOLATIONS.
        partner: int64 [B, S]; index in the batch of the picture mixed in; the own index if none.
        mix: float32 [B, S]; share of the own picture; 1 without a partner.
        branch: int16 [B, stages]; the branch that each stage chose.
        size: (H, W) that the places were drawn for.
    """

    ops: NDArray[np.int16]
    value: NDArray[np.float32]
    extra: NDArray[np.float32]
    fill: NDArray[np.int16]
    interpolation: NDArray[np.int8]
    partner: NDArray[np.int64]
    mix: NDArray[np.float32]
    branch: NDArray[np.int16]
    size: tuple[int, int]

    def __len__(self) -> int:
        return len(self.ops)

    def take(self, *at: Any) -> Drawn:
        """Return the numbers at an index: `take(rows)`, or `take(rows, slot)` without the axis S.

        Partners still count in the whole batch.
        """
        return replace(self, branch=self.branch[at[0]], **self._slots(at))

    def reordered(self, order: NDArray[np.int64]) -> Drawn:
        """Return the same with the slots of each picture in another order: int64 [B, S]."""
        return replace(self, **self._slots((np.arange(len(self))[:, None], order)))

    def _slots(self, at: tuple[Any, ...]) -> dict[str, Any]:
        return {name: getattr(self, name)[at] for name in _SLOTTED}


def draw(
    policy: Policy,
    n: int,
    gen: np.random.Generator,
    size: tuple[int, int],
    labels: NDArray[np.int64] | None = None,
) -> Drawn:
    """Draw what happens to each of n pictures.

    Args:
        policy: what may happen.
        n: pictures in the batch.
        gen: NumPy generator (`Seeds(...).numpy()`); the only source of randomness.
        size: (H, W) of the pictures in pixels.
        labels: int64 [n]; needed where a stage has weights per class.

    Raises:
        UsageError: labels are missing, or out of the range of a stage's weights.

    Example:
        >>> from learnaug.ops import spaces
        >>> from learnaug.seeds import Seeds
        >>> draw(spaces.trivialaugment(), 5, Seeds(0).numpy(), (32, 32)).ops.shape
        (5, 1)
    """
    compiled = policy.compiled
    stages = len(compiled.stages)
    uniform = gen.random((n, stages + compiled.slots * _PER_SLOT), dtype=np.float32)
    slots = uniform[:, stages:].reshape(n, compiled.slots, _PER_SLOT)
    drawn = _empty(n, compiled.slots, stages, size, slots)
    at = 0
    for number, stage in enumerate(compiled.stages):
        rows = _rows(stage, drawn.branch, number, labels)
        branch = _choose(stage, uniform[:, number], rows)
        drawn.branch[:, number] = branch
        _fill_slots(drawn, stage, branch, slots, slice(at, at + stage.length))
        at += stage.length
    if compiled.mixes:
        _draw_partners(drawn, gen)
    return drawn


def _empty(
    n: int, slots: int, stages: int, size: tuple[int, int], uniform: NDArray[np.float32]
) -> Drawn:
    return Drawn(
        ops=np.full((n, slots), -1, np.int16),
        value=np.zeros((n, slots), np.float32),
        extra=uniform[:, :, 3:],
        fill=np.zeros((n, slots), np.int16),
        interpolation=np.zeros((n, slots), np.int8),
        partner=np.repeat(np.arange(n)[:, None], slots, axis=1),
        mix=np.ones((n, slots), np.float32),
        branch=np.zeros((n, stages), np.int16),
        size=(int(size[0]), int(size[1])),
    )


def _rows(
    stage: CompiledStage,
    branch: NDArray[np.int16],
    number: int,
    labels: NDArray[np.int64] | None,
) -> NDArray[np.int64] | None:
    """Return which row of the stage's weights each picture uses; None where there is one row."""
    if stage.given == "previous":
        return branch[:, number - 1].astype(np.int64)
    if stage.given != "class":
        return None
    if labels is None:
        raise UsageError("the policy has weights per class: `labels` must be given to draw")
    rows = np.asarray(labels, np.int64)
    classes = len(stage.cumulative)
    if rows.shape != (len(branch),) or (len(rows) and not 0 <= rows.min() <= rows.max() < classes):
        raise UsageError(
            f"labels must be {len(branch)} integers from 0 to {classes - 1} for this policy"
        )
    return rows


def _choose(
    stage: CompiledStage, uniform: NDArray[np.float32], rows: NDArray[np.int64] | None
) -> NDArray[np.int64]:
    at: NDArray[np.int64]
    if rows is None:
        at = np.searchsorted(stage.cumulative[0], uniform, side="right")
        return at
    at = np.count_nonzero(stage.cumulative[rows] <= uniform[:, None], axis=1)
    return at


def _fill_slots(
    drawn: Drawn,
    stage: CompiledStage,
    branch: NDArray[np.int64],
    slots: NDArray[np.float32],
    span: slice,
) -> None:
    """Write the chosen branches' elements into the slots of this stage."""
    if stage.length == 0:
        return
    chosen = stage.fields[branch]  # [n, L]
    happens, strength, side = (slots[:, span, i] for i in range(3))
    value = chosen["low"] + strength * chosen["span"]
    count = chosen["count"]
    if count.any():
        at = (strength * count).astype(np.int64)
        listed = np.take_along_axis(stage.values[branch], at[:, :, None], axis=2)[:, :, 0]
        value = np.where(count > 0, listed, value)
    mirrored = chosen["sign"] & (side < 0.5)
    on = happens < chosen["p"]
    drawn.value[:, span] = np.where(mirrored, chosen["mirror"] - value, value) * on
    drawn.ops[:, span] = np.where(on, chosen["op"], -1)
    drawn.fill[:, span] = chosen["fill"]
    drawn.interpolation[:, span] = chosen["interpolation"]


def _draw_partners(drawn: Drawn, gen: np.random.Generator) -> None:
    """Give each picture that mixes a partner of the batch and its own share λ."""
    n, slots = drawn.ops.shape
    for slot in range(slots):
        order = gen.permutation(n)
        ops = drawn.ops[:, slot]
        mixing = (ops == _MIXUP) | (ops == _CUTMIX)
        alpha = np.where(mixing, drawn.value[:, slot], 1.0)
        share = gen.beta(alpha, alpha)
        drawn.partner[:, slot] = np.where(mixing, order, np.arange(n))
        drawn.mix[:, slot] = np.where(mixing, share, 1.0)
        cut = ops == _CUTMIX
        # The box is clipped at the border: its true area, in pixels, is what the targets get.
        drawn.value[cut, slot] = np.sqrt(1 - share[cut])
        drawn.mix[cut, slot] = _kept_area(
            drawn.value[cut, slot], drawn.extra[cut, slot], drawn.size
        )


def _kept_area(
    side: NDArray[np.float32], extra: NDArray[np.float32], size: tuple[int, int]
) -> NDArray[np.float64]:
    y0, y1, x0, x1 = box(side, extra, size)
    return 1 - (y1 - y0) * (x1 - x0) / max(size[0] * size[1], 1)
