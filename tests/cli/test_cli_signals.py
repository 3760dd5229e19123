"""Ctrl-C and SIGTERM in every phase: what is done is kept, and the last line goes on."""

import json
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

# A study that takes for ever. It is put in place of the real one, so that no torch is loaded;
# `stop` is how it answers the first signal.
FAKE = """
import sys, time, types, pathlib
api = types.ModuleType("learnaug.api")

def compare(data, methods, *, out, say, **options):
    out = pathlib.Path(out or "runs of/digits")
    if {plan}:
        out.mkdir(parents=True)
        (out / "plan.json").write_text("{{}}")
    try:
        say({{"event": "start", "text": "started", "total_runs": 3, "out": str(out)}})
        time.sleep(60)
    finally:
        {stop}

api.compare = compare
sys.modules["learnaug.api"] = api
from learnaug.cli import main
main()
"""


def started(tmp_path, *args, plan=True, stop="pass"):
    code = textwrap.dedent(FAKE).format(plan=plan, stop=stop)
    child = subprocess.Popen(
        [sys.executable, "-c", code, "compare", *args], cwd=tmp_path, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert child.stderr.readline() == "started\n"
    return child


@pytest.mark.parametrize(
    ("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["int", "term"]
)
def test_stop_ends_with_the_command_that_goes_on(tmp_path, signum, code):
    child = started(tmp_path, "digits")
    child.send_signal(signum)
    out, err = child.communicate(timeout=10)
    assert child.returncode == code
    assert err.splitlines()[-1] == "learnaug resume 'runs of/digits'"
    assert "Traceback" not in err
    assert out == ""


def test_before_there_is_a_plan_the_same_command_goes_on(tmp_path):
    child = started(tmp_path, "my digits", "--out", "o", plan=False)
    child.send_signal(signal.SIGINT)
    assert child.communicate(timeout=10)[1].splitlines()[-1] == (
        "learnaug compare 'my digits' --out o"
    )


def test_json_of_a_stop_is_one_document(tmp_path):
    child = started(tmp_path, "digits", "--json", "--out", "o")
    child.send_signal(signal.SIGTERM)
    out, err = child.communicate(timeout=10)
    told = json.loads(out)["error"]
    assert (told["code"], told["mend"]) == (143, "learnaug resume o")
    assert err.splitlines()[-1] == "learnaug resume o"


def test_second_ctrl_c_ends_at_once(tmp_path):
    slow = "say({'event': 'note', 'text': 'slow'}); time.sleep(60)"
    child = started(tmp_path, "digits", stop=slow)
    child.send_signal(signal.SIGINT)
    assert child.stderr.readline() == "slow\n"
    start = time.monotonic()
    child.send_signal(signal.SIGINT)
    child.wait(10)
    assert time.monotonic() - start < 1
    assert child.returncode == 130


def test_a_stop_of_the_study_itself_is_understood(tmp_path):
    """While it trains, the study listens itself and raises a KeyboardInterrupt with `signum`."""
    stop = "error = KeyboardInterrupt(); error.signum = 15; raise error"
    child = started(tmp_path, "digits", stop=stop)
    child.send_signal(signal.SIGINT)
    err = child.communicate(timeout=10)[1]
    assert child.returncode == 143
    assert err.splitlines()[-1].startswith("learnaug resume")


@pytest.mark.slow
def test_a_real_comparison_is_stopped_and_goes_on(tmp_path):
    base = [sys.executable, "-m", "learnaug"]
    line = "compare digits cutout --seeds 1 --confirm-seeds 1 --per-class 5 --out o --jobs 1"
    child = subprocess.Popen(
        [*base, *line.split(), "--epochs", "30"], cwd=tmp_path, text=True, stderr=subprocess.PIPE
    )
    for told in child.stderr:
        if told.startswith("[1/"):
            child.send_signal(signal.SIGINT)
            break
    last = [told.strip() for told in child.stderr][-1]
    assert (child.wait(60), last) == (130, "learnaug resume o")
    done = subprocess.run(
        [*base, "resume", "o", "--json"], cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0
    told = json.loads(done.stdout)
    assert told["runs"]["done"] == told["runs"]["planned"]
    assert Path(tmp_path, told["report"]).is_file()
