from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from models.image.diffusers_backend import DiffusersImage, Lora, Scheduler
from models.protocols import ModelError
from models.scorer.open_clip_backend import OpenClipScorer
from models.specs import JUDGES
from models.text.server_text import ServerText
from models.text.transformers_backend import TransformersText
from pipeline.brief import Brief, Limits
from pipeline.calls.load import check
from pipeline.config import (
    Band,
    Judge,
    Loop,
    Machine,
    Preset,
    available,
    bands,
    data_file,
    load_preset,
    unsuited,
)
from pipeline.errors import ConfigError
from pipeline.judging.routes import Route
from pipeline.preset_faults import known_keys
from pipeline.preset_file import read_preset_file
from pipeline.preset_keys import preset_keys
from tests.models.image.tiny_image import make_sd

MINIMAL = """\
about: smallest
text: {kind: server, base_url: "http://127.0.0.1:1/v1", model: x}
image:
  kind: diffusers
  model: ./painter
judges:
  scorer: {kind: open_clip, model: ./judge}
"""


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


@pytest.fixture
def preset_file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(MINIMAL)
    return path


def test_every_bundled_preset_is_valid() -> None:
    assert {"mini", "laptop", "turbo", "studio", "server"} <= set(available())
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


WITH_RUNGS = MINIMAL.replace(
    "  model: ./painter",
    "  model: ./painter\n  scheduler: {name: x}\n  fallback:\n    - device: cpu\n    - steps: 2",
)


@pytest.mark.parametrize(
    ("change", "line", "says"),
    [
        (
            ("kind: diffusers", "kind: diffusers\n  stepz: 4"),
            5,
            "unknown key image.stepz; did you mean steps?",
        ),
        (("{name: x}", "{nam: x}"), 6, "unknown key image.scheduler.nam; did you mean name?"),
        (("  model: ./painter", "  modle: ./painter"), 5, "unknown key image.modle; did you mean model?"),
        (("- device: cpu", "- devise: cpu"), 8, "unknown key image.fallback.0.devise; did you mean device?"),
        (("- steps: 2", "- steps: 0"), 9, "image.fallback.1.steps"),
        (
            ("model: ./judge", "modle: ./judge, fallback: [{device: cpu}]"),
            11,
            "unknown key judges.scorer.modle",
        ),
    ],
)
def test_one_fault_is_told_once_at_its_own_line(
    preset_file: Path, change: tuple[str, str], line: int, says: str
) -> None:
    preset_file.write_text(WITH_RUNGS.replace(*change))
    with pytest.raises(ConfigError) as error:
        load_preset(str(preset_file))
    assert f"mine.yaml:{line}: {says}" in str(error.value)
    assert "faults:" not in str(error.value)


@pytest.mark.parametrize("change", ["image.stepz=4", "image.scheduler={nam: x}", "judges.scorer.devise=cpu"])
def test_one_fault_of_an_override_is_told_once(preset_file: Path, change: str) -> None:
    preset_file.write_text(WITH_RUNGS)
    with pytest.raises(ConfigError, match=r"^--set: unknown key") as error:
        load_preset(str(preset_file), [change])
    assert "faults:" not in str(error.value)


FULL = """\
about: every section
text:
  kind: transformers
  model: ./text
  fallback:
    - device: cpu
    - {kind: server, model: x, base_url: "http://127.0.0.1:1/v1"}
image:
  kind: diffusers
  model: ./painter
  scheduler:
    name: LCMScheduler
  loras:
    - model: ./lora
      scale: 0.5
  fallback:
    - steps: 4
    - steps: 2
judges:
  scorer: {kind: open_clip, model: ./judge}
judge:
  default:
    pass: 0.7
    fail: 0.3
  kinds:
    count: {pass: 0.9, fail: 0.2}
  routes:
    style: []
loop:
  images: 3
  attempt:
    seconds: 5
  batch:
    images: 9
machine:
  price: 0.5
"""


@pytest.mark.parametrize(
    ("line", "change", "says"),
    [
        (3, ("kind: transformers", "knd: transformers"), "unknown key text.knd; did you mean kind?"),
        (4, ("  model: ./text", "  modell: ./text"), "unknown key text.modell; did you mean model?"),
        (2, ("  kind: transformers\n", ""), "text.kind is missing; known kinds: server, transformers"),
        (5, ("  model: ./text", "  model: ./text\n  adaptr: ./a"), "unknown key text.adaptr; did you mean adapter?"),
        (6, ("device: cpu", "devise: cpu"), "unknown key text.fallback.0.devise; did you mean device?"),
        (6, ("device: cpu", "device: gpu"), "text.fallback.0.device is 'gpu'; did you mean cpu?"),
        (7, ("base_url: ", "base_ulr: "), "unknown key text.fallback.1.base_ulr; did you mean base_url?"),
        (7, ("kind: server", "kind: servr"), "text.fallback.1.kind is 'servr'; known kinds: server, transformers"),
        (9, ("  kind: diffusers", "  kind: difusers"), "image.kind is 'difusers'; known kinds: diffusers"),
        (10, ("  model: ./painter", "  modle: ./painter"), "unknown key image.modle; did you mean model?"),
        (12, ("name: LCM", "nmae: LCM"), "unknown key image.scheduler.nmae; did you mean name?"),
        (13, ("LCMScheduler", "LCMScheduler\n    retries: 2"), "unknown key image.scheduler.retries; known are name"),
        (15, ("scale: 0.5", "sclae: 0.5"), "unknown key image.loras.0.sclae; did you mean scale?"),
        (15, ("scale: 0.5", "patience_s: 5"), "unknown key image.loras.0.patience_s; known are model"),
        (17, ("- steps: 4", "- stepz: 4"), "unknown key image.fallback.0.stepz; did you mean steps?"),
        (18, ("- steps: 2", "- {steps: 2, loras: [{modle: x}]}"), "unknown key image.fallback.1.loras.0.modle"),
        (17, ("- steps: 4", "- {1: 4}"), "unknown key image.fallback.0.1; known are "),
        (20, ("./judge}", "./judge, devcie: cpu}"), "unknown key judges.scorer.devcie; did you mean device?"),
        (23, ("pass: 0.7", "pas: 0.7"), "unknown key judge.default.pas; did you mean pass?"),
        (26, ("count: {", "cuont: {"), "unknown key judge.kinds.cuont; did you mean count?"),
        (26, ("count: {pass", "count: {odd: 1, pass"), "unknown key judge.kinds.count.odd; did you mean odds?"),
        (28, ("style: []", "stile: []"), "unknown key judge.routes.stile; did you mean style?"),
        (28, ("style: []", "style: {hwo: all}"), "unknown key judge.routes.style.hwo; did you mean how?"),
        (28, ("style: []", "style: {how: any}"), "judge.routes.style.how is 'any'; known are mean, agree, all, first"),
        (28, ("style: []", "style: [clip]"), "judge.routes.style: there is no judge 'clip'; the preset has scorer"),
        (28, ("style: []", "action: [scorer]"), "judge.routes.action: scorer cannot tell it; it can tell absence, "),
        (30, ("  images: 3", "  imges: 3"), "unknown key loop.imges; did you mean images?"),
        (32, ("seconds: 5", "secnods: 5"), "unknown key loop.attempt.secnods; did you mean seconds?"),
        (34, ("images: 9", "image: 9"), "unknown key loop.batch.image; did you mean images?"),
        (36, ("price: 0.5", "prize: 0.5"), "unknown key machine.prize; did you mean price?"),
        (36, ("price: 0.5", "1: 0.5"), "unknown key machine.1; known are currency"),
        (35, ("machine:", "1: 2\nmachine:"), "unknown key 1; known are about"),
    ],
)  # fmt: skip
def test_every_section_refuses_unknown_keys(
    preset_file: Path, line: int, change: tuple[str, str], says: str
) -> None:
    """With the line of the key itself, and as one fault where a rung inherits it."""
    assert "style" not in load_preset(str(write(preset_file, FULL))).routes
    assert change[0] in FULL
    with pytest.raises(ConfigError) as error:
        load_preset(str(write(preset_file, FULL.replace(*change, 1))))
    assert says in str(error.value)
    assert str(error.value).startswith(f"{preset_file}:{line}: ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("change", "faults"),
    [(("model: ./painter", "model: ./painter\n  stepz: 4"), 1), (("  model: ./painter\n", ""), 1),
     (("scale: 0.5", "sclae: 0.5"), 1), (("model: ./painter", "modle: ./painter"), 1),
     (("about: every section", "abuot: x\nmore: y"), 2)],
)  # fmt: skip
def test_a_fault_that_rungs_inherit_counts_once(
    preset_file: Path, change: tuple[str, str], faults: int
) -> None:
    assert change[0] in FULL
    with pytest.raises(ConfigError) as error:
        load_preset(str(write(preset_file, FULL.replace(*change, 1))))
    assert ("(faults: 2" in str(error.value)) == (faults == 2)
    assert "faults: 3" not in str(error.value)
    assert "fallback" not in str(error.value)


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("judge.defalt.fail=0.1", "unknown key judge.defalt; did you mean default?"),
        ("judge.default.fial=0.1", "unknown key judge.default.fial; did you mean fail?"),
        ("judge.kinds.cuont.pass=0.9", "unknown key judge.kinds.cuont; did you mean count?"),
        ("judge.kinds={cuont: {pass: 0.9}}", "unknown key judge.kinds.cuont; did you mean count?"),
        ("judge.routes.stile=[scorer]", "unknown key judge.routes.stile; did you mean style?"),
        ("lopp.images=3", "unknown key lopp; did you mean loop?"),
        ("loop.batch.monney=3", "unknown key loop.batch.monney; did you mean money?"),
        ("image.scheduler.retries=3", "unknown key image.scheduler.retries; known are name, options"),
        ("image.loras=[{model: x, retries: 1}]", "unknown key image.loras.0.retries"),
        ("image.fallback=[{stepz: 4}]", "unknown key image.fallback.0.stepz; did you mean steps?"),
        ("image.stepz=4", "unknown key image.stepz; did you mean steps?"),
        ("text=nothing", "text: a model is a section with kind and model, not 'nothing'"),
        ("judges.scorer={kind: open_clip}", "judges.scorer.model: field required"),
        (
            "judges.scorer={kind: opn_clip, model: x}",
            "judges.scorer.kind is 'opn_clip'; known kinds of judges: open_clip, ",
        ),
        ("judges.scorer.devcie=cpu", "unknown key judges.scorer.devcie; did you mean device?"),
        ("judges={}", "judges: "),
        ("judges.2={kind: open_clip, model: x}", "judges.2: "),
        (
            "judges.more={kind: open_clip, model: x}",
            "judges.more: no route asks this judge; name it in judge.routes",
        ),
        ("loop=3", "loop is a section with keys of its own, not 3"),
        ("judge.kinds=count", "judge.kinds is a section with keys of its own, not 'count'"),
        ("judge.routes.style=3", "judge.routes.style is a section with keys of its own, not 3"),
        ("judge.routes.style={ask: scorer}", "judge.routes.style.ask is a list, not 'scorer'"),
        ("image.fallback={steps: 4}", "image.fallback is a list, not {'steps': 4}"),
        ("image.fallback=[4]", "image.fallback.0: a model is a section with kind and model, not 4"),
        ("image.loras={model: x}", "image.loras is a list, not {'model': 'x'}"),
        ("offline=perhaps", "offline: "),
    ],
)
def test_an_override_error_names_the_override(preset_file: Path, override: str, says: str) -> None:
    with pytest.raises(ConfigError) as error:
        load_preset(str(write(preset_file, FULL)), [override])
    assert str(error.value).startswith(f"--set: {says}")
    assert "faults:" not in str(error.value)


def test_known_keys_are_those_of_the_models() -> None:
    """For every section of every kind of preset, whatever is added to it later."""
    data = yaml.safe_load(FULL)
    sections: dict[tuple[str, ...], type[BaseModel]] = {
        (): Preset, ("text",): TransformersText, ("text", "fallback", "0"): TransformersText,
        ("text", "fallback", "1"): ServerText, ("image",): DiffusersImage, ("image", "loras", "0"): Lora,
        ("image", "scheduler"): Scheduler, ("image", "fallback", "1"): DiffusersImage,
        ("judges", "scorer"): OpenClipScorer, ("judge",): Judge, ("judge", "kinds", "count"): Band,
        ("judge", "routes", "count"): Route, ("loop",): Loop,
        ("loop", "attempt"): Limits, ("loop", "batch"): Limits, ("machine",): Machine,
    }  # fmt: skip
    for keys, section in sections.items():
        names = {field.alias or name for name, field in section.model_fields.items()}
        assert known_keys(Preset, data, keys) == sorted(names), keys
    assert known_keys(Preset, data, ("image", "call_options")) == []


def test_a_preset_that_says_what_judges_cannot_check_is_told_the_routes(preset_file: Path) -> None:
    with pytest.raises(ConfigError, match=r"judge\.cannot: say instead .* judge\.routes: \{KIND: \[\]\}"):
        load_preset(str(preset_file), ["judge.cannot=[object]"])


@pytest.mark.parametrize("stage", JUDGES)
def test_a_judge_at_the_top_of_the_file_is_told_where_it_belongs(preset_file: Path, stage: str) -> None:
    """As presets had them: one error, though `judges` is missing too."""
    moved = f"{stage}: move this section below `judges`, where each judge has a name: judges.{stage}"
    old = MINIMAL.replace("judges:\n  scorer:", f"{stage}:")
    with pytest.raises(ConfigError) as error:
        load_preset(str(write(preset_file, old)))
    assert str(error.value) == f"{preset_file}:6: {moved}"
    with pytest.raises(ConfigError) as error:
        load_preset(str(write(preset_file, MINIMAL)), [f"{stage}.device=cpu"])
    assert str(error.value) == f"--set: {moved}"


def test_a_judge_is_set_by_its_name(preset_file: Path) -> None:
    preset = load_preset(str(preset_file), ["judges.scorer.device=cpu"])
    spec = preset.judges["scorer"]
    assert isinstance(spec, OpenClipScorer)
    assert spec.device == "cpu"
    assert list(preset.models) == ["text", "image", "judges.scorer"]


@pytest.mark.parametrize("scope", ["loop", "loop.attempt", "loop.batch"])
def test_a_money_limit_needs_a_price(preset_file: Path, scope: str) -> None:
    with pytest.raises(ConfigError) as error:
        load_preset(str(preset_file), [f"{scope}.money=2"])
    assert str(error.value).startswith(f"--set: {scope}.money: machine.price is 0")
    assert str(error.value).endswith("set it to the price of a machine hour, or remove this limit")
    priced = load_preset(str(preset_file), [f"{scope}.money=2", "machine.price=0.4"])
    assert priced.machine.price == 0.4
    preset_file.write_text(MINIMAL + "loop:\n  images: 2\n  money: 1\n")
    with pytest.raises(ConfigError, match=r"mine\.yaml:10: loop\.money: machine\.price is 0"):
        load_preset(str(preset_file))


def test_a_brief_is_held_against_the_preset() -> None:
    preset = load_preset("mini")
    assert unsuited(Brief(text="a cat"), preset) is None
    assert "paints squares" in str(unsuited(Brief(text="a cat", width=128, height=64), preset))
    costly = Brief(text="a cat", limits=Limits(money=0.5))
    assert str(unsuited(costly, preset)).startswith("money: mini: machine.price is 0")
    assert unsuited(costly, load_preset("mini", ["machine.price=1"])) is None


@pytest.mark.parametrize("text", ["{", "a: b: c", "\tx: 1", "- 1\n- 2", "", "just words"])
def test_a_malformed_preset_is_refused_in_one_line(preset_file: Path, text: str) -> None:
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
    with pytest.raises(ConfigError, match="fail is above pass"):
        load_preset(str(preset_file), ["judge.default={pass: 0.2, fail: 0.8}"])


def test_the_presets_bands_override_measured_ones(tmp_path: Path, preset_file: Path) -> None:
    (tmp_path / "judge.json").write_text(
        '{"count": {"pass": 0.8, "fail": 0.1}, "style": {"pass": 0.7, "fail": 0.3}}'
    )
    preset = load_preset(
        str(preset_file), ["judge={measured: ./judge.json, kinds: {style: {pass: 0.5, fail: 0.5}}}"]
    )
    found = bands(preset.judge, preset.base)
    assert [band.pass_ for band in found["count"]] == [0.8]
    assert [band.pass_ for band in found["style"]] == [0.5]
    assert data_file("./judge.json", tmp_path) == tmp_path / "judge.json"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("nonsense", "Expecting value"),
        ("[" * 100_000, "nested too deeply"),
        ("[1, 2]", "no mapping of kinds to bands"),
        ('{"count": 3}', "no mapping of kinds to bands"),
        ('{"count": {"pass": 7}}', "pass: "),
    ],
)
def test_a_file_of_bands_that_is_none(content: str, why: str, tmp_path: Path, preset_file: Path) -> None:
    (tmp_path / "judge.json").write_text(content)
    preset = load_preset(str(preset_file), ["judge.measured=./judge.json"])
    with pytest.raises(ConfigError, match=rf"judge\.json cannot be read \(.*{why}"):
        bands(preset.judge, preset.base)


def test_a_preset_may_name_larger_models(preset_file: Path) -> None:
    plain = load_preset(str(preset_file))
    assert list(plain.models) == ["text", "image", *(f"judges.{name}" for name in plain.judges)]
    assert "escalate" not in plain.model_dump_json()
    larger = (
        "  escalate:\n    - {steps: 4}\n"
        "    - kind: diffusers\n      model: ./larger\n      fallback: [{native: 512}]\n"
    )
    text = MINIMAL.replace("judges:", larger + "judges:")
    preset_file.write_text(text)
    preset = load_preset(str(preset_file))
    small, large = preset.image.escalate
    assert isinstance(small, DiffusersImage)
    assert isinstance(large, DiffusersImage)
    assert (small.model, small.steps, large.model) == (preset.image.model, 4, "./larger")
    assert [spec.steps for spec in preset.painters][:2] == [plain.image.steps, 4]
    assert preset.used["image.escalate.1"] is large
    assert "image.escalate.1, fallback 1" in preset.rungs
    line = text.splitlines().index("      model: ./larger") + 1
    preset_file.write_text(text.replace("      model:", "      modle:"))
    with pytest.raises(
        ConfigError, match=rf"mine\.yaml:{line}: unknown key image\.escalate\.1\.modle; did you mean model\?"
    ):
        load_preset(str(preset_file))
    preset_file.write_text(text.replace("steps: 4", "stepps: 4"))
    with pytest.raises(ConfigError, match=rf"mine\.yaml:{line - 2}: .*stepps; did you mean steps\?"):
        load_preset(str(preset_file))
    preset_file.write_text(text.replace("- kind: diffusers", "- kind: diffuser"))
    with pytest.raises(ConfigError, match=r"image\.escalate\.1\.kind is 'diffuser'"):
        load_preset(str(preset_file))
    preset_file.write_text(MINIMAL + "escalate:\n  kind: diffusers\n  model: ./larger\n")
    with pytest.raises(ConfigError, match=r"mine\.yaml:\d+: escalate: move this section into `image`"):
        load_preset(str(preset_file))


def test_judges_escalate_by_their_routes(preset_file: Path) -> None:
    with pytest.raises(ConfigError, match=r"judges\.scorer\.escalate: name the larger judge beside this one"):
        load_preset(str(preset_file), ["judges.scorer.escalate=[{device: cpu}]"])


def test_a_key_is_there_once(preset_file: Path) -> None:
    preset_file.write_text(preset_file.read_text() + "offline: true\noffline: false\n")
    with pytest.raises(ConfigError, match=r"mine\.yaml:\d+: .*the key offline is there twice"):
        load_preset(str(preset_file))


def test_a_painter_without_a_size_has_to_be_here(preset_file: Path) -> None:
    """What it takes would change once it is downloaded, and with it what a batch continues."""
    preset_file.write_text(MINIMAL.replace("./painter", "owner/painter"))
    with pytest.raises(ModelError, match=r"names no width, height, steps.*easel pull"):
        check(load_preset(str(preset_file)))
    preset_file.write_text(preset_file.read_text().replace("owner/painter", "owner/painter\n  steps: 4"))
    with pytest.raises(ModelError, match=r"names no width, height, and"):
        check(load_preset(str(preset_file)))


def test_keys_say_what_comes_from_the_model(preset_file: Path) -> None:
    make_sd(preset_file.parent / "painter")
    preset_file.write_text(MINIMAL + "loop: {images: 2}\n")
    preset = load_preset(str(preset_file), ["image.height=128"])
    keys = {key.name: key for key in preset_keys(preset, read_preset_file(preset.source), preset.own)}
    assert (preset.image.width, preset.image.height, preset.image.steps) == (64, 128, 50)
    assert keys["image.steps"].model == "the default of StableDiffusionPipeline"
    assert keys["image.width"].model == "unet/config.json × vae/config.json"
    assert keys["image.height"].model is None
    assert "own" not in keys
