"""The one training loop, its two tasks (classes, masks), the recipe and evaluation."""

from learnaug.training.augmenter import Augmenter as Augmenter
from learnaug.training.augmenter import Phase as Phase
from learnaug.training.device import choose_device as choose_device
from learnaug.training.device import choose_precision as choose_precision
from learnaug.training.device import cores as cores
from learnaug.training.device import threads as threads
from learnaug.training.evaluate import goal_of as goal_of
from learnaug.training.evaluate import measure as measure
from learnaug.training.evaluate import predict as predict
from learnaug.training.evaluate import watched as watched
from learnaug.training.loop import Keep as Keep
from learnaug.training.loop import Stopped as Stopped
from learnaug.training.recipe import Recipe as Recipe
from learnaug.training.recipe import default_epochs as default_epochs
from learnaug.training.target import fit as fit
