"""Copied into exported files: each geometric operation as a map from output to input.

A map (a, b, c, d, e, f) means x_in = a·x + b·y + c, y_in = d·x + e·y + f, in pixels, with pixel
centres at +0.5: Pillow's convention, and the inverse of how the picture moves.
"""

from __future__ import annotations

from math import cos, floor, radians, sin, sqrt

from learnaug.interop.exports.drawing import Step

__all__ = ["MAPS", "Map", "box", "fixed_point"]

Map = tuple[float, float, float, float, float, float]


def about_centre(a: float, b: float, d: float, e: float, height: int, width: int) -> Map:
    """Return the map with this linear part that keeps the centre of the picture."""
    x, y = width / 2, height / 2
    return a, b, x - a * x - b * y, d, e, y - d * x - e * y


def shear_x(step: Step, height: int, width: int) -> Map:
    """About the top left corner; the value is a tangent."""
    return 1, step.value, 0, 0, 1, 0


def shear_y(step: Step, height: int, width: int) -> Map:
    """About the top left corner; the value is a tangent."""
    return 1, 0, 0, step.value, 1, 0


def translate_x(step: Step, height: int, width: int) -> Map:
    """To the right, by a fraction of the width."""
    return 1, 0, -step.value * width, 0, 1, 0


def translate_y(step: Step, height: int, width: int) -> Map:
    """Down, by a fraction of the height."""
    return 1, 0, 0, 0, 1, -step.value * height


def shift_x(step: Step, height: int, width: int) -> Map:
    """To the right, in pixels."""
    return 1, 0, -step.value, 0, 1, 0


def shift_y(step: Step, height: int, width: int) -> Map:
    """Down, in pixels."""
    return 1, 0, 0, 0, 1, -step.value


def rotate(step: Step, height: int, width: int) -> Map:
    """Counter-clockwise about the centre, in degrees."""
    c, s = round(cos(radians(step.value)), 15), round(sin(radians(step.value)), 15)
    return about_centre(c, -s, s, c, height, width)


def rot90(step: Step, height: int, width: int) -> Map:
    """Counter-clockwise, in quarter turns."""
    return rotate(step._replace(value=90 * round(step.value)), height, width)


def hflip(step: Step, height: int, width: int) -> Map:
    """Mirror left and right."""
    return -1, 0, width, 0, 1, 0


def vflip(step: Step, height: int, width: int) -> Map:
    """Mirror top and bottom."""
    return 1, 0, 0, 0, -1, height


def transpose(step: Step, height: int, width: int) -> Map:
    """Swap rows and columns, about the centre where the picture is not square."""
    return about_centre(0, 1, 1, 0, height, width)


def pad_crop(step: Step, height: int, width: int) -> Map:
    """Pad every side by that fraction, crop the old size at a random place."""
    x, y = round(step.value * width), round(step.value * height)
    right, down = floor(step.extra[0] * (2 * x + 1)) - x, floor(step.extra[1] * (2 * y + 1)) - y
    return 1, 0, right, 0, 1, down


def resized_crop(step: Step, height: int, width: int) -> Map:
    """Crop that share of the area, aspect 3/4 to 4/3, and resize it back."""
    aspect = (4 / 3) ** (2 * step.extra[2] - 1)
    wide = min(sqrt(step.value * height * width * aspect), width)
    high = min(sqrt(step.value * height * width / aspect), height)
    left, top = step.extra[0] * (width - wide), step.extra[1] * (height - high)
    return wide / width, 0, left, 0, high / height, top


def random_crop(step: Step, height: int, width: int) -> Map:
    """Crop that share of both sides at a random place, and resize it back."""
    rest = 1 - step.value
    x, y = step.extra[0] * (rest * width), step.extra[1] * (rest * height)
    return step.value, 0, x, 0, step.value, y


def zoom(step: Step, height: int, width: int) -> Map:
    """Scale about the centre; above 1 comes nearer."""
    return about_centre(1 / step.value, 0, 0, 1 / step.value, height, width)


def distort(step: Step, height: int, width: int) -> Map:
    """Random shear and unequal scale about the centre, each at most the value."""
    a, b, d, e = (step.value * (2 * number - 1) for number in step.extra)
    return about_centre(1 + a, b, d, 1 + e, height, width)


MAPS = {
    "shear_x": shear_x,
    "shear_y": shear_y,
    "translate_x": translate_x,
    "translate_y": translate_y,
    "shift_x": shift_x,
    "shift_y": shift_y,
    "rotate": rotate,
    "rot90": rot90,
    "hflip": hflip,
    "vflip": vflip,
    "transpose": transpose,
    "pad_crop": pad_crop,
    "resized_crop": resized_crop,
    "random_crop": random_crop,
    "zoom": zoom,
    "distort": distort,
}


def fixed_point(step: Step, height: int, width: int) -> tuple[int, list[int]]:
    """Return the fractional bits, and the step's map for pixel centres as whole numbers.

    Whole numbers pick the same pixels on every machine, and the ones that Pillow picks.
    """
    a, b, c, d, e, f = MAPS[step.op](step, height, width)
    if step.interpolation == "nearest" and (a, b, d, e) == (1, 0, 0, 1):
        c, f = floor(c + 0.5), floor(f + 0.5)
    bits = 16 if step.interpolation == "nearest" else 32
    centred = (a, b, c + (a + b) / 2, d, e, f + (d + e) / 2)
    return bits, [floor(number * 2**bits + 0.5) for number in centred]


def box(step: Step, height: int, width: int) -> tuple[int, int, int, int]:
    """Return (top, bottom, left, right) in pixels of a box whose side is that fraction."""
    ends: list[int] = []
    for length, place in ((height, step.extra[1]), (width, step.extra[0])):
        long = floor(step.value * length + 0.5)
        start = floor(place * length) - long // 2
        ends += [min(max(start, 0), length), min(max(start + long, 0), length)]
    return ends[0], ends[1], ends[2], ends[3]
