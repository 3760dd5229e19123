"""The methods, behind one interface and in one table."""

from learnaug.methods.augmenters import Chain as Chain
from learnaug.methods.augmenters import PolicyAugmenter as PolicyAugmenter
from learnaug.methods.augmenters import policy_of as policy_of
from learnaug.methods.augmenters import refusal as refusal
from learnaug.methods.augmenters import traced as traced
from learnaug.methods.base import Budget as Budget
from learnaug.methods.base import Learned as Learned
from learnaug.methods.base import Learning as Learning
from learnaug.methods.base import Method as Method
from learnaug.methods.fixed import Fixed as Fixed
from learnaug.methods.fixed import Given as Given
from learnaug.methods.gallery import Gallery as Gallery
from learnaug.methods.settings import filled as filled
from learnaug.methods.table import CONTROLS as CONTROLS
from learnaug.methods.table import METHODS as METHODS
from learnaug.methods.table import Row as Row
from learnaug.methods.table import card as card
from learnaug.methods.table import is_learned as is_learned
from learnaug.methods.table import load_augmenter as load_augmenter
from learnaug.methods.table import resolve as resolve
from learnaug.methods.table import rows_of as rows_of
from learnaug.methods.table import unfit_for_masks as unfit_for_masks
