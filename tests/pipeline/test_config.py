from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.config import Band, available, bands, data_file, load_preset
from pipeline.errors import ConfigError

MINIMAL = """\
about: smallest
text: {kind: server, base_url: "http://127.0.0.1:1/v1", model: x}
image:
  kind: diffusers
  model: ./painter
scorer: {kind: open_clip, model: ./judge}
"""


@pytest.fixture
def preset_file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(MINIMAL)
    return path


def test_every_bundled_preset_is_valid() -> None:
    assert {"mini", "turbo", "studio", "server"} <= set(available())
    for name in available():
        preset = load_preset(name)
        assert preset.name == name
        assert preset.needs


def test_a_preset_is_named_by_its_file(preset_file: Path) -> None:
    preset = load_preset(str(preset_file))
    assert preset.name == "mine"
    assert preset.base == preset_file.parent


@pytest.mark.parametrize(
    ("change", "line", "says"),
    [
        (("kind: diffusers", "kind: diffuser"), 4, "image.kind is 'diffuser'; known kinds: diffusers"),
        (("model: ./painter", "modle: ./painter"), 5, "unknown key image.modle; did you mean model?"),
        (("model: ./painter", "model: ./painter\n  steps: 0"), 6, "image.steps"),
        (("about: smallest", "abuot: smallest"), 1, "unknown key abuot; did you mean about?"),
    ],
)
def test_errors_name_file_line_and_key(
    preset_file: Path, change: tuple[str, str], line: int, says: str
) -> None:
    preset_file.write_text(MINIMAL.replace(*change))
    with pytest.raises(ConfigError) as error:
        load_preset(str(preset_file))
    assert f"mine.yaml:{line}: " in str(error.value)
    assert says in str(error.value)


@pytest.mark.parametrize("text", ["{", "a: b: c", "\tx: 1", "- 1\n- 2", "", "just words"])
def test_what_is_not_a_preset_is_refused_in_a_line(preset_file: Path, text: str) -> None:
    preset_file.write_text(text)
    with pytest.raises(ConfigError) as error:
        load_preset(str(preset_file))
    assert "mine.yaml" in str(error.value)
    assert "\n" not in str(error.value)


def test_yaml_cannot_run_code(preset_file: Path, tmp_path: Path) -> None:
    preset_file.write_text(f"about: !!python/object/apply:os.mkdir ['{tmp_path}/owned']\n")
    with pytest.raises(ConfigError):
        load_preset(str(preset_file))
    assert not (tmp_path / "owned").exists()


def test_unknown_presets_name_the_known() -> None:
    with pytest.raises(ConfigError, match=r"did you mean mini\?"):
        load_preset("minni")
    with pytest.raises(ConfigError, match="no preset file"):
        load_preset("nowhere/else.yaml")


def test_overrides(preset_file: Path) -> None:
    preset = load_preset(str(preset_file), ["image.steps=3", "judge.kinds.count={pass: 0.9, fail: 0.2}"])
    assert preset.image.steps == 3
    assert preset.judge.kinds["count"] == Band(**{"pass": 0.9, "fail": 0.2})
    with pytest.raises(ConfigError, match="key=value"):
        load_preset(str(preset_file), ["image.steps"])
    with pytest.raises(ConfigError, match=r"image\.stepz"):
        load_preset(str(preset_file), ["image.stepz=3"])
    with pytest.raises(ConfigError, match=r"^--set: unknown key image\.stepz"):
        load_preset("mini", ["image.stepz=3"])  # whose fallback inherits it
    with pytest.raises(ConfigError, match="not a section"):
        load_preset(str(preset_file), ["about.x=3"])


def test_a_band_that_passes_and_fails_is_refused(preset_file: Path) -> None:
    with pytest.raises(ConfigError, match="fail lies above pass"):
        load_preset(str(preset_file), ["judge.default={pass: 0.2, fail: 0.8}"])


def test_measured_bands_give_way_to_the_presets_own(tmp_path: Path, preset_file: Path) -> None:
    (tmp_path / "judge.json").write_text(
        '{"count": {"pass": 0.8, "fail": 0.1}, "style": {"pass": 0.7, "fail": 0.3}}'
    )
    preset = load_preset(
        str(preset_file), ["judge={measured: ./judge.json, kinds: {style: {pass: 0.5, fail: 0.5}}}"]
    )
    found = bands(preset.judge, preset.base)
    assert found["count"].pass_ == 0.8
    assert found["style"].pass_ == 0.5
    assert data_file("./judge.json", tmp_path) == tmp_path / "judge.json"
    (tmp_path / "judge.json").write_text("nonsense")
    with pytest.raises(ConfigError, match=r"judge\.json cannot be read"):
        bands(preset.judge, preset.base)
