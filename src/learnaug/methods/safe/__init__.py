"""Safe Augmentation: an audit of operations on held-out pictures, and what it finds safe."""

from learnaug.methods.safe.augmenter import FORMAT as FORMAT
from learnaug.methods.safe.augmenter import Audited as Audited
from learnaug.methods.safe.augmenter import load as load
from learnaug.methods.safe.method import SafeAugmentation as SafeAugmentation
