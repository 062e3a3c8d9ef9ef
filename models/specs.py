"""What a preset may say about a model. Light to import: checking a preset loads no weights and no torch.

`model` locations: a hub id (`owner/name`), a local folder (absolute, or starting with `./` or `../` and taken
relative to the preset file), or `package:NAME/SUBPATH`, a folder inside an installed Python package.

`fallback` is the stage's ladder: specs that stand in, in order, where the one above them fails. A rung without a
`kind` is the stage's own spec with some keys changed: `{steps: 4}`, `{device: cpu}`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

Device = Literal["auto", "cpu", "cuda", "mps"]
Side = Annotated[int, Field(ge=16, le=4096)]  # pixels
DType = Literal["auto", "float32", "bfloat16", "float16"]


Fault = Literal["ok", "error", "out_of_memory", "nan", "blank", "malformed", "hang", "not_loaded"]


class FaultPlan(BaseModel):
    """Faults for tests, one for each call of the model (see pipeline/calls/faults.py). With `forever` the last one
    is repeated; otherwise later calls are normal."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    plan: tuple[Fault, ...]
    forever: bool = False


class Spec(BaseModel):
    """What every spec may say about failing: how often to ask again, how long to wait, when to give up for a while."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=(), allow_inf_nan=False)

    retries: NonNegativeInt = 1  # of a call that raised, on the same model
    patience_s: PositiveFloat | None = None  # a call that takes longer is taken to hang
    break_after: PositiveInt = 3  # failed calls in a row open the circuit: the model is not asked
    rest_s: NonNegativeFloat = 60.0  # until it is tried again
    faults: FaultPlan | None = Field(default=None, exclude_if=lambda plan: plan is None)

    @model_validator(mode="before")
    @classmethod
    def _whole_rungs(cls, data: Any) -> Any:
        if not isinstance(data, dict) or not isinstance(data.get("fallback"), list):
            return data
        own = {key: value for key, value in data.items() if key not in ("fallback", "faults")}
        rungs = [{**own, **r} if isinstance(r, dict) and "kind" not in r else r for r in data["fallback"]]
        return {**data, "fallback": rungs}

    @model_validator(mode="after")
    def _one_ladder(self) -> Spec:
        if any(getattr(rung, "fallback", ()) for rung in getattr(self, "fallback", ())):
            raise ValueError("a fallback cannot have a fallback of its own; list it below the other")
        return self


# Keys that say what to do when a model fails, and nothing about what it answers.
POLICY = frozenset(Spec.model_fields) | {"fallback"}


class TransformersText(Spec):
    """A causal language model run in this process by transformers."""

    kind: Literal["transformers"]
    model: str
    gguf_file: str | None = None
    revision: str | None = None
    adapter: str | None = None  # LoRA folder, a `model` location
    device: Device = "auto"
    dtype: DType = "auto"
    max_batch: PositiveInt = 8
    fallback: tuple[TextSpec, ...] = ()


class ServerText(Spec):
    """Any server that speaks the OpenAI chat completions protocol: Ollama, vLLM, llama.cpp."""

    kind: Literal["server"]
    base_url: str  # with the /v1
    model: str
    api_key_env: str | None = None  # the environment variable that holds the key, never the key itself
    schema_mode: Literal["json_schema", "json_object", "none"] = "json_schema"
    timeout_s: PositiveFloat = 120.0
    max_parallel: PositiveInt = 4
    fallback: tuple[TextSpec, ...] = ()


class Lora(Spec):
    model: str
    weight_name: str | None = None
    revision: str | None = None
    scale: float = 1.0


class Scheduler(Spec):
    """A diffusers scheduler class by name; `options` override its config."""

    name: str
    options: dict[str, Any] = Field(default_factory=dict)


class DiffusersImage(Spec):
    """A text-to-image pipeline run in this process by diffusers."""

    kind: Literal["diffusers"]
    model: str
    revision: str | None = None
    variant: str | None = None
    pipeline: str | None = None  # explicit class, where AutoPipelineForText2Image does not know the model
    device: Device = "auto"
    dtype: DType = "auto"
    scheduler: Scheduler | None = None
    loras: tuple[Lora, ...] = ()
    offload: Literal["none", "model", "sequential"] = "none"
    vae_tiling: bool = False
    paint_size: PositiveInt | None = None  # pixels at which the network works; the result is resized
    width: Side = 512
    height: Side = 512
    steps: Annotated[int, Field(ge=1, le=1000)] = 28
    guidance: Annotated[float, Field(ge=0)] = 4.0
    max_batch: PositiveInt = 4
    call_options: dict[str, Any] = Field(default_factory=dict)  # further arguments of the pipeline's __call__
    fallback: tuple[ImageSpec, ...] = ()


class OpenClipScorer(Spec):
    """A CLIP or SigLIP model by open_clip."""

    kind: Literal["open_clip"]
    model: (
        str  # architecture name, `hf-hub:owner/name`, or a folder with open_clip_config.json and safetensors
    )
    pretrained: str | None = None  # tag, where `model` is an architecture name
    revision: str | None = None
    device: Device = "auto"
    dtype: DType = "auto"
    temperature: PositiveFloat = 1.0  # softens the softmax over contrasts (CLIP only)
    windows: bool = False  # count and compare by looking at parts (SigLIP only); ten times the work
    max_batch: PositiveInt = 16
    fallback: tuple[ScorerSpec, ...] = ()


TextSpec = Annotated[TransformersText | ServerText, Field(discriminator="kind")]
ImageSpec = DiffusersImage
ScorerSpec = OpenClipScorer

for _spec in (TransformersText, ServerText, DiffusersImage, OpenClipScorer):
    _spec.model_rebuild()
