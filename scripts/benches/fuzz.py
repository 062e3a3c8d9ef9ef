"""Feeds mutated rows, presets and PNGs to what reads them, and counts errors that are not one clear sentence.

    python -m scripts.benches.fuzz --count 20000 --seed 1

Each reader may refuse with an error of ours, in one line. Anything else is a traceback for the user, and is printed
with the input that caused it.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from models.protocols import ModelError
from pipeline.config import FOLDER, load_preset
from pipeline.errors import EaselError
from pipeline.results.run_folder import METADATA_KEY
from pipeline.work.rows import parse_rows
from ui.origin import settings_in

LONGEST_MESSAGE = 2_000
ROWS = {
    "csv": """\
brief,name,seed,size,must,images,image.steps,set
"a cat, red",Tom,3,128,"a hat; no text",4,12,loop.writer=template
a dog,,9,64x64,,,,
""",
    "jsonl": """\
{"brief": "a cat", "seed": 3, "width": 128, "height": 128, "must": ["a hat"], "set": {"loop": {"images": 2}}}
"a dog"
{"brief": "an owl", "seconds": 1.5, "preset": "mini"}
""",
    "yaml": """\
# briefs
- brief: a cat
  seed: 3
  size: 128
  must: [a hat, no text]
  set: {image.steps: 12}
- a dog
- {brief: an owl, loop.images: 2}
""",
}
RECORD = b"""{"version": 1, "brief": {"text": "a cat", "seed": 3, "width": 128, "height": 128, "limits": {"images": 2},
"must": ["a hat"]}, "preset": "mini", "candidate": {"id": "2-1", "plan": {"seed": 5, "prompt": {"text": "a cat"}}},
"recipe": {"size": [128, 128], "keys": {"image.steps": 3, "loop.images": 2}, "sections": {"image": "0"}},
"requirements": [{"id": "r1", "kind": "object", "subject": "cat", "text": "a cat"}]}"""
# Pieces that have broken readers: numbers, YAML, JSON, CSV, encodings, paths.
PIECES = [
    *b"-1 1e999 NaN -Infinity 0x1f 2020-01-01 2:30 1_000 010 ~ null true".split(),
    b"9" * 400, b"[" * 60, b"{" * 60, b"{a: " * 40, b"]", b"}", b"&a ", b"*a", b"<<: ", b"!!binary ", b"? [a]\n: b\n",
    b"!!python/name:os ", b"%YAML 1.3\n", b"---\n", b"...\n", b"|\n", b">-\n", b": ", b"- ", b"#", b"=1+1", b"sep=\n",
    b"fallback: [{}]\n", b"fallback: [1]\n", b"kind: [x]\n", b"kind: 3\n", b"image.model=/etc", b"loop.batch.images=1",
    b"\\ud800", b"\\u0000", b"'", b'"', b'""', b",", b";", b"\t", b"\r", b"\n", b"\n\n", b"../", b"/etc/passwd",
    b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\xed\xa0\x80", "é".encode(), "😀".encode(), "\u202e".encode(),
    *b"brief seed size set must loop image text".split(),
]  # fmt: skip
Reader = Callable[[bytes], object]


def mutated(data: bytes, chance: random.Random) -> bytes:
    """The data after one to six changes: bytes flipped, removed, repeated, moved, or replaced by a piece."""
    made = bytearray(data)
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(made) + 1)
        until = min(len(made), at + chance.choice((1, 1, 2, 5, 20, 200)))
        kind = chance.randrange(5)
        if kind == 0 and at < len(made):
            made[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            del made[at:until]
        elif kind == 2:
            made[at:at] = made[at:until] * chance.choice((1, 2, 50))
        elif kind == 3:
            made[at:at] = chance.choice(PIECES)
        else:
            made[at:until] = chance.choice(PIECES)
    return bytes(made)


def readers(folder: Path) -> dict[str, tuple[bytes, Reader]]:
    """What is fed: the name of a reader, its good input, and a call that reads an input."""
    preset, picture = folder / "fuzzed.yaml", folder / "fuzzed.png"

    def read_preset(data: bytes) -> object:
        preset.write_bytes(data)
        return load_preset(str(preset))

    def read_record(data: bytes) -> object:
        info = PngInfo()
        info.add_itxt(METADATA_KEY, data.decode("utf-8", "replace"))
        Image.new("RGB", (8, 8)).save(picture, pnginfo=info)
        return settings_in(picture)

    def read_picture(data: bytes) -> object:
        picture.write_bytes(data)
        return settings_in(picture)

    read_record(RECORD)
    whole = picture.read_bytes()
    fed: dict[str, tuple[bytes, Reader]] = {
        f"rows, {kind}": (text.encode(), partial(parse_rows, kind=kind, name="fuzzed", preset="mini"))
        for kind, text in ROWS.items()
    }
    fed |= {f"preset {path.stem}": (path.read_bytes(), read_preset) for path in sorted(FOLDER.glob("*.yaml"))}
    return fed | {"PNG, record": (RECORD, read_record), "PNG, bytes": (whole, read_picture)}


def fuzz(count: int, seed: int, folder: Path) -> tuple[dict[str, Counter[str]], list[str]]:
    """Feed `count` inputs, spread over the readers. Returns how each reader answered, and the faults."""
    tally: dict[str, Counter[str]] = {}
    faults = []
    fed = readers(folder)
    for name, (good, read) in fed.items():
        chance, seen = random.Random(f"{seed}|{name}"), tally.setdefault(name, Counter())
        read(good)
        for _ in range(max(1, count // len(fed))):
            data = mutated(good, chance)
            try:
                read(data)
            except (EaselError, ModelError) as error:
                seen["refused"] += 1
                if len(str(error)) > LONGEST_MESSAGE or "\n" in str(error).strip():
                    faults.append(f"{name}: a message of {len(str(error))} characters for {data[:300]!r}")
            except Exception as error:
                seen["broke"] += 1
                faults.append(f"{name}: {type(error).__name__}: {str(error)[:200]} for {data[:600]!r}")
            else:
                seen["read"] += 1
    return tally, faults


def main(
    count: Annotated[int, typer.Option(help="inputs in all")] = 20_000,
    seed: Annotated[int, typer.Option(help="of the mutations")] = 1,
) -> None:
    """Print how each reader answered; exit status 1 if one broke."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        tally, faults = fuzz(count, seed, Path(folder))
    print(f"{'reader':16} {'read':>7} {'refused':>8} {'broke':>6}")
    for name, seen in tally.items():
        print(f"{name:16} {seen['read']:7} {seen['refused']:8} {seen['broke']:6}")
    for fault in faults[:20]:
        print(fault)
    print(
        f"{sum(map(Counter.total, tally.values()))} inputs, {len(faults)} faults, {time.monotonic() - began:.0f} s"
    )
    raise typer.Exit(1 if faults else 0)


if __name__ == "__main__":
    typer.run(main)
