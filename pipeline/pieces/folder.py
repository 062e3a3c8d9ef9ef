"""The folder of a piece:

    out/<name>-<workflow>/
      card.html, card.png …   what is used
      picture.png             the picture, with its record in its metadata
      fonts/                  what the page needs
      piece.json              brief, workflow, attempts with checks and reasons, outcome
      <name>-<workflow>.zip   all of it

The runs of the pictures have folders of their own beside it; piece.json names them.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic_core import to_json

from pipeline.config import Preset
from pipeline.errors import OutputError
from pipeline.files import slug, write
from pipeline.pieces.record import Files, Page, PieceAttempt, PieceOutcome
from pipeline.pieces.workflow import Workflow

RECORD = "piece.json"
VERSION = 1  # of piece.json
_DATE = (2000, 1, 1, 0, 0, 0)  # of the files in the zip, so that the same files give the same zip
_COMPRESSED = (".png", ".woff2", ".zip", ".pdf", ".ico")


class PieceFolder:
    """Writes the files of a piece. The folder is new, with a number at its end where the name is taken."""

    def __init__(self, out: Path, name: str) -> None:
        self.path = _new(out, slug(name))
        self.attempts: list[PieceAttempt] = []
        self.main: str | None = None
        self._head: dict[str, Any] = {}
        self._outcome: PieceOutcome | None = None

    def begin(
        self, workflow: Workflow, brief: str, preset: Preset, seed: int, given: Mapping[str, str]
    ) -> None:
        self._head = {
            "version": VERSION, "workflow": workflow.model_dump(mode="json", by_alias=True), "brief": brief,
            "seed": seed, "given": dict(given), "preset": preset.model_dump(mode="json", by_alias=True),
        }  # fmt: skip
        self._write_record()

    def write(self, name: str, data: bytes) -> None:
        """Write a file, in a folder below where the name says so."""
        path = self.path / name
        path.parent.mkdir(exist_ok=True)
        write(path, data)

    def take(self, attempt: PieceAttempt) -> None:
        self.attempts.append(attempt)
        for made in attempt.made:
            if isinstance(made.product, Page):
                self.main = made.product.screenshot or made.product.file
            elif isinstance(made.product, Files):
                self.main = made.product.main
        self._write_record()

    def close(self, outcome: PieceOutcome) -> PieceOutcome:
        """Write the record and the zip; returns the outcome with the names of the files."""
        files = sorted(
            str(file.relative_to(self.path))
            for file in self.path.rglob("*")
            if file.is_file() and file.name != RECORD
        )
        zipped = f"{self.path.name}.zip"
        self._outcome = outcome.model_copy(update={"files": (*files, RECORD), "zip": zipped})
        self._write_record()
        write(self.path / zipped, self._zip((*files, RECORD)))
        return self._outcome

    def record(self) -> dict[str, Any]:
        """The content of piece.json."""
        attempts = [attempt.model_dump(mode="json") for attempt in self.attempts]
        outcome = self._outcome.model_dump(mode="json") if self._outcome else None
        return {**self._head, "attempts": attempts, "outcome": outcome}

    def _write_record(self) -> None:
        write(self.path / RECORD, to_json(self.record(), indent=1) + b"\n")

    def _zip(self, files: tuple[str, ...]) -> bytes:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as packed:
            for name in files:
                entry = zipfile.ZipInfo(f"{self.path.name}/{name}", _DATE)
                entry.external_attr = 0o644 << 16
                how = zipfile.ZIP_STORED if name.endswith(_COMPRESSED) else zipfile.ZIP_DEFLATED
                packed.writestr(entry, (self.path / name).read_bytes(), how)
        return buffer.getvalue()


def _new(out: Path, name: str) -> Path:
    number = 1
    while True:
        path = out / (name if number == 1 else f"{name}-{number}")
        try:
            path.mkdir(parents=True)
            return path
        except FileExistsError:
            number += 1
        except OSError as error:
            raise OutputError(
                f"cannot write to {path} ({error.strerror}); choose another folder with --out"
            ) from None
