"""Run folders to one self-contained HTML page: `collect`, `tables`, `charts`, `page`.

`show` draws a policy in the same style.
"""

from learnaug.report.collect import audit_in as audit_in
from learnaug.report.collect import search_in as search_in
from learnaug.report.page import build as build
from learnaug.report.page import write_pictures as write_pictures
