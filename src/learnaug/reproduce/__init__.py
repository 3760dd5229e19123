"""Tables of papers, as data, and the runs that put our figures beside theirs."""

from learnaug.reproduce.found import Found as Found
from learnaug.reproduce.runner import PAPERS as PAPERS
from learnaug.reproduce.runner import listed as listed
from learnaug.reproduce.runner import read as read
from learnaug.reproduce.runner import run as run
