"""The bench of settings for speed, on a tiny painter: a row for each setting."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from scripts.benches.gpu import main
from tests.models.image.tiny_image import make_lora
from tests.pipeline.tiny_preset import write_preset


def test_a_row_for_each_setting(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    preset = write_preset(tmp_path, image="sd")
    make_lora(tmp_path / "lora", tmp_path / "sd")
    given = ["image.loras=[{model: ./lora}]"]
    asked = ["nothing", "prompt_cache", "channels_last", "fuse_loras", "max_batch"]
    main(str(preset), given, rounds=1, only=asked, images=2)
    rows = {line.split()[0]: line.split() for line in capsys.readouterr().out.splitlines() if line.strip()}
    for name in asked:
        assert float(rows[name][2]) > 0  # the ratio
        assert int(rows[name][4]) <= 2  # the pictures are the same
    main(str(preset), rounds=1, only=["fuse_loras", "quantize", "parked"], images=1)
    told = capsys.readouterr().out
    assert "no LoRA" in told
    rows = {line.split()[0]: line.split() for line in told.splitlines() if line.strip()}
    assert float(rows["quantize"][2]) > 0
    assert 0 < int(rows["quantize"][4]) < 40
    parked = " ".join(rows["parked"][1:])
    assert parked == "no GPU" if not torch.cuda.is_available() else float(rows["parked"][1]) > 0
