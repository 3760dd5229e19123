"""A network learns to merge pictures of a class into new ones, along with the classifier.

`networks` are what merges, `partners` chooses what is merged, `losses` says what is like what,
`joint` trains both nets in one loop, `watch` looks for what goes wrong, `augmenter` is what is left
when the target is done, `method` and `controls` are the rows of METHODS.
"""

from learnaug.methods.merge.augmenter import Merging as Merging
from learnaug.methods.merge.augmenter import load as load
from learnaug.methods.merge.controls import ClassMixup as ClassMixup
from learnaug.methods.merge.controls import MeanOfK as MeanOfK
from learnaug.methods.merge.export import export_onnx as export_onnx
from learnaug.methods.merge.method import SmartAugmentation as SmartAugmentation
