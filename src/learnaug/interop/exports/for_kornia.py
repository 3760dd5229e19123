"""The file for Kornia: an nn.Module for batches, float [0, 1], on any device."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import ceil, radians, sqrt

import torch
from kornia.color import hsv_to_rgb, rgb_to_hsv
from kornia.filters import filter2d, gaussian_blur2d
from torch import Tensor, nn

from learnaug.interop.exports.drawing import STAGES, Step, draw
from learnaug.interop.exports.geometry import MAPS, box, fixed_point
from learnaug.interop.exports.tensors import add_noise, equalize_tiles

__all__ = ["MIXES", "PIXELS", "Batch", "LearnedPolicy", "apply_steps"]

Batch = dict[str, Tensor]  # "images", levels 0 to 255 [B, C, H, W]; if given, "masks", "targets"


class LearnedPolicy(nn.Module):
    """Draw and apply the policy, for each picture of a batch by itself.

    Pictures are rounded to the 256 levels that they had in their files. Random numbers are torch's
    (`torch.manual_seed`), drawn on the host.
    """

    def __init__(self, ignore_index: int = 255) -> None:
        super().__init__()
        self.ignore_index = ignore_index  # class of a mask where the picture ends

    @torch.no_grad()
    def forward(
        self,
        images: Tensor,
        masks: Tensor | None = None,
        targets: Tensor | None = None,
        labels: Tensor | None = None,
    ) -> Tensor | tuple[Tensor, ...]:
        """Return the pictures; or a tuple with the masks and the targets that were given.

        Args:
            images: float [B, C, H, W] in [0, 1].
            masks: whole numbers [B, H, W]; they move with the pictures.
            targets: float [B, K], class probabilities; mixed as the pictures are.
            labels: integers [B]; needed where the policy has weights per class.
        """
        if images.dim() != 4 or not images.is_floating_point():
            raise ValueError(f"float [B, C, H, W] is needed, but got {images.dtype} {images.shape}")
        if MIXES and targets is None:
            raise ValueError("this policy mixes pictures: give their targets, float [B, K]")
        classes = [None] * len(images) if labels is None else labels.tolist()
        uniform = uniforms().__next__
        steps = [draw(STAGES, uniform, label) for label in classes]
        levels = (images.float() * 255).round().clamp(0, 255)
        given = {"images": levels, "masks": masks, "targets": targets}
        batch = {name: tensor for name, tensor in given.items() if tensor is not None}
        for slot in range(max(map(len, steps), default=0)):
            batch = run_slot(batch, steps, slot, self.ignore_index)
        out = (batch.pop("images") / 255).to(images.dtype)
        return (out, *batch.values()) if batch else out


def uniforms() -> Iterator[float]:
    """Return numbers in [0, 1) without end, of torch's generator on the host."""
    generator = None  # torch's own
    while True:
        yield from torch.rand(4096, generator=generator).tolist()


def run_slot(batch: Batch, steps: list[list[Step]], slot: int, ignore_index: int) -> Batch:
    """Return the batch after step number `slot` of every picture that has one."""
    groups: dict[tuple[str, str], list[int]] = {}
    for row, todo in enumerate(steps):
        if len(todo) > slot:
            step = todo[slot]
            key = ("warp", step.interpolation) if step.op in MAPS else (step.op, "")
            groups.setdefault(key, []).append(row)
    out, order = batch, torch.randperm(len(steps), generator=None)
    for (op, _), rows in groups.items():
        part = [steps[row][slot] for row in rows]
        at = torch.tensor(rows)
        own = {name: tensor[at.to(tensor.device)] for name, tensor in batch.items()}
        if op in MIXES:
            other = {name: tensor[order[at].to(tensor.device)] for name, tensor in batch.items()}
            own = MIXES[op](own, other, [draw_mix(step) for step in part])
        else:
            own["images"] = apply_steps(own["images"], part)
            if op == "warp" and "masks" in own:
                hard = [s._replace(fill=ignore_index, interpolation="nearest") for s in part]
                own["masks"] = warp(own["masks"].unsqueeze(1), hard).squeeze(1)
        out = {name: out[name].index_copy(0, at.to(own[name].device), own[name]) for name in out}
    return out


def apply_steps(images: Tensor, steps: list[Step]) -> Tensor:
    """Return the levels [B, C, H, W] after one step each: all of one operation, or all warps."""
    op = steps[0].op
    return warp(images, steps) if op in MAPS else PIXELS[op](images, steps)


def column(numbers: list[float], images: Tensor) -> Tensor:
    """Return one number for each picture, [B, 1, 1, 1]."""
    return torch.tensor(numbers, dtype=torch.float32).to(images.device).view(-1, 1, 1, 1)


def values(steps: list[Step], images: Tensor) -> Tensor:
    """Return the magnitudes, [B, 1, 1, 1]."""
    return column([step.value for step in steps], images)


def warp(images: Tensor, steps: list[Step]) -> Tensor:
    """Resample each picture through its own map; all of one interpolation."""
    B, _, H, W = images.shape
    maps = [fixed_point(step, H, W) for step in steps]
    bits, kind = maps[0][0], steps[0].interpolation
    numbers = torch.tensor([numbers for _, numbers in maps]).to(images.device)
    a, b, c, d, e, f = numbers.view(B, 6, 1, 1).unbind(1)
    across = torch.arange(W, device=images.device)
    down = torch.arange(H, device=images.device).unsqueeze(1)
    x, y = a * across + (b * down + c), d * across + (e * down + f)  # [B, H, W]
    inside = (x >= 0) & (x < W << bits) & (y >= 0) & (y < H << bits)
    if kind == "nearest":
        out = pick(images, y >> bits, x >> bits)
    else:
        half = 1 << (bits - 1)
        out = smooth(images, x - half, y - half, bits, kind)
    fill = torch.tensor([step.fill for step in steps]).to(images).view(B, 1, 1, 1)
    return torch.where(inside.unsqueeze(1), out, fill)


def pick(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Return the pixels at these places [B, H, W]; beyond the edge, the edge's."""
    B, C, H, W = images.shape
    at = rows.clamp(0, H - 1) * W + columns.clamp(0, W - 1)
    found = images.flatten(2).gather(2, at.view(B, 1, H * W).expand(B, C, H * W))
    return found.view(B, C, H, W)


def smooth(images: Tensor, x: Tensor, y: Tensor, bits: int, kind: str) -> Tensor:
    """Weigh the 2×2 or 4×4 neighbours of the places x, y, counted from pixel centres."""
    left, top = x >> bits, y >> bits
    across = taps((x - (left << bits)).float() / 2.0**bits, kind)
    down = taps((y - (top << bits)).float() / 2.0**bits, kind)
    first = 1 - len(across) // 2
    total = torch.full_like(images, 0.5)
    for j, vertical in enumerate(down):
        for i, horizontal in enumerate(across):
            near = pick(images, top + first + j, left + first + i)
            total += near * (vertical * horizontal).unsqueeze(1)
    return total.clamp(0, 255).floor()


def taps(t: Tensor, kind: str) -> tuple[Tensor, ...]:
    """Return the neighbours' weights at the fraction t; bicubic with a = -1, as Pillow."""
    if kind == "bilinear":
        return 1 - t, t
    s = 1 - t
    return -t * s * s, 1 + t * t * (t - 2), 1 + s * s * (s - 2), -s * t * t


def blend(a: Tensor, b: Tensor, weight: Tensor) -> Tensor:
    """Return a + weight·(b - a), the fraction cut off."""
    return (a + weight * (b - a)).clamp(0, 255).floor()


def luminance(images: Tensor) -> Tensor:
    """Return the grey pictures [B, 1, H, W]: Pillow's of three channels, else the mean."""
    if images.shape[1] != 3:
        return (images.mean(1, keepdim=True) + 0.5).floor()
    r, g, b = images.unbind(1)
    grey = (19595 * r + 38470 * g + 7471 * b + 32768) / 65536
    return grey.floor().unsqueeze(1)


def color(images: Tensor, steps: list[Step]) -> Tensor:
    """0 grey, 1 unchanged, 2 more colourful."""
    return blend(luminance(images), images, values(steps, images))


def to_gray(images: Tensor, steps: list[Step]) -> Tensor:
    """All channels become the luminance."""
    return luminance(images).expand_as(images)


def contrast(images: Tensor, steps: list[Step]) -> Tensor:
    """0 flat mean grey, 1 unchanged: about the picture's mean, not about 0.5."""
    pixels = images.shape[2] * images.shape[3]
    total = luminance(images).long().sum((1, 2, 3), keepdim=True)
    mean = (2 * total + pixels) // (2 * pixels)
    return blend(mean.float(), images, values(steps, images))


def brightness(images: Tensor, steps: list[Step]) -> Tensor:
    """Multiply; 0 black, 1 unchanged."""
    return (images * values(steps, images)).clamp(0, 255).floor()


def sharpness(images: Tensor, steps: list[Step]) -> Tensor:
    """0 smoothed, 1 unchanged, 2 sharper; the border row of pixels stays."""
    kernel = torch.ones((1, 3, 3), device=images.device)
    kernel[0, 1, 1] = 5
    flat = images.clone()
    smoothed = (filter2d(images, kernel, "replicate") / 13 + 0.5).floor()
    flat[:, :, 1:-1, 1:-1] = smoothed[:, :, 1:-1, 1:-1]
    return blend(flat, images, values(steps, images))


def posterize(images: Tensor, steps: list[Step]) -> Tensor:
    """Keep that many of the highest bits."""
    width = column([2 ** (8 - round(step.value)) for step in steps], images)
    return (images / width).floor() * width


def solarize(images: Tensor, steps: list[Step]) -> Tensor:
    """Invert every level at or above the threshold, 0 to 256."""
    return torch.where(images < values(steps, images), images, 255 - images)


def invert(images: Tensor, steps: list[Step]) -> Tensor:
    """255 - level."""
    return 255 - images


def gamma(images: Tensor, steps: list[Step]) -> Tensor:
    """255·(level/255)^value."""
    return (255 * (images / 255) ** values(steps, images) + 0.5).floor()


def autocontrast(images: Tensor, steps: list[Step]) -> Tensor:
    """Stretch each channel to the full range; a flat channel stays."""
    low, high = images.amin((2, 3), keepdim=True), images.amax((2, 3), keepdim=True)
    stretched = ((images - low) * 255 / (high - low).clamp(min=1)).floor()
    return torch.where(high > low, stretched, images)


def equalize(images: Tensor, steps: list[Step]) -> Tensor:
    """Flatten each channel's histogram, by Pillow's rule."""
    B, C, H, W = images.shape
    levels = images.long().view(B * C, H * W)
    counts = levels.new_zeros((B * C, 256)).scatter_add_(1, levels, torch.ones_like(levels))
    width = (H * W - counts.gather(1, levels.amax(1, keepdim=True))) // 255
    before = counts.cumsum(1) - counts + width // 2
    table = (before // width.clamp(min=1)).clamp(max=255)
    flat = table.gather(1, levels)
    return torch.where(width > 0, flat, levels).view(B, C, H, W).float()


def hue(images: Tensor, steps: list[Step]) -> Tensor:
    """Turn the hue circle (HSV), in degrees."""
    return change_hsv(images, column([radians(step.value) for step in steps], images), 1)


def saturation(images: Tensor, steps: list[Step]) -> Tensor:
    """Multiply the saturation (HSV)."""
    return change_hsv(images, 0, values(steps, images))


def change_hsv(images: Tensor, turn: Tensor | float, factor: Tensor | float) -> Tensor:
    """Turn the hue by radians and multiply the saturation; only of colour pictures."""
    if images.shape[1] != 3:
        return images
    hsv = rgb_to_hsv(images / 255)
    h, s, v = hsv[:, :1] + turn, (hsv[:, 1:2] * factor).clamp(0, 1), hsv[:, 2:]
    rgb: Tensor = hsv_to_rgb(torch.cat([h, s, v], dim=1))
    return (rgb * 255 + 0.5).clamp(0, 255).floor()


def blur(images: Tensor, steps: list[Step]) -> Tensor:
    """Gaussian of that standard deviation in pixels; the edge is repeated outwards."""
    reach = max(ceil(3 * max(step.value for step in steps)), 1)
    deviations = torch.tensor([[max(step.value, 1e-3)] * 2 for step in steps])
    size = (2 * reach + 1, 2 * reach + 1)
    out: Tensor = gaussian_blur2d(images, size, deviations.to(images), "replicate")
    return (out + 0.5).clamp(0, 255).floor()


def boxes(steps: list[Step], images: Tensor) -> Tensor:
    """Return bool [B, 1, H, W], true inside each picture's box."""
    height, width = images.shape[2:]
    inside = torch.zeros((len(steps), 1, height, width), dtype=torch.bool)
    for row, step in enumerate(steps):
        top, bottom, left, right = box(step, height, width)
        inside[row, :, top:bottom, left:right] = True
    return inside.to(images.device)


def cutout(images: Tensor, steps: list[Step]) -> Tensor:
    """Fill a box of that side, a fraction of the picture's, at a random centre."""
    fill = column([step.fill for step in steps], images)
    return torch.where(boxes(steps, images), fill, images)


def clahe(images: Tensor, steps: list[Step]) -> Tensor:
    """Flatten the luminance's histogram in 8×8 tiles; the value limits the contrast."""
    grey = luminance(images)
    change = equalize_tiles(grey, [step.value for step in steps]) - grey
    return (images + change).clamp(0, 255)


def gauss_noise(images: Tensor, steps: list[Step]) -> Tensor:
    """Independent normal noise of that standard deviation, in grey levels."""
    return add_noise(images, [step.value for step in steps], [step.extra for step in steps])


PIXELS: dict[str, Callable[[Tensor, list[Step]], Tensor]] = {
    "color": color,
    "contrast": contrast,
    "sharpness": sharpness,
    "brightness": brightness,
    "posterize": posterize,
    "solarize": solarize,
    "autocontrast": autocontrast,
    "equalize": equalize,
    "invert": invert,
    "hue": hue,
    "saturation": saturation,
    "gamma": gamma,
    "to_gray": to_gray,
    "blur": blur,
    "cutout": cutout,
    "clahe": clahe,
    "gauss_noise": gauss_noise,
}


def draw_mix(step: Step) -> Step:
    """Draw the share λ from Beta(value, value): the value of mixup; of cutmix, √(1-λ), a side."""
    alpha = torch.tensor(step.value, dtype=torch.float64)
    share = torch.distributions.Beta(alpha, alpha).sample().item()
    return step._replace(value=share if step.op == "mixup" else sqrt(1 - share))


def mixup(own: Batch, other: Batch, steps: list[Step]) -> Batch:
    """λ·own + (1-λ)·partner, λ the value; targets alike."""
    if "masks" in own:
        raise ValueError("mixup cannot be used with masks: a mixture has no hard mask")
    share = values(steps, own["images"])
    targets = other["targets"] + share.view(-1, 1).to(own["targets"]) * (
        own["targets"] - other["targets"]
    )
    return {"images": blend(other["images"], own["images"], share), "targets": targets}


def cutmix(own: Batch, other: Batch, steps: list[Step]) -> Batch:
    """A box, whose side is the value, from the partner; targets by the area that is left."""
    inside = boxes(steps, own["images"])
    out = {"images": torch.where(inside, other["images"], own["images"])}
    if "masks" in own:
        out["masks"] = torch.where(inside.squeeze(1), other["masks"], own["masks"])
    cut = inside.float().mean((1, 2, 3)).to(own["targets"]).unsqueeze(1)
    out["targets"] = own["targets"] + cut * (other["targets"] - own["targets"])
    return out


MIXES: dict[str, Callable[[Batch, Batch, list[Step]], Batch]] = {"mixup": mixup, "cutmix": cutmix}
