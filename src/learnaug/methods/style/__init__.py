"""Training pictures in the styles of others: CycleGAN, and a control that only moves colours.

`domains` reads styles, `cycle` trains one CycleGAN, `maker` and `statistics` are what paints when
all is learned, `watch` looks for what goes wrong, `pictures` shows it, `method` has the rows of
METHODS.
"""

from learnaug.methods.style.maker import read as read
from learnaug.methods.style.method import StyleStatistics as StyleStatistics
from learnaug.methods.style.method import StyleTransfer as StyleTransfer
from learnaug.methods.style.statistics import read_statistics as read_statistics
