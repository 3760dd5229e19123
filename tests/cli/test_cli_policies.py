"""`show` and `export`: what reaches the work, and what is answered; the work itself is stubbed."""

import json
from pathlib import Path

import pytest

from learnaug import interop
from learnaug.cli.guard import run
from learnaug.ops import spaces
from learnaug.report import show as report


@pytest.fixture
def exported(monkeypatch):
    """Stub the exporter; return what it was called with."""
    called = {}

    def export(policy, to, *, approximate=False):
        called.update(policy=policy, to=to, approximate=approximate)
        return f"# {policy.name} for {to}\n"

    monkeypatch.setattr(interop, "export", export)
    return called


def test_export_prints_the_program(exported, capsys):
    assert run(["export", "trivialaugment", "--to", "kornia"]) == 0
    assert capsys.readouterr().out == "# trivialaugment for kornia\n"
    assert exported == {
        "policy": spaces.trivialaugment(), "to": "kornia", "approximate": False,
    }  # fmt: skip


def test_export_writes_the_program(exported, capsys, tmp_path):
    policy, out = tmp_path / "p.json", tmp_path / "augment.py"
    spaces.cutout().save(policy)
    line = ["export", str(policy), "--to", "torchvision", "--approximate", "--out", str(out)]
    assert run([*line, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {
        "policy": "cutout", "to": "torchvision", "approximate": True, "out": str(out),
    }  # fmt: skip
    assert out.read_text() == "# cutout for torchvision\n"
    assert exported["approximate"] is True


def test_export_as_json_holds_the_text(exported, capsys):
    assert run(["export", "flip-crop+cutout", "--to", "albumentations", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["text"] == "# flip-crop+cutout for albumentations\n"


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        ("export cutout --to keras", 2, "torchvision"),
        ("export cutout", 2, "--to"),
        ("export cutot --to kornia", 2, "did you mean cutout?"),
        ("export no/such.json --to kornia", 66, "does not exist"),
        ("show no/such.json", 66, "does not exist"),
        ("show cutot", 2, "did you mean cutout?"),
        ("show", 2, "POLICY"),
    ],
)
def test_wrong_calls_are_messages(exported, capsys, line, code, words):
    assert run(line.split()) == code
    assert words in capsys.readouterr().err


def test_show_passes_its_options_on(monkeypatch, capsys):
    called = {}

    def show(*args, **options):
        called.update(options, args=args)
        return Path("page.html")

    monkeypatch.setattr(report, "show_policy", show)
    line = ["show", "cutout", "digits", "--out", "o.html", "--size", "16", "--seed", "3"]
    assert run(line) == 0
    assert capsys.readouterr().out == "page.html\n"
    assert called == {
        "args": (spaces.cutout(), "digits", Path("o.html")), "size": 16, "seed": 3,
    }  # fmt: skip
    assert run(["show", "cutout", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"page": "page.html"}
    assert called == {"args": (spaces.cutout(), None, None), "size": None, "seed": 0}
