"""The files of a run folder after people decided about its candidates.

    accepted.png, or best.png    the picture of the run's outcome; its record has the decisions on it under `reviews`
    run.json                     `outcome` is the run's, `loop_outcome` the loop's, `reviews` every decision that stands

Without a decision that stands the files are exactly those that the loop wrote.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from pipeline.errors import OutputError
from pipeline.files import write
from pipeline.judging.verdict import ALWAYS
from pipeline.results.run_folder import FAST, METADATA_KEY, RECORD, as_bytes, as_info
from pipeline.results.seal import sealed
from pipeline.store import Store
from pipeline.store.outcomes import ACCEPTED
from pipeline.store.reviews import Review
from pipeline.store.tables import RunRow

_PICTURES = ("accepted.png", "best.png")


def follow(out: Path, run: RunRow, standing: Sequence[Review]) -> None:
    """Write the files of a run's folder anew, for the run's outcome and the decisions that stand. A folder that was
    moved away is left alone. Raises OutputError if a file is missing or cannot be written."""
    folder = out / run.folder
    if not (folder / RECORD).exists():
        return
    record = _of_the_loop(folder)
    said = [described(review, record) for review in standing]
    picture = (
        _picture(folder, run.best, [one for one in said if one["candidate"] == run.best])
        if run.best
        else None
    )
    if run.decided_by is not None:
        record |= {"outcome": _outcome(run, record), "loop_outcome": record["outcome"]}
    if said:
        record["reviews"] = said
    name = picture_name(run.status)
    if picture is not None:
        write(folder / name, picture)
    write(folder / RECORD, as_bytes(record))
    for other in _PICTURES:
        if picture is None or other != name:
            (folder / other).unlink(missing_ok=True)


def picture_name(status: str) -> str:
    """The name of a run's picture in its folder."""
    return "accepted.png" if status == ACCEPTED else "best.png"


def catch_up(store: Store) -> None:
    """Write the folders of decided runs whose files are still those of the loop: their decision was made by an earlier
    version, or the process was killed before the files were written."""
    for id, folder, status, best in store.runs.decided():
        path = store.out / folder
        behind = (path / "accepted.png").exists() != (status == ACCEPTED)
        if behind and (path / RECORD).exists() and (path / f"attempts/{best}.png").exists():
            with store.reviews.settling(id) as settled:
                follow(store.out, *settled)


def described(review: Review, record: Mapping[str, Any]) -> dict[str, Any]:
    """A decision as files have it: with what the judge said of each requirement that the person answered. `record`:
    the content of run.json."""
    reading = record["reading"] or {"requirements": ()}
    texts = {want["id"]: want["text"] for want in reading["requirements"]} | ALWAYS
    checks = {
        check["requirement"]: check for check in (_judged(review.candidate, record) or {}).get("checks", ())
    }
    answers = {
        id: {
            "text": texts.get(id, id), "person": answer, "judge": checks.get(id, {}).get("outcome"),
            "reason": review.reasons.get(id, ""),
        }
        for id, answer in review.requirements.items()
    }  # fmt: skip
    kept = review.model_dump(mode="json", include={"candidate", "who", "decision", "reason", "at"})
    return kept | {"requirements": answers}


def _of_the_loop(folder: Path) -> dict[str, Any]:
    """The content of run.json as the loop wrote it."""
    try:
        record: dict[str, Any] = json.loads((folder / RECORD).read_bytes())
    except (OSError, ValueError) as error:
        raise OutputError(
            f"{folder / RECORD} cannot be read ({error}); put it back, then decide again"
        ) from None
    record.pop("reviews", None)
    if "loop_outcome" in record:
        record["outcome"] = record.pop("loop_outcome")
    return record


def _outcome(run: RunRow, record: Mapping[str, Any]) -> dict[str, Any]:
    """The outcome that a person decided, in the form of the loop's."""
    painted = (c for attempt in record["attempts"] for c in attempt["candidates"] if c["id"] == run.best)
    at = run.decided_at.isoformat().replace("+00:00", "Z") if run.decided_at else None
    return (record["outcome"] or {}) | {
        "status": run.status, "reason": run.reason, "best": next(painted, None),
        "verdict": _judged(run.best, record), "decided_by": run.decided_by, "decided_at": at,
    }  # fmt: skip


def _judged(candidate: str | None, record: Mapping[str, Any]) -> dict[str, Any] | None:
    """The verdict on a candidate."""
    verdicts = (
        v for attempt in record["attempts"] for v in attempt["verdicts"] if v["candidate"] == candidate
    )
    return next(verdicts, None)


def _picture(folder: Path, candidate: str, reviews: Sequence[Mapping[str, Any]]) -> bytes:
    """The PNG of a candidate; where people decided about it, with their decisions in its record."""
    path = folder / "attempts" / f"{candidate}.png"
    try:
        painted = path.read_bytes()
    except OSError as error:
        raise OutputError(
            f"{path} cannot be read ({error.strerror}); put it back, then decide again"
        ) from None
    if not reviews:
        return painted
    buffer = io.BytesIO()
    with Image.open(io.BytesIO(painted)) as image:
        image.load()
        texts: dict[str, str] = dict(getattr(image, "text", {}))
        record = json.loads(texts[METADATA_KEY]) | {"reviews": list(reviews)}
        changed = sealed(image, texts | {METADATA_KEY: json.dumps(record, ensure_ascii=False)})
        image.save(buffer, "PNG", pnginfo=as_info(changed), compress_level=FAST)
    return buffer.getvalue()
