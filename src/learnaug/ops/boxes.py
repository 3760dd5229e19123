"""Move boxes and points as their pictures were moved.

Convention: pixel edges, so that the first pixel covers 0 to 1 and a whole picture 0 to W.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from learnaug.errors import UsageError
from learnaug.ops.draw import Drawn
from learnaug.ops.geometry import matrices
from learnaug.ops.table import INTERPOLATIONS, NAMES, TABLE, op_numbers

__all__ = ["apply_boxes", "apply_points"]

_WARPS = op_numbers(*(name for name, op in TABLE.items() if op.primitive == "warp"))
_MIXERS = op_numbers(*(name for name, op in TABLE.items() if op.partner))
_NEAREST = INTERPOLATIONS.index("nearest")
_CORNERS = ([0, 1], [2, 1], [2, 3], [0, 3])


def apply_boxes(boxes: Tensor, image: Tensor, drawn: Drawn) -> tuple[Tensor, Tensor]:
    """Return the boxes moved as their pictures, and which of them can still be seen.

    After every warp a box is the smallest upright one around its four moved corners, cut at the
    picture's border; so several turns leave it wider than the object. Operations that move
    nothing leave boxes as they are, also cutout, which may hide an object.

    Args:
        boxes: float32 or float64 [N, 4], left, top, right, bottom in pixels (edges).
        image: int64 [N], which picture of the batch each box belongs to.
        drawn: what the pictures underwent.

    Returns:
        boxes [N, 4] of the same type, and keep, bool [N]: False where nothing can be seen; such a
        box has no area.

    Raises:
        UsageError: shapes or types are others; or mixup or cutmix was drawn.

    Example:
        >>> from learnaug.ops import Element, Policy, Stage, draw
        >>> from learnaug.seeds import Seeds
        >>> drawn = draw(Policy((Stage(((Element("hflip"),),)),)), 1, Seeds(0).numpy(), (8, 10))
        >>> boxes, keep = apply_boxes(torch.tensor([[1.0, 2, 4, 5]]), torch.tensor([0]), drawn)
        >>> boxes.tolist(), keep.tolist()
        ([[6.0, 2.0, 9.0, 5.0]], [True])
    """
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise UsageError(f"boxes must be [N, 4], but got {list(boxes.shape)}")
    _check(boxes, image, drawn, "boxes")
    out = _visible(boxes.double(), drawn.size)
    for inverse in _inverses(drawn):
        corners = torch.stack([out[:, pair] for pair in _CORNERS], 1)  # [N, 4, 2]
        moved = _move(corners, inverse, image)
        out = _visible(torch.cat([moved.amin(1), moved.amax(1)], 1), drawn.size)
    return out.to(boxes.dtype), _has_area(out)


def apply_points(points: Tensor, image: Tensor, drawn: Drawn) -> Tensor:
    """Return the points moved as their pictures; those that leave the picture are not clamped.

    Args:
        points: float32 or float64 [N, 2], x and y in pixels; the first pixel's centre is 0.5.
        image: int64 [N], which picture of the batch each point belongs to.
        drawn: what the pictures underwent.

    Raises:
        UsageError: shapes or types are others; or mixup or cutmix was drawn.
    """
    if points.ndim != 2 or points.shape[1] != 2:
        raise UsageError(f"points must be [N, 2], but got {list(points.shape)}")
    _check(points, image, drawn, "points")
    out = points.double().unsqueeze(1)
    for inverse in _inverses(drawn):
        out = _move(out, inverse, image)
    return out.squeeze(1).to(points.dtype)


def _check(parts: Tensor, image: Tensor, drawn: Drawn, words: str) -> None:
    if parts.dtype not in (torch.float32, torch.float64):
        raise UsageError(f"{words} must be float32 or float64, but got {parts.dtype}")
    count = len(drawn)
    fits = image.dtype == torch.int64 and image.shape == (len(parts),)
    if not fits or (len(image) and not 0 <= int(image.min()) <= int(image.max()) < count):
        raise UsageError(
            f"image must be {len(parts)} int64 from 0 to {count - 1}, one for each of the {words}, "
            f"but got {image.dtype} {list(image.shape)}"
        )
    mixed = [NAMES[number] for number in _MIXERS if (drawn.ops == number).any()]
    if mixed:
        raise UsageError(
            f"{mixed[0]} puts a second picture in, so {words} of one picture no longer say what "
            "can be seen",
            mend=f"use a policy without {' and '.join(mixed)} where there are {words}",
        )


def _inverses(drawn: Drawn) -> Iterator[Tensor]:
    """Yield [B, 3, 3], input -> output, of every slot that moves a picture."""
    if 0 in drawn.size:
        return
    for slot in range(drawn.ops.shape[1]):
        ops, near = drawn.ops[:, slot], drawn.interpolation[:, slot] == _NEAREST
        moving = np.isin(ops, _WARPS)
        if not moving.any():
            continue
        out = np.broadcast_to(np.eye(3), (len(drawn), 3, 3)).copy()
        value, extra = drawn.value[moving, slot], drawn.extra[moving, slot]
        # Nearest neighbour shifts by whole pixels.
        out[moving] = matrices(ops[moving], value, extra, drawn.size, whole_pixels=near[moving])
        yield torch.from_numpy(np.linalg.inv(out))


def _move(points: Tensor, inverse: Tensor, image: Tensor) -> Tensor:
    """Return points [N, P, 2] moved by the matrices of their pictures."""
    own = inverse.to(points.device)[image]
    return points @ own[:, :2, :2].mT + own[:, None, :2, 2]


def _has_area(boxes: Tensor) -> Tensor:
    return (boxes[:, 2:] > boxes[:, :2]).all(1)


def _visible(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Cut at the border; a box without area becomes a point, which no later turn makes wide."""
    height, width = size
    end = torch.tensor([width, height, width, height], dtype=boxes.dtype, device=boxes.device)
    cut = torch.minimum(boxes.clamp(min=0), end)
    point = cut[:, :2].repeat(1, 2)
    return torch.where(_has_area(cut).unsqueeze(1), cut, point)
