"""Run folders to one self-contained HTML page: `collect`, `tables`, `charts`, `page`."""

from learnaug.report.page import build as build
from learnaug.report.show import show_policy as show_policy
