"""The run folder: the files of a run.

    out/<name>/
      accepted.png, or best.png where nothing was accepted: another name of the file in attempts; a person's decision
                         may change it, see decided.py
      sheet.png          every candidate with its checks, drawn at the end
      attempts/1-1.png   candidate <attempt>-<number>, each with its own record in its metadata
      run.json           brief, requirements, attempts, calls, outcome

Files are written whole or not at all, and run.json is rewritten after each attempt. Whatever stops a run, the folder
holds everything up to then.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo
from pydantic_core import to_json  # json's own indenting encoder is plain Python: forty times slower

from pipeline.brief import Brief, Reading
from pipeline.config import Preset
from pipeline.errors import OutputError
from pipeline.events import Attempt, Outcome, Started
from pipeline.files import link, sweep, write
from pipeline.judging.verdict import Verdict
from pipeline.painting.image import Candidate
from pipeline.results.recipe import recipe_of
from pipeline.results.seal import sealed
from pipeline.results.sheet import sheet

METADATA_KEY = "easel"
RECORD = "run.json"
VERSION = 1  # of run.json and of the metadata in PNGs
FAST = 1  # zlib level; files are a fifth larger than at the usual 6 and take a quarter of the time to write


class RunFolder:
    """Writes the files of one run from its events. A run that is played again after it was cut short writes the same
    files."""

    def __init__(self, path: Path, brief: Brief, preset: Preset) -> None:
        try:
            (path / "attempts").mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            where = "is" if path.parent.is_file() else "lies inside"
            raise OutputError(f"{path.parent} {where} a file; name a folder with --out") from None
        except OSError as error:
            raise OutputError(
                f"cannot write to {path} ({error.strerror}); choose another folder with --out"
            ) from None
        sweep(path)
        sweep(path / "attempts")
        self.path = path
        self._preset = preset
        self._brief = brief
        self._started: Started | None = None
        self._attempts: list[Attempt] = []
        self._outcome: Outcome | None = None

    def take(self, event: Started | Attempt | Outcome) -> None:
        """Write what the event adds. Raises OutputError if a file cannot be written."""
        if isinstance(event, Started):
            self._started = event
        elif isinstance(event, Attempt):
            self._attempts.append(event)
            for candidate, verdict in zip(event.candidates, event.verdicts, strict=True):
                self._png(f"attempts/{candidate.id}.png", candidate, verdict)
        else:
            self._outcome = event
            if event.best and event.verdict:
                name = "accepted" if event.status == "accepted" else "best"
                # The same picture with the same record; a decision replaces the name and leaves the attempt as it is.
                link(self.path / f"{name}.png", self.path / f"attempts/{event.best.id}.png")
            self._sheet()
        self._write(RECORD, as_bytes(self.record()))

    def _sheet(self) -> None:
        made = [pair for a in self._attempts for pair in zip(a.candidates, a.verdicts, strict=True)]
        if made and self._started:
            self._write(
                "sheet.png", _encode(sheet(self._brief.text, self._started.reading.requirements, made))
            )

    def record(self) -> dict[str, Any]:
        """The content of run.json."""
        attempts = [attempt.model_dump(mode="json", exclude={"brief"}) for attempt in self._attempts]
        return {
            "version": VERSION,
            "brief": self._brief.model_dump(mode="json"),
            "preset": self._preset.model_dump(mode="json", by_alias=True),
            "reading": self._started.reading.model_dump(mode="json") if self._started else None,
            "calls": [call.model_dump(mode="json") for call in self._started.calls] if self._started else [],
            "attempts": attempts,
            "outcome": self._outcome.model_dump(mode="json", exclude={"brief"}) if self._outcome else None,
        }

    def _png(self, name: str, candidate: Candidate, verdict: Verdict) -> None:
        reading = self._started.reading if self._started else None
        info = metadata(self._brief, self._preset, reading, candidate, verdict)
        self._write(name, _encode(candidate.image, info))

    def _write(self, name: str, data: bytes) -> None:
        write(self.path / name, data)


def as_bytes(record: dict[str, Any]) -> bytes:
    """The content of run.json as the file has it. A record that was read from such a file gives the same bytes."""
    return to_json(record, indent=1) + b"\n"


def metadata(
    brief: Brief, preset: Preset, reading: Reading | None, candidate: Candidate, verdict: Verdict
) -> PngInfo:
    """Metadata of a PNG: Easel's record as JSON, one line in the format that other tools read, and their seal."""
    plan = candidate.plan
    degraded = [reading and reading.degraded, plan.prompt.degraded, candidate.degraded, verdict.degraded]
    record = {
        "version": VERSION,
        "brief": brief.model_dump(mode="json"),
        "preset": preset.name,
        "recipe": recipe_of(preset).model_dump(mode="json"),
        "requirements": [r.model_dump(mode="json") for r in reading.requirements] if reading else [],
        "candidate": candidate.model_dump(mode="json"),
        "verdict": verdict.model_dump(mode="json"),
        "degraded": [text for text in degraded if text],
    }
    used = candidate.settings
    line = (
        f"{plan.prompt.text}\nNegative prompt: {plan.prompt.negative}\nSteps: {used.get('steps')}, "
        f"CFG scale: {used.get('guidance')}, Seed: {plan.seed}, "
        f"Size: {candidate.image.width}x{candidate.image.height}, Model: {candidate.model}"
    )
    texts = {METADATA_KEY: json.dumps(record, ensure_ascii=False), "parameters": line}
    return as_info(sealed(candidate.image, texts))


def as_info(texts: Mapping[str, str]) -> PngInfo:
    """Texts as a PNG has them."""
    info = PngInfo()
    for key, text in texts.items():
        info.add_itxt(key, text)
    return info


def one_line(path: Path, **more: Any) -> str:
    """The record of a run folder as one line of JSON, with further keys."""
    return json.dumps(json.loads(path.read_text(encoding="utf-8")) | more, ensure_ascii=False)


def read_metadata(path: Path) -> dict[str, Any]:
    """Easel's record from a PNG. Raises OutputError if it has none."""
    try:
        with Image.open(path) as image:
            text = getattr(image, "text", {}).get(METADATA_KEY)
    except (OSError, SyntaxError) as error:
        raise OutputError(f"{path}: not a picture that can be read ({error})") from None
    if text is None:
        raise OutputError(f"{path}: holds no Easel record; only pictures that Easel wrote carry one")
    record: dict[str, Any] = json.loads(str(text))
    return record


def _encode(image: Image.Image, info: PngInfo | None = None) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", pnginfo=info, compress_level=FAST)
    return buffer.getvalue()
