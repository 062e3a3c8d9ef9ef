"""Evaluation sets: pictures that people approved or rejected, as cases that judges are measured on again and again.

A set is a folder: `cases.jsonl`, one case a line, and the pictures by their fingerprints. It needs no store, so it can
be copied, kept under version control, exported into one file and imported elsewhere.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from PIL import Image
from pydantic import Field, ValidationError

from pipeline.brief import Reading, Record, Requirement
from pipeline.errors import BriefError, OutputError, fault
from pipeline.files import write
from pipeline.painting.image import Candidate, candidate_of
from pipeline.pixels import fingerprint
from pipeline.store import Store
from pipeline.store.pictures import Pictures
from pipeline.store.tables import RunRow

FOLDER = "easel.eval"  # below the output folder; with a dot, so that no run folder has this name
FILE = "cases.jsonl"
LARGEST = 64_000_000  # pixels of an imported picture
_LONGEST = 200_000_000  # characters of a line of an imported file


class Case(Record):
    """One picture, what was asked for, and what people said of it.

    `approved`: the picture as a whole; `answers`: of requirements, by id, as people said; `was`: what the judges said
    when the case was added, by id of a requirement or of ALWAYS; `candidate`: the record of the picture."""

    brief: str
    requirements: tuple[Requirement, ...]
    picture: str  # fingerprint
    candidate: dict[str, Any]
    approved: bool
    who: str
    at: datetime
    reason: str = ""
    answers: dict[str, Literal["pass", "fail"]] = Field(default_factory=dict)
    was: dict[str, str] = Field(default_factory=dict)
    run: str = ""

    @property
    def id(self) -> str:
        """The same for the same picture with the same requirements."""
        wants = [want.model_dump(mode="json") for want in self.requirements]
        return hashlib.sha256(json.dumps([self.picture, wants]).encode()).hexdigest()[:12]

    @property
    def truth(self) -> dict[str, bool]:
        """Whether the picture shows each requirement, as far as people said: their yes and no, and of an approved
        picture its other must-haves."""
        said = {id: answer == "pass" for id, answer in self.answers.items()}
        implied = {want.id: True for want in self.requirements if want.must} if self.approved else {}
        return implied | said


class CaseSet:
    """The cases in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._pictures = folder, Pictures(folder)

    def cases(self) -> list[Case]:
        """All cases, in the order in which they were added. Raises BriefError for a line that is none."""
        path = self.folder / FILE
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []
        except (OSError, UnicodeDecodeError) as error:
            raise BriefError(f"{path} cannot be read ({error})") from None
        return [_case(line, f"{path}:{n}") for n, line in enumerate(lines, 1) if line.strip()]

    def candidate(self, case: Case) -> Candidate | None:
        """The picture of a case; None where its file is gone or was changed."""
        image = self._pictures.get(case.picture)
        return None if image is None else candidate_of(case.candidate, image)

    def path(self, case: Case) -> Path:
        """The file of the picture of a case."""
        return self._pictures.path(case.picture)

    def add(self, added: Iterable[tuple[Case, Image.Image]]) -> tuple[int, int]:
        """Add cases with their pictures; one that is there already is replaced. Returns how many are new, and how many
        were replaced. Raises OutputError."""
        have = {case.id: case for case in self.cases()}
        before = set(have)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"cannot write to {self.folder} ({error.strerror}); choose another with --folder"
            ) from None
        touched = set()
        for case, image in added:
            self._pictures.keep(image)
            have[case.id] = case
            touched.add(case.id)
        lines = "".join(case.model_dump_json() + "\n" for case in have.values())
        write(self.folder / FILE, lines.encode())
        return len(touched - before), len(touched & before)

    def export(self) -> Iterator[str]:
        """Each case as a line of JSON that has its picture too. Raises BriefError where a picture is gone."""
        for case in self.cases():
            image = self._pictures.get(case.picture)
            if image is None:
                raise BriefError(f"the picture of {case.id} ({case.brief[:60]}) is gone; add its run again")
            buffer = io.BytesIO()
            image.save(buffer, "PNG")
            png = base64.b64encode(buffer.getvalue()).decode()
            yield json.dumps(case.model_dump(mode="json") | {"png": png}, ensure_ascii=False)


def imported(path: Path) -> Iterator[tuple[Case, Image.Image]]:
    """The cases of an exported file with their pictures. Raises BriefError, which names the line."""
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield _with_picture(line[:_LONGEST], f"{path}:{number}")
    except (OSError, UnicodeDecodeError) as error:
        raise BriefError(f"{path} cannot be read ({getattr(error, 'strerror', None) or error})") from None


def _with_picture(line: str, place: str) -> tuple[Case, Image.Image]:
    try:
        data = json.loads(line)
        png = base64.b64decode(data.pop("png"), validate=True)
        with Image.open(io.BytesIO(png), formats=("PNG",)) as opened:
            if opened.width * opened.height > LARGEST:
                raise ValueError(f"its picture is larger than {LARGEST:,} pixels")
            opened.load()
            image = opened.copy()
    except (KeyError, AttributeError):
        raise BriefError(f"{place}: no case with a picture; export it with `easel eval export`") from None
    except (
        ValueError,
        TypeError,
        OSError,
        SyntaxError,
        RecursionError,
        Image.DecompressionBombError,
    ) as error:
        raise BriefError(f"{place}: cannot be read ({error})") from None
    image.info.clear()
    case = _case(json.dumps(data), place)
    if fingerprint(image) != case.picture:
        raise BriefError(f"{place}: the picture is not the one that people decided on; export it again")
    return case, image


def _case(line: str, place: str) -> Case:
    try:
        case = Case.model_validate_json(line)
        candidate_of(case.candidate, Image.new("RGB", (1, 1)))  # whether the record can be used
    except ValidationError as error:
        raise BriefError(f"{place}: {fault(error)}; remove the line, or add its run again") from None
    return case


def decided(runs: Sequence[RunRow], store: Store) -> Iterator[tuple[Case, Image.Image]]:
    """A case for every candidate of these runs on which a person's decision stands, with its picture. Of several
    decisions on one the last counts; their answers are taken together."""
    standing = store.reviews.standing([run.id for run in runs])
    for run in runs:
        rows = {row.id: row for row in store.runs.candidates(run.id)}
        for candidate in dict.fromkeys(review.candidate for review in standing.get(run.id, ())):
            mine = [review for review in standing[run.id] if review.candidate == candidate]
            row = rows.get(candidate)
            image = store.pictures.get(row.image) if row else None
            if row is None or image is None or run.reading is None:
                continue
            last = mine[-1]
            yield Case(
                brief=run.text, requirements=Reading(**run.reading).requirements, picture=row.image,
                candidate=row.record, approved=last.decision == "approve", who=last.who, at=last.at,
                reason=last.reason, answers={k: v for review in mine for k, v in review.requirements.items()},
                was={check.requirement: check.outcome for check in store.runs.checks(run.id, candidate)},
                run=run.folder,
            ), image  # fmt: skip
