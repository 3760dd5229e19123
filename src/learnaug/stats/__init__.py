"""How sure a comparison is: paired intervals, exact tests, and the one function that speaks.

All scores are fractions in [0, 1]; only the words of a verdict turn them into percentage points.
Randomness is an argument: the same generator state gives the same interval.
"""

from learnaug.stats.correlations import correlations as correlations
from learnaug.stats.correlations import rank_interval as rank_interval
from learnaug.stats.correlations import resampled_interval as resampled_interval
from learnaug.stats.correlations import resamples as resamples
from learnaug.stats.images import image_interval as image_interval
from learnaug.stats.images import iou_interval as iou_interval
from learnaug.stats.metrics import accuracy as accuracy
from learnaug.stats.metrics import balanced_accuracy as balanced_accuracy
from learnaug.stats.metrics import ece as ece
from learnaug.stats.metrics import nll as nll
from learnaug.stats.metrics import per_class_accuracy as per_class_accuracy
from learnaug.stats.overlaps import Overlap as Overlap
from learnaug.stats.overlaps import iou_per_class as iou_per_class
from learnaug.stats.overlaps import joined as joined
from learnaug.stats.overlaps import mean_iou as mean_iou
from learnaug.stats.overlaps import overlap as overlap
from learnaug.stats.overlaps import pixel_accuracy as pixel_accuracy
from learnaug.stats.pairs import Paired as Paired
from learnaug.stats.pairs import Share as Share
from learnaug.stats.pairs import holm as holm
from learnaug.stats.pairs import paired as paired
from learnaug.stats.pairs import share_won as share_won
from learnaug.stats.pairs import wilson as wilson
from learnaug.stats.words import Verdict as Verdict
from learnaug.stats.words import metric_words as metric_words
from learnaug.stats.words import verdict as verdict
