"""Pictures that were changed after Easel wrote them are found."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.brief import Brief
from pipeline.config import Preset, load_preset
from pipeline.errors import ConfigError, OutputError
from pipeline.results.decide import decide
from pipeline.results.run_folder import METADATA_KEY, as_info
from pipeline.results.seal import SEAL, key_file, make_key, own_public_key
from pipeline.results.verify import examine, judged_again, judges_of
from pipeline.store import Store
from pipeline.work.play import play_one

Tiny = Callable[..., Preset]


@pytest.fixture
def folder(tiny: Tiny, tmp_path: Path) -> Path:
    """A run folder."""
    play_one(Brief(text="a cat", seed=3), tiny(loop={"images": 1}), Store(tmp_path / "out"))
    return tmp_path / "out" / "a-cat"


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user without a key."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def changed(path: Path, pixels: bool = False, **texts: str) -> Path:
    """A copy of a picture with one pixel, or some of its texts, changed."""
    with Image.open(path) as image:
        image.load()
        held: dict[str, str] = dict(getattr(image, "text", {}))
    array = np.array(image)
    array[0, 0, 0] ^= int(pixels)
    copy = path.with_name("copy.png")
    Image.fromarray(array).save(copy, pnginfo=as_info(held | texts))
    return copy


def record_of(path: Path) -> str:
    with Image.open(path) as image:
        image.load()
        return str(getattr(image, "text", {})[METADATA_KEY])


def test_every_picture_of_a_run_is_sealed(folder: Path, config: None) -> None:
    for name in ("attempts/1-1.png", "best.png"):
        found = examine(folder / name)
        assert (found.state, found.signature, found.faults, found.lacking) == ("intact", "none", (), ())
        assert found.record["brief"]["text"] == "a cat"
        assert found.models[0].startswith("sd_tiny_vae ")
    # Saving it again as it is changes nothing that is sealed.
    assert examine(changed(folder / "best.png")).state == "intact"


def test_a_changed_pixel_or_word_is_found(folder: Path, config: None) -> None:
    best = folder / "best.png"
    assert examine(changed(best, pixels=True)).faults == ("its pixels were changed",)
    other = record_of(best).replace("a cat", "a dog", 1)
    assert examine(changed(best, **{METADATA_KEY: other})).faults == ("its record was changed",)
    assert examine(changed(best, parameters="a dog")).faults == ("its record was changed",)
    assert examine(changed(best, Comment="by me")).state == "changed"
    assert examine(changed(best, **{SEAL: "{"})).faults == ("its record or its seal is damaged",)


@pytest.mark.parametrize(
    "record",
    ["[]", "3", '{"brief": []}', '{"verdict": {"checks": 3}}', '{"reviews": [1]}', '{"candidate": "x"}'],
)
def test_a_record_that_anybody_wrote_breaks_nothing(folder: Path, config: None, record: str) -> None:
    found = examine(changed(folder / "best.png", **{METADATA_KEY: record}))
    assert found.faults == ("its record or its seal is damaged",)
    assert found.models == []


def test_a_decision_is_sealed_too(folder: Path, config: None) -> None:
    store = Store(folder.parent)
    (run,) = store.runs.find()
    decide(store, run.id, "1-1", "ann", "approve")
    found = examine(folder / "accepted.png")
    assert found.state == "intact"
    assert found.record["reviews"][0]["who"] == "ann"


def test_with_a_key_only_its_holder_can_seal(
    folder: Path, tiny: Tiny, tmp_path: Path, config: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert own_public_key() is None
    public = make_key()
    assert key_file().stat().st_mode & 0o777 == 0o600
    with pytest.raises(ConfigError, match="exists"):
        make_key()
    play_one(Brief(text="a dog", seed=3), tiny(loop={"images": 1}), Store(folder.parent))
    signed = folder.parent / "a-dog" / "best.png"
    assert (examine(signed).signature, examine(signed).key) == ("yours", public)
    assert examine(folder / "best.png").signature == "none"
    with Image.open(signed) as image:
        image.load()
        seal = json.loads(getattr(image, "text", {})[SEAL])
    # Another picture with hashes that fit, and the signature of this one.
    with Image.open(folder / "best.png") as image:
        image.load()
        own = json.loads(getattr(image, "text", {})[SEAL])
    forged = changed(
        folder / "best.png", **{SEAL: json.dumps(own | {k: seal[k] for k in ("signature", "key")})}
    )
    assert (examine(forged).state, examine(forged).signature) == ("changed", "broken")
    assert examine(changed(signed, pixels=True)).state == "changed"
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "somebody else"))
    assert (examine(signed).state, examine(signed).signature) == ("intact", "another")


def test_a_key_file_that_is_none_is_said(config: None) -> None:
    key_file().parent.mkdir(parents=True)
    key_file().write_text("no key")
    with pytest.raises(ConfigError, match="cannot be read as a key"):
        own_public_key()


def test_the_judges_look_again(folder: Path, tiny: Tiny, config: None) -> None:
    best = folder / "best.png"
    judges = judges_of(load_preset(str(tiny().source)))
    for _, was, now in judged_again(best, examine(best).record, judges):
        assert now is not None
        assert (now.outcome, now.said) == (was.outcome, pytest.approx(was.said))
    with pytest.raises(OutputError, match="damaged"):
        judged_again(best, {"candidate": {}}, judges)


@pytest.mark.parametrize("data", [b"", b"GIF89a", b"\x89PNG\r\n\x1a\n" + b"\0" * 50])
def test_what_is_no_picture_is_said(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.png").write_bytes(data)
    with pytest.raises(OutputError, match="not a PNG that can be read"):
        examine(tmp_path / "x.png")
    with pytest.raises(OutputError, match="no such file"):
        examine(tmp_path / "none.png")


def test_a_picture_without_a_record_is_said(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "x.png")
    with pytest.raises(OutputError, match="holds no Easel record"):
        examine(tmp_path / "x.png")
