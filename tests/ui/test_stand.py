"""The main picture of Create while a job runs."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from PIL import Image

from pipeline.store.jobs import Job
from ui.run_parts import COMING, stand


def working(**progress: object) -> Job:
    return Job(
        id="a", kind="brief", state="running", submitted=datetime.now(UTC), payload={}, progress=progress
    )


def test_a_preview_is_a_part_of_the_page(tmp_path: Path) -> None:
    """No second request, which might come after the file was replaced or deleted."""
    Image.new("RGB", (64, 32), "red").save(tmp_path / "live.png")
    shown = stand(working(preview="live.png"), None, tmp_path)
    assert shown is not None
    assert 'src="data:image/webp;base64,' in shown
    assert "aspect-ratio: 64 / 32" in shown
    assert "file=" not in shown


def test_what_is_shown_stays_while_a_preview_is_gone(tmp_path: Path) -> None:
    assert stand(working(preview="live.png"), None, tmp_path) is None
    assert COMING in str(stand(working(), None, tmp_path))
