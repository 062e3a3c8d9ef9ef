"""Mutated rows, presets and PNGs are read or refused in one sentence; a longer run is `scripts.benches.fuzz`."""

from __future__ import annotations

from pathlib import Path

from scripts.benches.fuzz import fuzz


def test_nothing_that_is_read_breaks_its_reader(tmp_path: Path) -> None:
    tally, faults = fuzz(900, 20, tmp_path)
    assert faults == []
    assert all(seen["read"] and seen["refused"] for seen in tally.values())
