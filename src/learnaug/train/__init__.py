"""The one training loop, its classification task, the recipe and evaluation."""

from learnaug.train.augmenter import Augmenter as Augmenter
from learnaug.train.augmenter import Phase as Phase
from learnaug.train.classify import fit as fit
from learnaug.train.device import choose_device as choose_device
from learnaug.train.device import choose_precision as choose_precision
from learnaug.train.device import cores as cores
from learnaug.train.device import threads as threads
from learnaug.train.evaluate import measure as measure
from learnaug.train.evaluate import predict as predict
from learnaug.train.loop import Keep as Keep
from learnaug.train.loop import Stopped as Stopped
from learnaug.train.recipe import Recipe as Recipe
from learnaug.train.recipe import default_epochs as default_epochs
