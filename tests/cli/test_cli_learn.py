"""`learn` and `reproduce` on the command line: options, words, one JSON document, errors."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from learnaug import api, reproduce
from learnaug.cli import learning
from learnaug.cli.guard import run
from learnaug.ops import Element, OperationSet

POLICY = {"kind": "policy", "name": "taught", "lines": ["always: rotate -3 to 3 degrees"]}


@pytest.fixture
def learned(monkeypatch, tmp_path):
    """Stub the study; return what it was called with."""
    called = {}

    def learn(*args, say, **options):
        called.update(options, args=args)
        return SimpleNamespace(
            out=tmp_path / "o", folder=tmp_path / "o" / "augmenter", method=args[1],
            source=called.get("source", "my digits"), command=called.get("command", ""),
            seconds=61.25, description=called.get("told", POLICY),
            notes=("class 'a' has few pictures",), galleries=(), pictures=tmp_path / "none.html",
        )  # fmt: skip

    monkeypatch.setattr(api.study, "learn", learn)
    return called


def test_options_reach_the_study(learned):
    line = "smart-augmentation:k=3 digits --model b1 --epochs 4 --per-class 20 --seed 9"
    line += " --minutes 1.5 --jobs 2 --size 16 --ops rotate,invert --classes x,y --device cpu"
    line += " --out o"
    assert run(["learn", *line.split()]) == 0
    assert learned.pop("args") == ("digits", "smart-augmentation:k=3")
    assert learned == {
        "model": "b1", "epochs": 4, "per_class": 20, "seed": 9, "minutes": 1.5, "size": 16,
            "jobs": 2,
        "ops": ["rotate", "invert"], "classes": "x,y", "device": "cpu", "out": Path("o"),
        "drop_duplicates": False, "accept_change": False,
    }  # fmt: skip


def test_an_operation_set_file_reaches_the_study(learned, capsys, tmp_path):
    turns = OperationSet("turns", (("Turn", (Element("rotate", -9, 9),)),))
    turns.save(tmp_path / "turns.json")
    assert run(["learn", "uniform", "digits", "--ops", str(tmp_path / "turns.json")]) == 0
    assert learned["ops"] == turns
    (tmp_path / "bad.json").write_text('{"format": "learnaug-operations"}')
    assert run(["learn", "uniform", "digits", "--ops", str(tmp_path / "bad.json")]) == 2
    assert "'operations' is missing" in capsys.readouterr().err


def test_an_audit_tells_what_to_do_with_its_set(learned, capsys, tmp_path):
    (tmp_path / "o" / "augmenter").mkdir(parents=True)
    (tmp_path / "o" / "augmenter" / "operations.json").write_text("{}")
    assert run(["learn", "teacher", "digits"]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    chain = "trivialaugment safe-augmentation+trivialaugment"
    assert last.startswith(f"  learnaug compare 'my digits' {chain}")


def test_a_set_that_keeps_labels_is_for_other_methods():
    by_labels = {"audit": {"settings": {"rule": "labels"}}}
    assert learning._rival(by_labels, Path("o p/x.json")) == "trivialaugment --ops 'o p/x.json'"


def test_words(learned, capsys, tmp_path):
    assert run(["learn", "teacher", "digits"]) == 0
    out = capsys.readouterr().out
    folder = tmp_path / "o" / "augmenter"
    assert out.splitlines() == [
        f"teacher: learned in 61.2 s, written to {folder}",
        "  taught:",
        "    always: rotate -3 to 3 degrees",
        "note: class 'a' has few pictures",
        "Next:",
        f"  learnaug train 'my digits' --with {folder}",
        f"  learnaug apply {folder} 'my digits' OUT",
        f"  learnaug show {folder}",
    ]


def test_what_is_no_policy_is_not_shown(learned, capsys):
    merge = {"kind": "merge", "k": 2, "losses": {"content": 0.5}}
    learned["told"] = {"kind": "chain", "members": [POLICY, merge]}
    assert run(["learn", "teacher", "digits"]) == 0
    out = capsys.readouterr().out
    assert "learnaug show" not in out
    assert "  k: 2" in out
    assert "    content: 0.5000" in out
    assert "rotate -3" in out


def test_the_next_commands_cut_the_same_parts(learned, capsys):
    learned["command"] = (
        "learnaug learn teacher 'my digits' --seed 7 --classes='a b,c' --epochs 3 --out o"
        " --model b1 --value-range 0 1 --skip-bad --per-class 5 --json --drop-duplicates"
    )
    assert run(["learn", "teacher", "digits", "--json"]) == 0
    train, apply, show = json.loads(capsys.readouterr().out)["next"]
    assert train.endswith(
        " --seed 7 '--classes=a b,c' --model b1 --value-range 0 1 --skip-bad --per-class 5"
        " --drop-duplicates"
    )
    assert apply.endswith("OUT '--classes=a b,c' --value-range 0 1 --skip-bad")
    assert show.endswith("augmenter")


def test_the_next_commands_name_the_data_as_they_were_given(learned, capsys):
    """Read with an option, the pictures themselves know only their short name."""
    learned["source"] = "photos"
    learned["command"] = "learnaug learn teacher '/x y/photos.zip' --skip-bad"
    assert run(["learn", "teacher", "digits", "--json"]) == 0
    train, apply, _ = json.loads(capsys.readouterr().out)["next"]
    assert train.startswith("learnaug train '/x y/photos.zip' --with ")
    assert "'/x y/photos.zip' OUT" in apply


def test_one_json_document(learned, capsys, tmp_path):
    assert run(["learn", "teacher", "digits", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["augmenter"] == str(tmp_path / "o" / "augmenter")
    assert told["description"] == POLICY
    assert (told["learn_seconds"], told["method"]) == (61.25, "teacher")
    assert told["notes"] == ["class 'a' has few pictures"]
    assert len(told["next"]) == 3


def test_the_page_of_pictures_is_named_where_there_is_one(learned, capsys, tmp_path):
    page = tmp_path / "none.html"
    assert run(["learn", "teacher", "digits", "--json"]) == 0
    assert "pictures" not in json.loads(capsys.readouterr().out)
    page.write_text("page")
    assert run(["learn", "teacher", "digits", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["pictures"] == str(page)
    assert run(["learn", "teacher", "digits"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[lines.index("Next:") - 1] == f"What it learned, in pictures: {page}"


def test_learn_then_the_next_commands(tmp_path, capsys):
    """The real thing, and what it prints works."""
    out = tmp_path / "a b"
    assert run(["learn", "flip-crop", "digits", "--epochs", "1", "--out", str(out), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (out / "augmenter" / "augmenter.json").is_file()
    assert told["next"][0] == f"learnaug train digits --with '{out}/augmenter'"
    assert run(["resume", str(out)]) == 0
    assert "flip-crop: learned in" in capsys.readouterr().out
    assert run(["show", str(out / "augmenter"), "--out", str(tmp_path / "page.html")]) == 0


def test_the_help_of_reproduce_names_every_paper(capsys):
    assert run(["reproduce", "--help"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert all(paper in told for paper in reproduce.PAPERS)


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        ("learn", 2, "Missing argument"),
        ("learn teacher", 2, "Missing argument"),
        ("learn flip-crp digits", 2, "did you mean flip-crop"),
        ("learn flip-crop:k=2 digits", 2, "known: without"),
        ("learn flip-crop no-such-folder", 66, "no-such-folder"),
        ("learn flip-crop digits --epochs 0", 2, "epochs"),
        ("reproduce smart-augmentaton table-2", 2, "did you mean smart-augmentation"),
        ("reproduce neural-augmentation table-9", 2, "did you mean table-"),
        ("reproduce neural-augmentation table-1 --scale big", 2, "scale"),
        ("reproduce neural-augmentation few --only mnist-0,no", 2, "did you mean mnist-0-8-10"),
        ("reproduce neural-augmentation few --only ,", 2, "--only must name at least one block"),
        ("reproduce neural-augmentation table-1 --data nowhere", 66, "'nowhere', which is no"),
        ("reproduce neural-augmentation table-1 --data .", 66, "with --data FOLDER"),
        ("reproduce no-such-paper", 2, "known: "),
    ],
)
def test_wrong_calls(line, code, words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run([*line.split(), "--json"]) == code
    out, err = capsys.readouterr()
    assert words in err
    assert json.loads(out)["error"]["code"] == code
    assert not list(tmp_path.iterdir())


def test_the_tables_are_listed(capsys):
    assert run(["reproduce"]) == 0
    lines = capsys.readouterr().out.splitlines()
    begin = "learnaug reproduce "
    names = [ln.split("  ")[0].removeprefix(begin) for ln in lines if ln.startswith(begin)]
    assert names[:6] == [
        "smart-augmentation table-2", "smart-augmentation table-3",
        "neural-augmentation table-1", "neural-augmentation table-2", "neural-augmentation table-3",
        "neural-augmentation few",
    ]  # fmt: skip
    blocks = [line.removeprefix("    --only ") for line in lines if not line.startswith(begin)]
    assert "places,places-vgg16" in blocks
    assert len(names) + len(blocks) == len(lines)
    assert run(["reproduce", "neural-augmentation", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [row["table"] for row in told] == ["table-1", "table-2", "table-3", "few"]


def test_options_reach_the_table(monkeypatch, capsys):
    called = {}

    def fake(*args, say, **options):
        called.update(options, args=args)
        return SimpleNamespace(to_json=lambda: {"rows": []}, to_markdown=lambda: "# a table\n")

    monkeypatch.setattr(reproduce, "run", fake)
    line = "reproduce neural-augmentation table-1 --scale paper --data d --seeds 3 --seed 7"
    line += " --jobs 2 --device cpu --out o --only a,b"
    assert run(line.split()) == 0
    assert capsys.readouterr().out == "# a table\n"
    assert called == {
        "args": ("neural-augmentation", "table-1"), "scale": "paper", "data": Path("d"),
        "only": ["a", "b"],
        "seeds": 3, "seed": 7, "jobs": 2, "accept_change": False, "device": "cpu",
        "out": Path("o"),
    }  # fmt: skip
    assert run([*line.split(), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"rows": []}
