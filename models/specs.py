"""What a preset may say about a model. Light to import: checking a preset loads no weights and no torch.

`model` locations: a hub id (`owner/name`), a local folder (absolute, or starting with `./` or `../` and taken
relative to the preset file), or `package:NAME/SUBPATH`, a folder inside an installed Python package.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt

Device = Literal["auto", "cpu", "cuda", "mps"]
Side = Annotated[int, Field(ge=16, le=4096)]  # pixels
DType = Literal["auto", "float32", "bfloat16", "float16"]


class Spec(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=(), allow_inf_nan=False)


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


class ServerText(Spec):
    """Any server that speaks the OpenAI chat completions protocol: Ollama, vLLM, llama.cpp."""

    kind: Literal["server"]
    base_url: str  # with the /v1
    model: str
    api_key_env: str | None = None  # the environment variable that holds the key, never the key itself
    schema_mode: Literal["json_schema", "json_object", "none"] = "json_schema"
    timeout_s: PositiveFloat = 120.0
    max_parallel: PositiveInt = 4


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
    max_batch: PositiveInt = 16


TextSpec = Annotated[TransformersText | ServerText, Field(discriminator="kind")]
ImageSpec = Annotated[DiffusersImage, Field(discriminator="kind")]
ScorerSpec = Annotated[OpenClipScorer, Field(discriminator="kind")]
