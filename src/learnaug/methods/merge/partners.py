"""Who is merged with whom: distinct pictures of one class, from the training part alone."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from learnaug.data import ImageSet
from learnaug.seeds import Seeds

__all__ = ["Pool", "clusters", "digest_of", "pixels", "pool_of", "short"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
NAMED = 5  # classes that a line names
SIDE = 8  # pictures are averaged to at most 8 x 8 before they are clustered


@dataclass(frozen=True, eq=False)
class Pool:
    """Pictures sorted into cells; partners are drawn within a cell.

    Args:
        rows: int64 [N], positions of the pictures, those of a cell side by side.
        start, size: int64 [N], where the cell of a picture begins in `rows`, and how many it has.
        rank: int64 [N], the place of a picture within its cell.
        labels: int64 [N].
    """

    rows: Ints
    start: Ints
    size: Ints
    rank: Ints
    labels: Ints

    def others(self, of: Ints, number: int, gen: np.random.Generator) -> Ints:
        """Return `number` distinct other pictures from the cell of each picture: int64 [B, number].

        All subsets and orders are equally likely. A cell that has too few others gives each of
        them once and then some again; a picture that is alone in its cell is given itself.
        """
        size, chosen = self.size[of], [self.rank[of]]
        spread = gen.random((len(of), number))
        for j in range(number):
            left = size - 1 - j
            place = _free(spread[:, j], np.maximum(left, 1), chosen)
            again = _free(spread[:, j], np.maximum(size - 1, 1), chosen[:1])
            chosen.append(np.where(left > 0, place, np.where(size > 1, again, chosen[0])))
        places = np.stack(chosen, 1)[:, 1:]
        rows: Ints = self.rows[self.start[of][:, None] + places]
        return rows

    def of_labels(self, labels: Ints, number: int, gen: np.random.Generator) -> Ints:
        """Return `number` distinct pictures of each label: int64 [B, number].

        The first is any picture of the class, the others come from its cell. Every label must have
        a picture: `has` says so.
        """
        order = np.argsort(self.labels, kind="stable")
        begin = np.searchsorted(self.labels[order], labels)
        count = np.searchsorted(self.labels[order], labels, "right") - begin
        first = order[begin + _below(gen.random(len(labels)), count)]
        return np.concatenate([first[:, None], self.others(first, number - 1, gen)], 1)

    def has(self, labels: Ints) -> npt.NDArray[np.bool_]:
        """Return which labels have a picture: bool [B]."""
        return np.isin(labels, self.labels)


def _below(spread: Floats, number: Ints) -> Ints:
    """Return floor(u n): uniform integers in 0 … n - 1."""
    return np.minimum((spread * number).astype(np.int64), number - 1)


def _free(spread: Floats, left: Ints, taken: list[Ints]) -> Ints:
    """Return the places that are the u-th of those that are not taken."""
    place = _below(spread, left)
    for other in np.sort(np.stack(taken), axis=0):
        place = place + (place >= other)
    return place


def pool_of(labels: Ints, cells: Ints | None = None) -> Pool:
    """Return the pool of pictures with these labels, cut finer where `cells` are given.

    Args:
        labels: int64 [N].
        cells: int64 [N], number of a cluster or group; partners have label and cell in common.

    Example:
        >>> pool = pool_of(np.array([0, 1, 0, 1, 0]))
        >>> sorted(pool.others(np.array([2]), 2, Seeds(0).numpy())[0].tolist())
        [0, 4]
    """
    keys = np.stack([labels, np.zeros_like(labels) if cells is None else cells], 1)
    cell = np.unique(keys, axis=0, return_inverse=True)[1].reshape(-1)
    rows = np.argsort(cell, kind="stable").astype(np.int64)
    counts = np.bincount(cell) if len(cell) else np.zeros(0, np.int64)
    starts = np.cumsum(counts) - counts
    rank = np.empty(len(labels), np.int64)
    rank[rows] = np.arange(len(labels)) - starts[cell[rows]]
    return Pool(rows, starts[cell], counts[cell].astype(np.int64), rank, labels)


def short(pool: Pool, classes: Sequence[str], k: int) -> list[str]:
    """Return a line for all classes of which some picture has as few others, less than k."""
    found: dict[int, list[str]] = {}
    for label, name in enumerate(classes):
        sizes = pool.size[pool.labels == label]
        if len(sizes) and sizes.min() < k + 1:
            found.setdefault(int(sizes.min()) - 1, []).append(name)
    return [_few(names, others, k) for others, names in sorted(found.items())]


def _few(names: list[str], others: int, k: int) -> str:
    shown = ", ".join(map(repr, names[:NAMED]))
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    word = f"only {others}" if others else "no other"
    mend = f"some are taken again; lower k to {others}" if others else "it is merged with itself"
    of = "class" if len(names) == 1 else "classes"
    return f"{of} {shown}{more}: a picture has {word} to merge with (k = {k}): {mend}"


def pixels(data: ImageSet) -> Floats:
    """Return the pictures averaged to at most 8 x 8, as rows of numbers: float64 [N, D]."""
    high, wide = (max(1, side // SIDE) for side in data.size)
    height, width = data.size[0] // high * high, data.size[1] // wide * wide
    cut = data.images[:, :, :height, :width].astype(np.float64) / 255
    shape = (len(data), data.channels, height // high, high, width // wide, wide)
    space: Floats = cut.reshape(shape).mean((3, 5)).reshape(len(data), -1)
    return space


def clusters(space: Floats, labels: Ints, number: int, least: int, seeds: Seeds) -> Ints:
    """Return clusters within each class (k-means), none with fewer than `least` pictures.

    What lies in a smaller cluster joins the largest one of its class.

    Args:
        space: float64 [N, D], where pictures are near one another.
        labels: int64 [N].
        number: clusters a class, at most.
        least: pictures a cluster, at least.
        seeds: keys the first centres.

    Returns:
        int64 [N]: the number of the cluster within the class.
    """
    from sklearn.cluster import KMeans

    found = np.zeros(len(labels), np.int64)
    for label in np.unique(labels):
        of = np.flatnonzero(labels == label)
        wanted = min(number, max(1, len(of) // least), len(np.unique(space[of], axis=0)))
        key = seeds.child("clusters", int(label)).integer(32)
        own = KMeans(wanted, n_init=1, random_state=key).fit_predict(space[of]).astype(np.int64)
        counts = np.bincount(own, minlength=wanted)
        found[of] = np.where(counts[own] < least, counts.argmax(), own)
    return found


def digest_of(data: ImageSet) -> str:
    """Return the SHA-256 (hex) of the pictures' ids, by which a part is known again."""
    return hashlib.sha256("\n".join(data.ids).encode("utf-8", "surrogatepass")).hexdigest()
