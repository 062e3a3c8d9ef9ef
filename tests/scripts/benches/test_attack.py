from __future__ import annotations

from scripts.benches.attack import bombs


def test_bombs_are_refused_or_read_quickly() -> None:
    found = list(bombs())
    assert len(found) == 6
    assert all(fine for _, _, fine in found), found
