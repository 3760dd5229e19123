"""What a call answers: status, message, one JSON document; the study itself is stubbed."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from learnaug import api, study
from learnaug.cli.guard import run
from learnaug.cli.tables import print_comparison
from learnaug.errors import DataError, RunError
from learnaug.seeds import Seeds

SUMMARY = {
    "schema": 1,
    "data": {"name": "tiny", "classes": ["a", "b"], "train": 40, "valid": 10, "test": 14},
    "metric": "balanced_accuracy",
    "methods": [
        {"method": "none", "stage": "screen", "part": "valid", "seeds": [0, 1, 2],
         "scores": [0.5, 0.52, 0.54], "mean": 0.52, "learn_seconds": 0.0, "train_seconds": 61.0,
         "failed": 0},
        {"method": "cutout", "stage": "screen", "part": "valid", "seeds": [0, 2],
         "scores": [0.6, 0.5], "mean": 0.55, "learn_seconds": 7200.0, "train_seconds": 3.0,
         "failed": 1},
        {"method": "none", "stage": "confirm", "part": "test", "seeds": [3], "scores": [0.5],
         "mean": 0.5, "learn_seconds": 0.0, "train_seconds": 3.0, "failed": 0},
        {"method": "cutout", "stage": "confirm", "part": "test", "seeds": [], "scores": [],
         "mean": None, "learn_seconds": 0.0, "train_seconds": 0.0, "failed": 0},
    ],
    "verdict": {"words": "WORDS OF THE VERDICT.", "outcome": "too-few-runs"},
    "against_trivialaugment": {"words": "SECOND VERDICT.", "outcome": "too-few-runs"},
    "runs": {"planned": 8, "done": 6, "failed": 1},
}  # fmt: skip


@pytest.fixture
def studied(monkeypatch, tmp_path):
    """Stub the study; return what it was called with."""
    called = {}
    page = tmp_path / "report.html"

    def compare(*args, say, **options):
        called.update(options, args=args)
        say({"event": "start", "total_runs": 9, "done_runs": 1, "text": "a \x1b[31m start"})
        at = {"method": "cutout", "seed": 1, "stage": "screen"}
        say({"event": "run-start", **at, "share": 0.0})
        say({"event": "run-step", **at, "share": 0.5, "eta_seconds": 130.0})
        say({"event": "run-end", **at, "share": 1.0, "score": 0.713, "eta_seconds": 7300.0})
        say({"event": "run-failed", **at, "share": 0.2, "error": "out of memory"})
        say({"event": "run-stopped", **at, "share": 0.2})
        say({"event": "verdict", "words": "said on stdout alone"})
        policy = tmp_path / "policy.json"
        policy.write_text("{}")
        return SimpleNamespace(
            summary=SUMMARY, out=tmp_path / "out", report=page, policy=policy,
            best=SimpleNamespace(folder=tmp_path / "best"),
        )  # fmt: skip

    def train(*args, say, **options):
        called.update(options, args=args)
        return SimpleNamespace(
            metrics={"part": "test", "accuracy": 0.75, "per_class": {"a": 0.5, "b": 1.0}},
            out=tmp_path / "out",
        )

    monkeypatch.setattr(api, "compare", compare)
    monkeypatch.setattr(study, "train", train)
    monkeypatch.setattr(api, "resume", lambda out, **options: compare(out, **options))
    return called


@pytest.fixture
def failing(monkeypatch):
    """Make the study raise what the test asks for."""

    def ask(fault):
        def compare(*args, **options):
            raise fault

        monkeypatch.setattr(api, "compare", compare)

    return ask


# --- compare, train, resume


def test_options_reach_the_study(studied):
    line = "digits cutout flip-crop+mixup --seeds 2 --confirm-seeds 7 --model b1 --baseline cutout"
    line += " --epochs 4 --per-class 20 --seed 9 --minutes 1.5 --jobs 2 --size 16"
    line += " --ops rotate,invert --classes x,y --device cpu --out o"
    assert run(["compare", *line.split()]) == 0
    assert studied.pop("args") == ("digits", ["cutout", "flip-crop+mixup"])
    assert studied == {
        "seeds": 2, "confirm_seeds": 7, "model": "b1", "baseline": "cutout", "epochs": 4,
        "per_class": 20, "seed": 9, "minutes": 1.5, "jobs": 2, "size": 16,
        "ops": ["rotate", "invert"], "classes": "x,y", "device": "cpu", "out": Path("o"),
        "drop_duplicates": False, "accept_change": False,
    }  # fmt: skip


def test_without_options_the_study_decides(studied):
    assert run(["compare", "digits"]) == 0
    assert studied.pop("args") == ("digits", None)
    given = {name: value for name, value in studied.items() if value is not None}
    assert given == {
        "seeds": 3, "confirm_seeds": 6, "baseline": "none", "seed": 0, "device": "auto",
        "drop_duplicates": False, "accept_change": False,
    }  # fmt: skip


def test_train_takes_an_augmenter(studied):
    assert run(["train", "digits", "--with", "a/b.json", "--epochs", "2"]) == 0
    assert studied["args"] == ("digits", "a/b.json")
    assert studied["epochs"] == 2


@pytest.mark.parametrize("command", ["compare", "train"])
def test_duplicates_are_dropped_on_demand(studied, command):
    assert run([command, "digits", "--drop-duplicates"]) == 0
    assert studied["drop_duplicates"] is True


def test_check_forgives_duplicates_on_demand(tmp_path, capsys):
    gen = Seeds(3).numpy()
    pixels = gen.integers(0, 256, (24, 8, 8), np.uint8)
    pixels[20] = pixels[0]  # in train and in test, of one class
    source = tmp_path / "set.npz"
    y = np.arange(24) % 2
    np.savez(source, x_train=pixels[:20], y_train=y[:20], x_test=pixels[20:], y_test=y[20:])
    assert run(["check", str(source)]) == 65
    assert "--drop-duplicates" in capsys.readouterr().out
    assert run(["check", str(source), "--drop-duplicates"]) == 0


def test_comparison_in_words(studied, capsys, tmp_path):
    assert run(["compare", "digits"]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[:5] == [
        "Screening on the validation part (no claims)",
        "method  balanced accuracy  each run                  learning   training",
        "none    52.0 % ± 2.0       o····o···o··············  -          1 min",
        "cutout  55.0 % ± 7.1       o······················o  2 h 0 min  3 s       1 failed",
        "each run: 50.0 % at the left end, 60.0 % at the right",
    ]
    assert lines[9].split() == ["cutout", "-", "·" * 24, "-", "-"]
    assert "WORDS OF THE VERDICT.\nSECOND VERDICT.\n1 of 8 runs failed" in out
    assert f"6 of 8 runs are done: learnaug resume {tmp_path / 'out'}" in out
    assert lines[-1] == f"Report: {tmp_path / 'report.html'}"
    assert "learnaug" not in err


def test_a_stage_without_a_run_is_no_table(capsys):
    rows = [row | {"scores": [], "failed": 0} for row in SUMMARY["methods"][2:]]
    told = SUMMARY | {"methods": SUMMARY["methods"][:2] + rows, "out": "o", "report": "o/r.html"}
    print_comparison(told)
    out = capsys.readouterr().out
    assert "Screening" in out
    assert "Confirmed" not in out


def test_what_to_take_home_is_named(capsys):
    """The policy, or the folder of what is more than a policy."""
    told = SUMMARY | {"out": "o", "report": "o/r.html", "augmenter": "o/best"}
    print_comparison(told)
    assert capsys.readouterr().out.endswith("\nAugmenter: o/best\nReport: o/r.html\n")
    print_comparison(told | {"policy": "o/policy.json"})
    assert capsys.readouterr().out.endswith("\nPolicy: o/policy.json\nReport: o/r.html\n")


def test_progress_is_plain_lines_on_stderr(studied, capsys):
    run(["compare", "digits"])
    out, err = capsys.readouterr()
    assert err.splitlines() == [
        "a \\x1b[31m start",
        "[2/9] cutout, seed 1, screen: 71.3 %, about 2 h 2 min left",
        "[3/9] cutout, seed 1, screen: failed: out of memory, about 2 h 2 min left",
    ]
    assert "\x1b" not in out + err


@pytest.mark.parametrize("line", ["compare digits", "resume o"])
def test_json_of_a_comparison_is_one_document(studied, capsys, tmp_path, line):
    assert run([*line.split(), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == SUMMARY | {
        "out": str(tmp_path / "out"), "report": str(tmp_path / "report.html"),
        "policy": str(tmp_path / "policy.json"), "augmenter": str(tmp_path / "best"),
    }  # fmt: skip


def test_json_of_a_training(studied, capsys, tmp_path):
    assert run(["train", "digits", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["accuracy"] == 0.75
    assert told["out"] == str(tmp_path / "out")
    assert run(["train", "digits"]) == 0
    assert "per class:\n  a: 0.5000\n  b: 1.0000\n" in capsys.readouterr().out


def test_rules_for_reading_are_obeyed_before_the_study(studied, capsys):
    assert run(["compare", "digits", "--skip-bad", "--max-pixels", "100"]) == 0
    (source, _methods) = studied["args"]
    assert len(source) == 1797  # an image set, read with these rules


# --- messages and exit status


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (DataError("3 images cannot be read", ["a/1.jpg  0 bytes"], "delete them"), 65),
        (DataError("DATA is missing", code=66), 66),
        (RunError("cannot create o", code=73), 73),
        (RunError("the disk is full", code=74), 74),
        (RunError("in use", code=75), 75),
        (OSError(28, "No space left on device", "o/x"), 74),
        (ZeroDivisionError("a fault\x1b[2J"), 70),
    ],
)
@pytest.mark.parametrize("as_json", [False, True])
def test_errors_are_messages(failing, capsys, fault, code, as_json):
    failing(fault)
    assert run(["compare", "digits", *["--json"] * as_json]) == code
    out, err = capsys.readouterr()
    assert err.startswith("error: ")
    assert "Traceback" not in err
    assert "\x1b" not in err
    if as_json:
        told = json.loads(out)["error"]
        assert told["code"] == code
        assert told["what"] in err.replace("\\x1b", "\x1b")
    else:
        assert out == ""


def test_a_message_says_what_where_and_how_to_mend(failing, capsys):
    failing(DataError("1 image cannot be read", ["a/1.jpg  0 bytes"], "delete it"))
    run(["compare", "digits"])
    assert capsys.readouterr().err.endswith(
        "error: 1 image cannot be read\n  a/1.jpg  0 bytes\nmend: delete it\n"
    )


def test_a_fault_of_ours_asks_for_debug_and_debug_shows_it(failing, capsys):
    failing(ZeroDivisionError("division"))
    assert run(["compare", "digits"]) == 70
    err = capsys.readouterr().err
    assert "internal error: ZeroDivisionError: division" in err
    assert "--debug" in err
    with pytest.raises(ZeroDivisionError):
        run(["compare", "digits", "--debug"])


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("comprae digits", "Did you mean 'compare'?"),
        ("compare", "Missing argument 'DATA'"),
        ("compare digits --sede 3", "--sede"),
        ("compare digits --seeds 0", "--seeds"),
        ("compare digits --seed -1", "--seed"),
        ("compare digits --seed 18446744073709551616", "--seed"),
        ("compare digits --minutes nan", "--minutes must be above 0"),
        ("compare digits --minutes 0", "--minutes must be above 0"),
        ("compare digits --epochs many", "--epochs"),
        ("compare digits --ops ,", "--ops must name"),
        ("compare digits --background pink", "pink"),
        ("methods cutot", "did you mean cutout?"),
    ],
)
def test_wrong_calls_end_with_2(studied, capsys, line, words):
    assert run(line.split()) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: ")
    assert "\nmend: " in err or "--ops" in err or "--minutes" in err
    assert words in err
    assert studied == {}  # nothing was begun


def test_names_of_operations_from_a_file(studied, tmp_path):
    path = tmp_path / "ops.txt"
    path.write_text("rotate, invert # two\n\n# none\nposterize\n")
    assert run(["compare", "digits", "--ops", str(path)]) == 0
    assert studied["ops"] == ["rotate", "invert", "posterize"]
    assert run(["compare", "digits", "--ops", str(tmp_path / "no.txt")]) == 66


# --- the other commands, for real


def test_check_of_good_data(capsys):
    assert run(["check", "digits"]) == 0
    assert capsys.readouterr().out.startswith("digits: 1,797 images, 10 classes")
    assert run(["check", "digits", "--json", "--classes", "3,8"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["ok"], told["classes"]) == (True, ["3", "8"])


def test_check_of_missing_and_bad_data(capsys, tmp_path):
    assert run(["check", str(tmp_path / "nowhere"), "--json"]) == 66
    assert json.loads(capsys.readouterr().out)["ok"] is False
    for name in ("cat", "dog"):
        (tmp_path / "d" / name).mkdir(parents=True)
        (tmp_path / "d" / name / "\x1b]0;x.png").write_bytes(b"")
    assert run(["check", str(tmp_path / "d")]) == 65
    out, err = capsys.readouterr()
    assert "\x1b" not in out + err


def test_methods_are_listed_with_their_cards(capsys):
    assert run(["methods"]) == 0
    assert any(
        line.split()[:2] == ["trivialaugment", "control"]
        for line in capsys.readouterr().out.splitlines()
    )
    assert run(["methods", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {"name", "kind", "summary"} == set(told[0])
    assert run(["methods", "mixup"]) == 0
    assert "two pictures" in capsys.readouterr().out
    assert run(["methods", "mixup", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == "mixup"


def test_apply_writes_pictures(tmp_path, capsys):
    line = ["apply", "cutout", "digits", str(tmp_path / "o"), "--classes", "3,8", "--json"]
    assert run(line) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["pictures"] == len(list((tmp_path / "o").rglob("*.png"))) > 300
    assert run(line) == 0  # goes on, and finds all done
    assert json.loads(capsys.readouterr().out)["kept"] == told["pictures"]
    assert run([*line, "--copies", "2"]) == 73
    assert "copies: 1 in the folder, 2 now" in capsys.readouterr().err


def test_report_and_resume_of_no_run_folder(tmp_path, capsys):
    assert run(["resume", str(tmp_path / "no")]) in (66, 73)
    assert run(["report", str(tmp_path / "no")]) not in (0, 70)
    assert "internal" not in capsys.readouterr().err


# --- the process


def process(*args, **options):
    return subprocess.run(
        [sys.executable, *args], capture_output=True, text=True, timeout=60, **options
    )


@pytest.mark.parametrize("args", [[], ["--help"], ["compare", "--help"], ["--version"]])
def test_help_is_light(args):
    code = (
        "import sys; from learnaug.cli.guard import run; code = run(sys.argv[1:]); "
        "heavy = {'torch', 'numpy', 'scipy', 'matplotlib', 'PIL'} & set(sys.modules); "
        "sys.exit(f'loaded {heavy}' if heavy else code)"
    )
    done = process("-c", code, *args)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(("Usage: learnaug", "learnaug 0."))


def test_help_names_the_commands_and_no_more():
    lines = process("-m", "learnaug", "--help").stdout.partition("Commands:")[2].splitlines()
    names = [line.split()[0] for line in lines if line.strip()]
    assert names == [
        "check", "compare", "train", "resume", "report", "methods", "learn", "reproduce", "apply",
        "show", "export",
    ]  # fmt: skip
    assert not any(line.endswith("...") for line in lines)


def test_a_closed_pipe_is_no_traceback():
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "learnaug", "methods"], stdout=write, stderr=subprocess.PIPE,
        text=True, timeout=60,
    )  # fmt: skip
    os.close(write)
    assert done.returncode == 1
    assert done.stderr == ""


def test_signs_that_the_terminal_lacks_are_escaped():
    env = os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    code = "from learnaug.cli.guard import run; from learnaug.cli.tables import print_text;"
    code += "run(['--version']); print_text('5 ± 1')"
    done = process("-c", code, env=env)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, r"5 \xb1 1")
