"""DAGAN: a generator learns from pairs of a class to make pictures of classes it has not seen.

`classes` cuts the data, `pairs` draws from it, `adversarial` trains generator and critic in the one
loop, `selection` chooses the state that is kept, `maker` is what is left, `watch` looks for what
goes wrong, `pictures` shows it, `method` is the row of METHODS.
"""

from learnaug.methods.dagan.maker import Drawing as Drawing
from learnaug.methods.dagan.maker import read as read
from learnaug.methods.dagan.method import DAGAN as DAGAN
