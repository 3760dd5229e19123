"""Policy files that nobody should trust: `write` makes them, `main` reads them and watches."""

from __future__ import annotations

import copy
import faulthandler
import io
import json
import os
import pickle
import sys
import time
import zipfile
from pathlib import Path

GOOD = {
    "format": "learnaug-policy", "version": 2, "name": "good", "strength": 1.0,
    "stages": [{"branches": [[{"op": "rotate", "low": 5.0, "unit": "degrees"}], []]}],
}  # fmt: skip
CHAIN = {"format": "learnaug-chain", "version": 1, "members": ["0"]}


class Evil:
    """Runs a shell command when it is unpickled."""

    def __reduce__(self):
        return os.system, ("touch /tmp/learnaug-was-here",)


def text(value):
    return json.dumps(value).encode()


def changed(path, new):
    """GOOD with one value replaced or added, at a path such as "stages.0.given"."""
    value = copy.deepcopy(GOOD)
    *way, last = path.split(".")
    at = value
    for step in way:
        at = at[int(step)] if isinstance(at, list) else at[step]
    at[int(last) if isinstance(at, list) else last] = new
    return text(value)


ELEMENT = "stages.0.branches.0.0"


def programs():
    """Files that run something where they are believed."""
    for protocol in (0, 2, 4, 5):
        yield f"pickle-{protocol}", pickle.dumps(Evil(), protocol)
    bundle = io.BytesIO()
    with zipfile.ZipFile(bundle, "w") as file:
        file.writestr("archive/data.pkl", pickle.dumps(Evil()))
    yield "torch-save", bundle.getvalue()
    yield "torch-save-old", b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19." + pickle.dumps(Evil())
    yield "yaml-tag", b"!!python/object/apply:os.system ['touch /tmp/learnaug-was-here']"
    laughs = "\n".join(f"{b}: &{b} [{', '.join('*' + a for _ in range(9))}]"
                       for a, b in zip("abcdefgh", "bcdefghi", strict=True))  # fmt: skip
    yield "yaml-billion-laughs", ("a: &a [lol]\n" + laughs).encode()
    yield "python", b"__import__('os').system('touch /tmp/learnaug-was-here')"
    yield "html", b"<script>alert(1)</script>"
    yield "numpy", b"\x93NUMPY\x01\x00v\x00{'descr': '|O', 'shape': (1,)}" + pickle.dumps(Evil())
    yield "gzip", b"\x1f\x8b\x08" + b"\0" * 100
    yield "pickle-in-text", text({"format": "cos\nsystem\n(S'id'\ntR."})
    yield "target", text(GOOD | {"_target_": "os.system", "_args_": ["id"]})
    yield "target-element", changed(ELEMENT, {"_target_": "os.system", "op": "rotate", "low": 5})
    yield "reduce", text(GOOD | {"__reduce__": ["os.system", ["id"]]})
    yield "class", text(GOOD | {"__class__": "Evil", "py/object": "os.system"})
    yield "import-op", changed(ELEMENT + ".op", "os:system")


def no_json():
    """Text that JSON is not, or not ours."""
    start = b'{"format": "learnaug-policy", "version": 2, "stages": '
    yield "empty", b""
    yield "spaces", b" " * 1_000_000
    yield "cut", text(GOOD)[:-9]
    yield "behind", text(GOOD) + b"{}"
    yield "nan", start + b'[], "strength": NaN}'
    yield "infinity", start + b'[], "strength": -Infinity}'
    yield "1e999", start + b'[], "strength": 1e999}'
    yield "twice", start + b'[], "version": 1, "version": 2}'
    yield (
        "many-keys-one-twice",
        (b"{" + b",".join(b'"%x":1' % i for i in range(500_000)) + b',"6ae5f":1}'),
    )
    yield "deep-lists", start + b"[" * 100_000 + b"]" * 100_000 + b"}"
    yield "deep-objects", b'{"a":' * 100_000 + b"1" + b"}" * 100_000
    yield "deep-in-string", start + b'["' + b"[" * 900_000 + b'"]}'
    yield "huge-integer", start + b'[], "strength": ' + b"9" * 5_000_000 + b"}"
    yield "huge-exponent", start + b'[], "strength": 1' + b"0" * 400 + b".5}"
    yield "half-surrogate", start + b'[], "name": "\\ud800"}'
    yield "not-utf-8", start + b'[], "name": "\xff\xfe"}'
    yield "utf-16", text(GOOD).decode().encode("utf-16")
    yield "nul", b"\0" * 100
    yield "nul-in-text", text(GOOD)[:20] + b"\0" + text(GOOD)[20:]
    yield "open-string", b'{"' + b"\\" * 9_000_000
    yield "11-mb", text(GOOD) + b" " * 11_000_000


def wrong():
    """JSON that breaks the schema."""
    for name, value in (
        ("null", None), ("number", 1.5), ("text", "learnaug-policy"), ("list", []), ("true", True),
        ("nothing", {}),
    ):  # fmt: skip
        yield f"top-{name}", text(value)
    for key in ("format", "version", "stages"):
        yield f"without-{key}", text({k: v for k, v in GOOD.items() if k != key})
        yield f"{key}-object", changed(key, {"a": 1})
    yield "version-3", changed("version", 3)
    yield "version-huge", changed("version", 2**63)
    yield "version-true", changed("version", True)
    yield "name-empty", changed("name", "")
    yield "name-megabytes", changed("name", "a" * 9_000_000)
    yield "strength-text", changed("strength", "1")
    yield "strength-3", changed("strength", 3)
    yield "made_from-nested", changed("made_from", {"a": {"b": {}}})
    yield "made_from-large", changed("made_from", {f"k{i}": i for i in range(500_000)})
    yield "evidence-unknown", changed("evidence", {"proof": "trust me"})
    yield "trained_on-list", changed("trained_on", [1] * 100_000)
    for value in (None, 1, "x", {}, [[1]], [None], [[[]]], [[[1]]], [[{}]]):
        yield f"branches-{json.dumps(value)}", changed("stages.0.branches", value)
    for op in ("eval", "exec", "", "__class__", "ROTATE", "rotate\0", "../rotate", 3, None, ["a"],
               {"a": 1}, "x" * 9_000_000):  # fmt: skip
        yield f"op-{str(op)[:12]!r}", changed(f"{ELEMENT}.op", op)
    for low in (181, -1e300, 2**62, "5", None, True, [5], {"a": 1}):
        yield f"low-{low!r:.20}", changed(f"{ELEMENT}.low", low)
    for key, value in (
        ("high", 4), ("high", "x"), ("values", [1, 500]), ("values", "12"), ("values", [[1]]),
        ("values", [0.5] * 100_000), ("sign", 1), ("sign", "yes"), ("p", 1.2), ("p", -0.1),
        ("p", "0.5"), ("fill", 256), ("fill", 1.5), ("fill", True), ("interpolation", "lanczos"),
        ("interpolation", ["nearest"]), ("unit", "radians"), ("unit", 5), ("code", "rm -rf"),
        ("k" * 1_000_000, 1),
    ):  # fmt: skip
        yield f"{key[:20]}-{str(value)[:12]!r}", changed(f"{ELEMENT}.{key}", value)
    for key, value in (
        ("weights", [1]), ("weights", [1, -1]), ("weights", [0, 0]), ("weights", ["1", "1"]),
        ("weights", [[1, 1]]), ("weights", {"0": 1}), ("weights", [1e308, 1e308]),
        ("given", "previous"), ("given", "class"), ("given", 5), ("given", ["class"]),
    ):  # fmt: skip
        yield f"{key}-{value}", changed(f"stages.0.{key}", value)


def large():
    """Well-formed JSON that asks for too much."""
    yield "10^6-branches", changed("stages.0.branches", [[]] * 10**6)
    yield "900,000-branches", changed("stages.0.branches", [[]] * 900_000)
    yield "200,000-stages", changed("stages", GOOD["stages"] * 90_000)
    yield "100,000-elements", changed("stages.0.branches.0", [{"op": "invert"}] * 100_000)
    bad = [[{"op": f"rotat{i}"} for i in range(16)]] * 2_000
    yield "32,000-faults", changed("stages.0.branches", bad)
    yield "unknown-keys", text(GOOD | {f"key{i}": i for i in range(500_000)})
    rows = changed("stages.0.weights", [[1, 1]] * 1_000_000)
    yield "10^6-rows", rows
    rows = json.loads(changed("stages.0.weights", [[1, 1]] * 300_000))
    rows["stages"][0]["given"] = "class"
    yield "300,000-rows", text(rows)
    yield "wide-row", changed("stages.0.weights", [1] * 3_000_000)
    most = [[{"op": "rotate", "values": [1] * 256}] * 16] * 2_001
    yield "too-many-values", changed("stages.0.branches", most)


def write(folder: Path) -> list[str]:
    """Write the corpus; return the path of each file, and of what is no file."""
    paths = []
    for number, (name, data) in enumerate([*programs(), *no_json(), *wrong(), *large()]):
        clean = "".join(sign if sign.isalnum() else "-" for sign in name)
        paths.append(folder / f"{number:03d}-{clean}.json")
        paths[-1].write_bytes(data)
    return [str(path) for path in paths] + specials(folder) + chains(folder)


def specials(folder: Path) -> list[str]:
    """Paths that are no plain file."""
    os.mkfifo(folder / "fifo.json")
    (folder / "folder.json").mkdir()
    (folder / "loop.json").symlink_to("loop.json")
    (folder / "nowhere.json").symlink_to("gone.json")
    (folder / "zero.json").symlink_to("/dev/zero")
    with (folder / "sparse.json").open("wb") as file:
        file.write(text(GOOD))
        file.truncate(1 << 30)
    names = ["fifo", "folder", "loop", "nowhere", "zero", "sparse", "missing", "nul\0"]
    return [str(folder / f"{name}.json") for name in names] + [
        "/dev/zero", "/dev/full", "/dev/tty", "/", "", "x" * 300 + "/a.json", "\udc80/a.json",
    ]  # fmt: skip


def chains(folder: Path) -> list[str]:
    """Folders of augmenters that lead out of themselves or never end."""
    found = []
    for name, members in (
        ("up", ["../up"]), ("absolute", ["/etc"]), ("empty", []), ("text", "0"),
        ("many", [str(i) for i in range(17)]), ("object", {"0": 1}),
        ("loop", [str(i) for i in range(16)]),
    ):  # fmt: skip
        home = folder / f"chain-{name}"
        home.mkdir()
        (home / "augmenter.json").write_bytes(text(CHAIN | {"members": members}))
        for member in members if name == "loop" else ():
            (home / member).symlink_to(".")
        found.append(str(home))
    return found


WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
FORBIDDEN = (
    "exec", "compile", "import", "socket.", "subprocess.", "os.system", "os.exec", "os.fork",
    "os.posix_spawn", "os.remove", "os.rename", "os.mkdir", "os.link", "os.symlink", "pickle.",
    "marshal.", "ctypes.", "shutil.", "urllib.",
)  # fmt: skip


def watch(seen: list[str]):
    """Note every event by which a file could have done something."""

    def hook(event, args):
        if event == "open":
            path, mode, flags = args
            if (isinstance(flags, int) and flags & WRITES) or set(mode or "") & set("wax+"):
                seen.append(f"{event} {path!r:.200} {mode}")
        elif event.startswith(FORBIDDEN):
            seen.append(f"{event} {args!r:.200}")

    return hook


def ended(door, path):
    """Read one path; return how that ended and its seconds of processor time."""
    from learnaug.errors import LearnaugError

    start = time.process_time()
    try:
        door(Path(path))
        end = "loaded"
    except LearnaugError as error:
        end = f"refused: {error}"
    except BaseException as error:
        end = f"{type(error).__name__}: {error}"
    return end[:5000], time.process_time() - start


def memory(field: str) -> int:
    """Return VmRSS or VmHWM of this process in bytes; 0 where the system does not tell."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(field)), 0)


def main() -> None:
    """Read each path of the list on stdin; tell as JSON how each ended, and what it cost."""
    from learnaug.methods import load_augmenter
    from learnaug.ops import Policy

    faulthandler.dump_traceback_later(80, exit=True)  # say where it hangs
    paths, good = json.load(sys.stdin)
    assert Policy.load(good).name == "good"  # whatever is imported late is imported now
    for warm in paths[:3]:
        ended(load_augmenter, warm)
    if os.path.exists("/proc/self/clear_refs"):
        Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    seen: list[str] = []
    sys.addaudithook(watch(seen))
    before, found = memory("VmRSS"), []
    for path in paths:
        for door in (Policy.load, load_augmenter):
            del seen[:]
            end, cost = ended(door, path)
            if cost > 1:  # a busy neighbour, or really
                cost = min(cost, ended(door, path)[1], ended(door, path)[1])
            found.append([path, door.__name__, end, cost, list(seen)])
    json.dump({"found": found, "grown": memory("VmHWM") - before}, sys.stdout)


if __name__ == "__main__":
    main()
