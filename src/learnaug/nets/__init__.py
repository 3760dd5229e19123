"""The networks that the papers name, and the user's own, behind one function: `build`.

Every net takes a normalised float tensor [B, C, H, W] and returns raw scores (logits): [B, classes]
of pictures, or [B, classes, H, W] of pixels. The softmax belongs to the loss; normalisation is the
work of the training loop.
"""

from learnaug.nets.check import check_model as check_model
from learnaug.nets.factory import Spec as Spec
from learnaug.nets.factory import build as build
from learnaug.nets.factory import default_net as default_net
from learnaug.nets.factory import kept as kept
from learnaug.nets.rng import forked as forked
from learnaug.nets.rng import keyed as keyed
from learnaug.nets.rng import reseed as reseed
from learnaug.nets.table import NETS as NETS
from learnaug.nets.table import Row as Row
from learnaug.nets.table import Task as Task

__all__ = [
    "NETS",
    "Row",
    "Spec",
    "Task",
    "build",
    "check_model",
    "default_net",
    "forked",
    "kept",
    "keyed",
    "reseed",
]
