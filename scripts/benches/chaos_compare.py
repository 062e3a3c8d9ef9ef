"""Compares what two interrupted runs of the same work have left: files, pictures, and rows of the store."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from pipeline.store import Store
from pipeline.telemetry.spans import Span, recorded

# What may differ between two runs: times and costs. A killed process may have kept an answer without recording the
# call, and then nobody knows that it was paid for.
_WHEN = {"started", "seconds", "joules", "measured", "money", "calls", "paid"}
# Files about processes, and reports, which have times in them.
_OF_PROCESSES = ("easel.db", "easel.lock", "easel.worker", "easel.previews", "report")


def state(out: Path) -> dict[str, str]:
    """Everything in an output folder and its store that must not depend on interruptions: name → content or hash."""
    found = {}
    for path in sorted(p for p in out.rglob("*") if p.is_file()):
        name = str(path.relative_to(out))
        if path.suffix == ".png":
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
        elif path.name == "run.json":
            found[name] = json.dumps(_timeless(json.loads(path.read_text())), sort_keys=True)
        elif not name.startswith(_OF_PROCESSES):
            found[name] = "present"
    store = Store(out)
    for run in store.runs.find():
        key = f"store/{run.folder}"
        found[key] = f"{run.id} {run.status} {run.reason} {run.best} {run.images} {run.tokens}"
        found[f"{key}/attempts"] = str([(a.number, a.record) for a in store.runs.attempts(run.id)])
        found[f"{key}/pictures"] = str(
            [(c.id, c.image, c.gate, c.score) for c in store.runs.candidates(run.id)]
        )
        found[f"{key}/checks"] = str([(c.candidate, c.requirement, c.outcome, c.probability)
                                      for c in store.runs.checks(run.id)])  # fmt: skip
        calls = store.runs.calls(run.id)
        found[f"{key}/calls"] = str([(c.attempt, c.position, _answer(c.record)) for c in calls])
        found[f"{key}/spans"] = str([_span(span) for span in recorded(store, run)])
    found["store/results"] = str(sorted(store.results.count().items()))
    found["store/jobs"] = str(len(store.jobs.list()))
    store.close()
    return found


def _timeless(record: Any) -> Any:
    if isinstance(record, dict):
        return {key: _timeless(value) for key, value in record.items() if key not in _WHEN}
    return [_timeless(item) for item in record] if isinstance(record, list) else record


def differences(found: dict[str, str], wanted: dict[str, str]) -> list[str]:
    names = sorted(found.keys() | wanted.keys())
    return [
        f"{'lost' if name not in found else 'too much' if name not in wanted else 'differs'}: {name}"
        for name in names
        if found.get(name) != wanted.get(name)
    ]


def _answer(call: dict[str, Any]) -> dict[str, Any]:
    """What a call asked and what was answered, whether kept or not, and with which other briefs together or not."""
    return {
        key: call.get(key) for key in ("stage", "model", "inputs", "outputs", "options", "error", "degraded")
    }


def _span(span: Span) -> tuple[str, str, list[str], list[str]]:
    """A span without times and costs: name, status, names of attributes, and its events."""
    return span.name, span.status, sorted(span.attributes), [str(event["name"]) for event in span.events]
