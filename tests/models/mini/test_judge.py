"""The bundled judge, detector and scorer together: what is true passes, what is false, extra or smeared does not.

Bars lie around what `python -m scripts.evaluation.judge` measures, with room for the few pictures here.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.calls.load import Models
from pipeline.config import Preset
from scripts.evaluation.judge import BANDS, Answers, answers, of_scenes, rates, too_much, uneven

MOST_WRONG, MOST_REJECTED = 0.1, 0.15
KINDS = ("object", "count", "attribute", "relation", "background", "style", "absence", "extra", "intact")


@pytest.fixture(scope="module")
def said(mini: tuple[Preset, Models]) -> Answers:
    return answers([*of_scenes(24, 41), *uneven(24, 42), *too_much(16, 43)], *mini)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_true_passes_and_what_is_false_does_not(said: Answers, kind: str) -> None:
    found = rates(said[kind])
    for name, most in (("false accepts", MOST_WRONG), ("false rejects", MOST_REJECTED)):
        wrong, of = found[name]
        assert of >= 10
        assert wrong / of <= most, name
    unsure, of = found["unsure"]
    assert unsure / of <= 0.3


def test_every_kind_has_measured_errors() -> None:
    kept = json.loads(Path(BANDS).read_text())
    assert set(kept) == {*KINDS, "nothing else"} - {"extra"}
    rows = [
        (kind, row) for kind, said in kept.items() for row in (said if isinstance(said, list) else [said])
    ]
    for (
        kind,
        record,
    ) in rows:  # a kind has a row for each of its judges that may decide alone, and for all together
        assert 0 <= record["fail"] < record["pass"] <= 1, kind
        for name in ("false_accept", "false_reject", "unsure"):
            assert 0 <= record[name] <= 1
        assert record["measured_on"]
