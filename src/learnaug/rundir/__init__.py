"""The run folder: every file of it is written whole, named in one place and owned by one process.

`layout` names the files, `files` writes them, `documents` is JSON, `records` journals, `arrays`
and `tensors` numbers, `checkpoints` what a stopped run goes on from, `locks` the one owner,
`clock` the only clock and `origins` where a result came from.
"""

from learnaug.rundir.arrays import read_arrays as read_arrays
from learnaug.rundir.arrays import read_map as read_map
from learnaug.rundir.arrays import write_arrays as write_arrays
from learnaug.rundir.arrays import write_map as write_map
from learnaug.rundir.checkpoints import Checkpoints as Checkpoints
from learnaug.rundir.clock import now_utc as now_utc
from learnaug.rundir.clock import seconds as seconds
from learnaug.rundir.clock import sleep as sleep
from learnaug.rundir.clock import stopwatch as stopwatch
from learnaug.rundir.documents import parse_json as parse_json
from learnaug.rundir.documents import read_json as read_json
from learnaug.rundir.documents import write_json as write_json
from learnaug.rundir.files import check_writable as check_writable
from learnaug.rundir.files import free_bytes as free_bytes
from learnaug.rundir.files import free_space_check as free_space_check
from learnaug.rundir.files import injected as injected
from learnaug.rundir.files import make_folder as make_folder
from learnaug.rundir.files import read_bytes as read_bytes
from learnaug.rundir.files import remove as remove
from learnaug.rundir.files import remove_folder as remove_folder
from learnaug.rundir.files import say_aloud as say_aloud
from learnaug.rundir.files import sweep as sweep
from learnaug.rundir.files import write_bytes as write_bytes
from learnaug.rundir.files import write_text as write_text
from learnaug.rundir.layout import augmenter_folder as augmenter_folder
from learnaug.rundir.layout import cache_path as cache_path
from learnaug.rundir.layout import check_path as check_path
from learnaug.rundir.layout import checkpoint_folder as checkpoint_folder
from learnaug.rundir.layout import config_path as config_path
from learnaug.rundir.layout import curve_path as curve_path
from learnaug.rundir.layout import galleries_path as galleries_path
from learnaug.rundir.layout import given_folder as given_folder
from learnaug.rundir.layout import learn_folder as learn_folder
from learnaug.rundir.layout import learned_folder as learned_folder
from learnaug.rundir.layout import lock_path as lock_path
from learnaug.rundir.layout import log_path as log_path
from learnaug.rundir.layout import metrics_path as metrics_path
from learnaug.rundir.layout import model_path as model_path
from learnaug.rundir.layout import origin_path as origin_path
from learnaug.rundir.layout import pictures_path as pictures_path
from learnaug.rundir.layout import plan_path as plan_path
from learnaug.rundir.layout import policy_path as policy_path
from learnaug.rundir.layout import predictions_path as predictions_path
from learnaug.rundir.layout import report_path as report_path
from learnaug.rundir.layout import resuming as resuming
from learnaug.rundir.layout import run_folder as run_folder
from learnaug.rundir.layout import samples_path as samples_path
from learnaug.rundir.layout import slug as slug
from learnaug.rundir.layout import split_path as split_path
from learnaug.rundir.layout import status_path as status_path
from learnaug.rundir.layout import summary_path as summary_path
from learnaug.rundir.locks import lock as lock
from learnaug.rundir.locks import lock_handles as lock_handles
from learnaug.rundir.origins import origin as origin
from learnaug.rundir.origins import versions as versions
from learnaug.rundir.records import Results as Results
from learnaug.rundir.records import append_record as append_record
from learnaug.rundir.records import read_records as read_records
from learnaug.rundir.records import write_records as write_records
from learnaug.rundir.tensors import load_tensors as load_tensors
from learnaug.rundir.tensors import save_tensors as save_tensors
from learnaug.rundir.tensors import tensor_digest as tensor_digest
