"""Whether a PNG is as Easel wrote it, and what its record says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from PIL import Image
from pydantic import ValidationError

from pipeline.brief import Record, Requirement
from pipeline.calls.load import load
from pipeline.config import Preset
from pipeline.errors import OutputError
from pipeline.judging.judge import Judges, judge
from pipeline.judging.verdict import ALWAYS, Check, Verdict
from pipeline.painting.image import candidate_of
from pipeline.results.run_folder import METADATA_KEY, VERSION
from pipeline.results.seal import SEAL, Seal, own_public_key, unsigned

LARGEST = 100_000_000  # pixels

State = Literal["intact", "changed", "not sealed"]
# A requirement in words, its check in the record, and the check now; None where the judges do not check it.
Again = tuple[str, Check, Check | None]
# yours: by the key of this user; another: by a key that is not here; broken: not by the key that it names.
Signature = Literal["none", "yours", "another", "broken"]


class Examined(Record):
    """`lacking`: parts of the record that are not there. `faults`: what was changed, in words."""

    state: State
    signature: Signature
    key: str
    faults: tuple[str, ...]
    lacking: tuple[str, ...]
    record: dict[str, Any]

    @property
    def models(self) -> list[str]:
        """Name and revision of the painter, and the names of the judges of the record."""
        candidate = self.record.get("candidate", {})
        judges = {str(check.get("judge")) for check in self.record.get("verdict", {}).get("checks", ())}
        painter = f"{candidate.get('model', '')} {candidate.get('revision', '')}".strip()
        return [*([painter] if painter else []), *sorted(judges - {"pixels"})]


_PARTS = ("version", "brief", "preset", "recipe", "requirements", "candidate", "verdict")
_KINDS = {"brief": dict, "candidate": dict, "verdict": dict, "requirements": list, "reviews": list}


def examine(path: Path) -> Examined:
    """Compare a PNG with its seal. Raises OutputError for a file that cannot be read or holds no record."""
    image, texts = _opened(path)
    try:
        record = json.loads(texts[METADATA_KEY])
        seal = Seal.model_validate_json(texts[SEAL]) if SEAL in texts else None
    except (ValueError, ValidationError, RecursionError):
        record, seal = None, None
    if not _usable(record):
        damaged = "its record or its seal is damaged"
        return Examined(state="changed", signature="none", key="", faults=(damaged,), lacking=(), record={})
    lacking = tuple(part for part in _PARTS if part not in record)
    if seal is None:
        return Examined(
            state="not sealed", signature="none", key="", faults=(), lacking=lacking, record=record
        )
    now = unsigned(image, texts)
    faults = []
    if now.pixels != seal.pixels:
        faults.append("its pixels were changed")
    if now.texts != seal.texts:
        faults.append("its record was changed")
    signature = _signature(seal)
    if signature == "broken":
        faults.append("its signature does not fit its seal")
    if record.get("version") not in (None, VERSION):
        lacking = (*lacking, f"a record of version {VERSION}; it has {str(record['version'])[:20]}")
    return Examined(
        state="changed" if faults else "intact", signature=signature, key=seal.key, faults=tuple(faults),
        lacking=lacking, record=record,
    )  # fmt: skip


def _usable(record: Any) -> bool:
    """Whether the parts that are in a record have the types of parts. Nothing else about it is certain: anybody can
    write one."""
    if not isinstance(record, dict):
        return False
    if not all(isinstance(record[part], kind) for part, kind in _KINDS.items() if part in record):
        return False
    lists = record.get("reviews", []), record.get("verdict", {}).get("checks", [])
    return all(isinstance(one, list) and all(isinstance(each, dict) for each in one) for one in lists)


def _signature(seal: Seal) -> Signature:
    if not seal.signature:
        return "none"
    if not seal.signature_holds:
        return "broken"
    return "yours" if seal.key == own_public_key() else "another"


def judges_of(preset: Preset) -> Judges:
    """The judges of a preset. Raises ModelError where a model cannot be loaded."""
    models = load(preset)
    return Judges(models.judges, preset.routes, models.bands, models.range)


def judged_again(path: Path, record: dict[str, Any], judges: Judges) -> list[Again]:
    """Every check of the record once more. Raises OutputError for a record that cannot be used."""
    image, _ = _opened(path)
    try:
        candidate = candidate_of(record["candidate"], image)
        wants = [Requirement.model_validate(want) for want in record["requirements"]]
        was = Verdict.model_validate(record["verdict"])
    except (KeyError, TypeError, AttributeError, ValidationError):
        why = "its record is damaged or of another version; nothing can be judged again"
        raise OutputError(f"{path}: {why}") from None
    ((now,),) = judge([[candidate]], [wants], judges).each
    words = {want.id: want.text for want in wants} | ALWAYS
    after = {check.requirement: check for check in now.checks}
    return [
        (words.get(check.requirement, check.requirement), check, after.get(check.requirement))
        for check in was.checks
    ]


def _opened(path: Path) -> tuple[Image.Image, dict[str, str]]:
    """The image with its pixels, and its texts."""
    try:
        with Image.open(path, formats=("PNG",)) as image:
            if image.width * image.height > LARGEST:
                raise OutputError(f"{path}: larger than {LARGEST:,} pixels; Easel writes no such pictures")
            image.load()
            texts = {str(key): str(text) for key, text in getattr(image, "text", {}).items()}
    except FileNotFoundError:
        raise OutputError(f"{path}: there is no such file") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise OutputError(f"{path}: not a PNG that can be read ({error})") from None
    if METADATA_KEY not in texts:
        raise OutputError(
            f"{path}: holds no Easel record; other programs may have removed it when they saved the picture"
        )
    return image, texts
