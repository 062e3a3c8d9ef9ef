"""The registry of backends. Reads a model's section of a preset as the spec of its `kind`, and loads the model."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from models.backend import Backend
from models.detector import grid_backend, object_detection_backend, zero_shot_backend
from models.device import pick_device, pick_dtype
from models.hub.cache import Found, find, read_cached
from models.hub.faults import reach
from models.hub.need import Need, Read
from models.image import diffusers_backend
from models.memory import Footprint, footprint, tensors
from models.ocr import rapidocr_backend
from models.protocols import (
    DependencyMissing,
    Detector,
    ImageModel,
    ModelError,
    NotCached,
    Scorer,
    TextModel,
    TextReader,
    VisionModel,
)
from models.scorer import open_clip_backend
from models.specs import JUDGES, RUNGS, Spec, Stage
from models.text import server_text, transformers_backend
from models.vlm import image_text_backend, server_vlm

BACKENDS: tuple[Backend, ...] = (
    transformers_backend.BACKEND,
    server_text.BACKEND,
    image_text_backend.BACKEND,
    server_vlm.BACKEND,
    rapidocr_backend.BACKEND,
    diffusers_backend.BACKEND,
    open_clip_backend.BACKEND,
    grid_backend.BACKEND,
    object_detection_backend.BACKEND,
    zero_shot_backend.BACKEND,
)

# What to install for a module, where the two names differ.
_DISTRIBUTIONS = {
    "open_clip": "open_clip_torch",
    "PIL": "pillow",
    "rapidocr": "rapidocr onnxruntime",
    "yaml": "pyyaml",
}


def kinds(stage: Stage) -> list[str]:
    """The kinds of a stage that a preset may name."""
    return sorted(found.kind for found in BACKENDS if found.stage == stage)


def stage_of(spec: Spec) -> Stage:
    """The stage of the backend that a spec belongs to."""
    return next(found.stage for found in BACKENDS if found.spec is type(spec))


def judging_stage(kind: Any) -> Stage | None:
    """The stage of a kind of model that looks at painted images; None for other kinds."""
    return next((found.stage for found in BACKENDS if found.kind == kind and found.stage in JUDGES), None)


def backend_of(stage: Stage, kind: Any) -> Backend:
    """The backend of a stage's `kind`. Raises ModelError, which names the known kinds, if there is none."""
    for found in BACKENDS:
        if (found.stage, found.kind) == (stage, kind):
            return found
    raise ModelError(f"Unknown {stage} kind {kind!r}; known kinds: {', '.join(kinds(stage))}.")


def parse_spec(stage: Stage, data: Any) -> Spec:
    """A stage's section of a preset as the spec of its `kind`, its fallback included. Raises pydantic's
    ValidationError, with places relative to the section."""
    if isinstance(data, Spec):
        return data
    if not isinstance(data, Mapping):
        raise ValueError(f"a model is a section with kind and model, not {data!r}")
    known = ", ".join(kinds(stage))
    if "kind" not in data:
        raise _kind_fault("missing_kind", f"is missing; known kinds: {known}", data)
    try:
        spec = backend_of(stage, data["kind"]).spec
    except ModelError:
        raise _kind_fault(
            "unknown_kind", f"is {data['kind']!r}; known kinds: {known}", data["kind"]
        ) from None
    return spec.model_validate(data, context=lambda rung: parse_spec(stage, rung))


def parse_judge(data: Any) -> Spec:
    """A judge's section of a preset as the spec of its `kind`, which says what stage it is of. Raises as
    `parse_spec`."""
    if isinstance(data, Spec):
        return data
    stage = judging_stage(data.get("kind")) if isinstance(data, Mapping) else None
    if stage is not None:
        return parse_spec(stage, data)
    if not isinstance(data, Mapping):
        raise ValueError(f"a model is a section with kind and model, not {data!r}")
    known = ", ".join(kind for stage in JUDGES for kind in kinds(stage))
    if "kind" not in data:
        raise _kind_fault("missing_kind", f"is missing; known kinds of judges: {known}", data)
    raise _kind_fault("unknown_kind", f"is {data['kind']!r}; known kinds of judges: {known}", data["kind"])


def _kind_fault(type_: str, words: str, given: Any) -> ValidationError:
    # The message is a template, so words with braces must come in as a value.
    fault = PydanticCustomError(type_, "{words}", {"words": words})
    return ValidationError.from_exception_data(
        "spec", [InitErrorDetails(type=fault, loc=("kind",), input=given)]
    )


def load_text(spec: Spec, base: Path, offline: bool) -> TextModel:
    """The text model of a spec; relative folders in it start at `base`, the preset's folder. With `offline` nothing
    is downloaded. Raises ModelError and its kinds."""
    model: TextModel = _load("text", spec, base, offline)
    return model


def load_image(spec: Spec, base: Path, offline: bool) -> ImageModel:
    """The image model of a spec; as `load_text`."""
    model: ImageModel = _load("image", spec, base, offline)
    return model


def load_scorer(spec: Spec, base: Path, offline: bool) -> Scorer:
    """The scorer of a spec; as `load_text`."""
    model: Scorer = _load("scorer", spec, base, offline)
    return model


def load_detector(spec: Spec, base: Path, offline: bool) -> Detector:
    """The detector of a spec; as `load_text`."""
    model: Detector = _load("detector", spec, base, offline)
    return model


def load_vlm(spec: Spec, base: Path, offline: bool) -> VisionModel:
    """The vision-language model of a spec; as `load_text`."""
    model: VisionModel = _load("vlm", spec, base, offline)
    return model


def load_ocr(spec: Spec, base: Path, offline: bool) -> TextReader:
    """The reader of a spec; as `load_text`."""
    model: TextReader = _load("ocr", spec, base, offline)
    return model


def _load(stage: Stage, spec: Spec, base: Path, offline: bool) -> Any:
    backend = backend_of(stage, spec.kind)
    try:
        return backend.load(spec, base, offline)
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing in {"", "models"}:
            raise  # a bug of Easel, not a missing package
        raise _not_installed(spec, missing) from error


def _require_packages(backend: Backend, spec: Spec) -> None:
    for package in backend.packages(spec):
        if find_spec(package) is None:
            raise _not_installed(spec, package)


def _not_installed(spec: Spec, package: str) -> DependencyMissing:
    return DependencyMissing(
        f"`kind: {spec.kind}` needs the package {package}, which is not installed; install it with: "
        f"pip install {_DISTRIBUTIONS.get(package, package)}"
    )


def present(stage: Stage, spec: Spec, base: Path) -> str:
    """Where the files of a spec are, in words; nothing is loaded or downloaded. Raises ModelError, which names the
    next step, if some of them are not on this machine, or if its server does not answer."""
    backend = backend_of(stage, spec.kind)
    if backend.remote:
        return backend.remote(spec)
    _require_packages(backend, spec)
    return "; ".join(_place(find(need)) for need in backend.needs(spec, base, read_cached))


def needs(stage: Stage, spec: Spec, base: Path, read: Read = read_cached) -> list[Need]:
    """The files that a spec is loaded from. With `read_online` the list is complete, also where nothing is here."""
    return backend_of(stage, spec.kind).needs(spec, base, read)


def footprint_of(stage: Stage, spec: Spec, base: Path) -> Footprint | None:
    """The memory of a spec's weights on this machine, from its files; None for a model on a server. Imports torch.
    Raises ModelError where files are missing or unreadable, or the machine lacks the spec's device."""
    backend = backend_of(stage, spec.kind)
    if backend.remote:
        return None
    found = [find(need) for need in backend.needs(spec, base, read_cached)]
    for one in found:
        one.require()
    device = pick_device(getattr(spec, "device", "cpu"))
    wanted = getattr(spec, "dtype", "auto")
    float16 = backend.works_in_float16(spec, base, read_cached)
    dtype = str(pick_dtype(backend.auto(device) if wanted == "auto" else wanted, device, float16))
    offload, quantize = getattr(spec, "offload", "none"), getattr(spec, "quantize", None)
    return footprint(found, device, dtype.removeprefix("torch."), offload, quantize)


def with_own_settings(spec: Spec, base: Path) -> tuple[Spec, dict[str, str]]:
    """A spec, and its rungs, with what its model itself takes for keys that are left out; and what says it, by key.
    Asks no network: where the files of a model are not here, the defaults of the spec stay."""
    backend = next(found for found in BACKENDS if found.spec is type(spec))
    try:
        own = backend.own(spec, base, read_cached)
    except ModelError:  # no such folder or package, as loading will say
        own = {}
    taken = {key: said for key, said in own.items() if key not in spec.model_fields_set}
    values: dict[str, Any] = {key: said.value for key, said in taken.items()}
    for name in RUNGS:
        rungs = tuple(with_own_settings(rung, base)[0] for rung in getattr(spec, name))
        if rungs != getattr(spec, name):
            values[name] = rungs
    return spec.model_copy(update=values) if values else spec, {
        key: said.place for key, said in taken.items()
    }


def is_here(spec: Spec, base: Path) -> bool:
    """Whether all files of a model are on this machine. Raises ModelError for a folder or package that there is not."""
    return all(find(need).complete for need in needs(stage_of(spec), spec, base))


def _place(found: Found) -> str:
    folder = found.require()
    if isinstance(found.need.location, str):
        return f"{found.need.name} in the local cache ({folder.name[:12]})"
    weights = found.need.weight_files(found.files)
    return f"{sum((folder / name).stat().st_size for name in weights) / 1e6:.1f} MB in {folder.name}"


def check_loadable(stage: Stage, spec: Spec, base: Path, offline: bool) -> None:
    """Raises ModelError if loading would fail for a reason that can be found in seconds: a missing folder, or a model
    that is not cached and cannot be downloaded. A server is not asked, because a run can go on without one."""
    backend = backend_of(stage, spec.kind)
    if backend.remote:
        return
    _require_packages(backend, spec)
    for need in backend.needs(spec, base, read_cached):
        found = find(need)
        try:
            found.require()
        except NotCached:
            reach(need, offline)
        else:
            _require_quantisable(spec, found)


def _require_quantisable(spec: Spec, found: Found) -> None:
    """Raise ModelError where a spec quantises weights that are stored in fewer bits already."""
    if getattr(spec, "quantize", None) is None or found.need.what != "model" or found.folder is None:
        return
    stored = [name for name in found.need.weight_files(found.files) if name.endswith(".safetensors")]
    for name in stored:
        narrow = next((one for one, _ in tensors(found.folder / name).values() if one.startswith("F8")), None)
        if narrow:
            raise ModelError(
                f"{found.need.name} has weights of 8 bits already ({narrow} in {name}), which `quantize` cannot read; "
                "remove `quantize` from the preset."
            )
