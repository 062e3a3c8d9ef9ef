"""The three protocols every backend meets, and the plain records they speak in.

A protocol has one verb, works on batches, and keeps the order of its input. Backends import nothing
from `pipeline`; what they raise is a `ModelError`, whose message says what to do next.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

from PIL.Image import Image

JsonSchema = dict[str, Any]
Schemas = JsonSchema | Sequence[JsonSchema] | None  # one for all conversations, or one for each


class ModelError(Exception):
    """A model could not be loaded or could not answer; the message names the next step."""


class WeightsMissing(ModelError):
    """Weights are neither on disk nor in the cache, and downloading is off or failed."""


class NotCached(WeightsMissing):
    """The weights of a hub model are not in the local cache; nobody has tried to download them yet."""

    def __init__(self, hub_id: str) -> None:
        super().__init__(
            f"The weights of {hub_id} are not in the local cache; download them with: hf download {hub_id}"
        )
        self.hub_id = hub_id


class DependencyMissing(ModelError):
    """An optional package is not installed; the message holds the install command."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who answered: enough to tell two models, or two revisions of one, apart in a record."""

    kind: str  # the spec's kind: transformers, server, diffusers, open_clip
    name: str  # hub id, folder name or served model name
    revision: str  # commit, or a content hash of local weights
    device: str  # cpu, cuda:0, mps, or a server's address
    dtype: str


@dataclass(frozen=True, slots=True)
class Message:
    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Text:
    """One completion. `finish_reason` is `stop` (end token or grammar complete) or `length`."""

    text: str
    input_tokens: int
    output_tokens: int
    finish_reason: Literal["stop", "length"]


@runtime_checkable
class TextModel(Protocol):
    @property
    def identity(self) -> Identity: ...

    def generate(
        self,
        conversations: Sequence[Sequence[Message]],
        *,
        schema: Schemas = None,
        max_tokens: int = 256,
        temperature: float = 0.0,
        seed: int = 0,
    ) -> list[Text]:
        """Answer each conversation. With `schema`, what finished by `stop` is JSON that fits it."""
        ...


def schema_of(schema: Schemas, index: int) -> JsonSchema | None:
    """The schema of one conversation in a call."""
    return schema if schema is None or isinstance(schema, dict) else schema[index]


def schemas_of(schema: Schemas, indices: Sequence[int]) -> Schemas:
    """The schemas of some of a call's conversations."""
    return schema if schema is None or isinstance(schema, dict) else [schema[i] for i in indices]


@dataclass(frozen=True, slots=True)
class Paint:
    """One image to make. `None` leaves a setting to the model's spec."""

    prompt: str
    seed: int
    negative: str = ""
    width: int | None = None  # pixels of the finished image
    height: int | None = None
    steps: int | None = None
    guidance: float | None = None


@dataclass(frozen=True, slots=True)
class Painted:
    """An image and the settings that were in fact used for it, enough to paint it again."""

    image: Image
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """Progress inside one batch: denoising step `index` of `total` is done (1-based).

    `preview()` decodes the model's present guess at the finished images (x0), small and cheap, in the
    order of the batch's requests; nothing is decoded unless it is called.
    """

    index: int
    total: int
    requests: tuple[int, ...]  # positions in the call's list that this batch holds
    preview: Callable[[], list[Image]]


class Cancelled(Exception):
    """Raised by an `on_step` callback to stop painting after the present step."""


OnStep = Callable[[Step], None]


@runtime_checkable
class ImageModel(Protocol):
    @property
    def identity(self) -> Identity: ...

    def paint(self, requests: Sequence[Paint], on_step: OnStep | None = None) -> list[Painted]:
        """Paint every request. Noise comes from a CPU generator, one per image, seeded by `seed`: a batch
        of one and a batch of eight give the same image for the same request."""
        ...


@dataclass(frozen=True, slots=True)
class Arrangement:
    """What a question says of single things, for a scorer that looks at parts of a picture (models/scorer/windows.py).

    `things` are statements of one thing each. `count` says how many of the first there are, where that is asked;
    `where` (left, right, above, below) how the first lies to the second.
    """

    things: tuple[str, ...]
    count: int = 0
    where: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """Is `statement` true of the image, rather than one of `contrasts`?

    A softmax model (CLIP) needs contrasts to give a probability; a sigmoid model (SigLIP) answers for the
    statement alone and ignores them. A scorer that looks at parts goes by the `arrangement`.
    """

    statement: str
    contrasts: tuple[str, ...] = ()
    arrangement: Arrangement | None = None


@runtime_checkable
class Scorer(Protocol):
    @property
    def identity(self) -> Identity: ...

    def score(self, images: Sequence[Image], questions: Sequence[Sequence[Question]]) -> list[list[float]]:
        """Probabilities in [0, 1]: one list for each image, one number for each of its questions."""
        ...
