"""The protocols that backends implement, and the records that go in and come out.

Each protocol has one method, which takes a batch and returns results in the same order. Backends import nothing from
`pipeline`; they raise `ModelError`, whose message says what to do next.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, get_args, runtime_checkable

from PIL.Image import Image

JsonSchema = dict[str, Any]
Schemas = JsonSchema | Sequence[JsonSchema] | None  # one for all conversations, or one for each


class ModelError(Exception):
    """A model could not be loaded or could not answer; the message names the next step."""


class WeightsMissing(ModelError):
    """Weights are neither on disk nor in the cache, and downloads are forbidden or failed. `message`: what is wrong and
    what to do; `download`: the command of the hub library that gets the files, which follows after `link`."""

    def __init__(self, message: str, link: str = "", download: str = "") -> None:
        super().__init__(message + link + download)
        self.message, self._link, self._download = message, link, download

    def by(self, command: str) -> WeightsMissing:
        """The same error with another command before that of the hub library, where it has one."""
        if not self._download:
            return self
        return WeightsMissing(self.message, f"{self._link}{command} (or ", f"{self._download})")


class NotCached(WeightsMissing):
    """Weights of a hub model are not in the local cache; no download was tried."""

    def __init__(self, hub_id: str, download: str, why: str = "") -> None:
        what = f"{hub_id} {why}" if why else f"The weights of {hub_id} are not in the local cache"
        super().__init__(what, "; download them with: ", download)
        self.hub_id = hub_id


class DependencyMissing(ModelError):
    """An optional package is not installed; the message holds the install command."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Which model answered: tells two models, or two revisions of one model, apart in a record."""

    kind: str  # the spec's kind: transformers, server, diffusers, open_clip, grid …
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
        """Answer each conversation. With `schema`, an answer whose `finish_reason` is `stop` is JSON that fits it."""
        ...


# What a word of a brief is to the picture: a thing, colour, place or look that it must show and a model can check; part
# of a want that is beyond the models; a soft word, such as "cheerful"; what must not show; talk.
Role = Literal["want", "beyond", "soft", "absent", "talk"]
ROLES: tuple[Role, ...] = get_args(Role)


@dataclass(frozen=True, slots=True)
class Mark:
    """A word of a text, its characters from `start` to `end`, and how probable each role of it is."""

    start: int
    end: int
    roles: Mapping[Role, float]


@dataclass(frozen=True, slots=True)
class Marks:
    """The marks of a text's words, in its order. `input_tokens`: how many were read for them."""

    words: tuple[Mark, ...]
    input_tokens: int = 0


@runtime_checkable
class WordMarker(Protocol):
    @property
    def identity(self) -> Identity: ...

    def mark(self, texts: Sequence[str]) -> list[Marks]:
        """The marks of each brief."""
        ...


def schema_of(schema: Schemas, index: int) -> JsonSchema | None:
    """The schema of one conversation in a call."""
    return schema if schema is None or isinstance(schema, dict) else schema[index]


# How an image model edits a picture: it follows an instruction about it, or it paints the white of a mask anew, with a
# description of what must be there.
Edits = Literal["instruction", "mask"]


@dataclass(frozen=True, slots=True)
class Paint:
    """One image to make. `None` leaves a setting to the model's spec.

    With a `reference` that picture is edited, for models that can (`edits`): where `mask`, of the same size, is white,
    and by half where it is grey; the rest stays as it is. Without a mask the whole picture may change."""

    prompt: str
    seed: int
    negative: str = ""
    width: int | None = None  # pixels of the finished image
    height: int | None = None
    steps: int | None = None
    guidance: float | None = None
    reference: Image | None = None
    mask: Image | None = None  # of mode L


@dataclass(frozen=True, slots=True)
class Painted:
    """An image and the settings that were used for it, enough to paint it again."""

    image: Image
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """Progress inside one batch: denoising step `index` of `total` is done (1-based).

    `preview()` shows the model's current estimate of the finished images (x0) at low resolution, in the order of the
    batch's requests; empty where the model has none. Nothing is decoded unless it is called, and it never raises.
    """

    index: int
    total: int
    requests: tuple[int, ...]  # positions in the call's list that this batch holds
    preview: Callable[[], list[Image]]


class Stopped(BaseException):
    """Raised by an `on_step` callback to stop painting after the current step. It is not an Exception, so that no
    error handler catches it."""


OnStep = Callable[[Step], None]


@runtime_checkable
class ImageModel(Protocol):
    @property
    def identity(self) -> Identity: ...

    @property
    def prompt_tokens(self) -> int | None:
        """How many tokens of a prompt are read; None where there is no limit. Where a prompt is longer, the settings of
        its image have `prompt_cut: {read: …, of: …}`."""
        ...

    @property
    def edits(self) -> Edits | None:
        """How it edits a picture; None where it cannot, and then a request with a reference raises ModelError."""
        ...

    def paint(self, requests: Sequence[Paint], on_step: OnStep | None = None) -> list[Painted]:
        """Paint every request. The noise of each image comes from its own CPU generator, seeded by `seed`, so the
        image of a request does not depend on the batch size."""
        ...


@dataclass(frozen=True, slots=True)
class Question:
    """Is `statement` true of the image, rather than one of `contrasts`?

    A softmax model (CLIP) needs contrasts to give a probability; a sigmoid model (SigLIP) scores the statement alone
    and ignores them.
    """

    statement: str
    contrasts: tuple[str, ...] = ()


@runtime_checkable
class Scorer(Protocol):
    @property
    def identity(self) -> Identity: ...

    def score(self, images: Sequence[Image], questions: Sequence[Sequence[Question]]) -> list[list[float]]:
        """Probabilities in [0, 1]: one list for each image, one number for each of its questions."""
        ...


UNCLEAR = "unclear"  # the label of a thing that is like nothing a detector knows
Box = tuple[float, float, float, float]  # left, top, right, bottom, as shares of the image's sides


@dataclass(frozen=True, slots=True)
class Detection:
    """A thing that a detector sees. Numbers are probabilities in [0, 1].

    `unclear`: that it is no whole thing: a smear, a half, a blend of two; then `label` is what it is most like, or
    UNCLEAR. `colours` and `styles`: by name, for detectors that tell them; several colours of a thing may be
    probable."""

    label: str
    score: float
    box: Box
    unclear: float = 0.0
    colours: Mapping[str, float] = field(default_factory=dict)
    styles: Mapping[str, float] = field(default_factory=dict)


@runtime_checkable
class Detector(Protocol):
    @property
    def identity(self) -> Identity: ...

    @property
    def vocabulary(self) -> frozenset[str] | None:
        """The names of the things that it finds, in the singular; None where it finds whatever is named."""
        ...

    def detect(self, images: Sequence[Image], names: Sequence[Sequence[str]]) -> list[list[Detection]]:
        """What each image shows, surest first, one detection for each place.

        `names`: for each image, the things to look for, in the singular. A zero-shot detector answers only boxes
        labelled with one of them, so it finds nothing without names. A detector with a vocabulary of its own (spec:
        `uses_names` is False) answers all that it knows, whatever is named."""
        ...


@dataclass(frozen=True, slots=True)
class YesNo:
    """P(yes), in [0, 1], of each question about one image, and the tokens that were read and written for them."""

    probabilities: tuple[float, ...]
    input_tokens: int = 0
    output_tokens: int = 0


@runtime_checkable
class VisionModel(Protocol):
    @property
    def identity(self) -> Identity: ...

    def answer(self, images: Sequence[Image], questions: Sequence[Sequence[str]]) -> list[YesNo]:
        """Answer yes/no questions about each image, `questions[i]` about image i.

        P(yes) is soft: the probability of all spellings of "yes" as the next token, divided by that of "yes" and "no"
        (Soft-TIFA of GenEval 2). Raises ModelError for a model that answers neither."""
        ...


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text that a reader sees. `score`: its confidence in the text, in [0, 1]."""

    text: str
    score: float
    box: Box


@runtime_checkable
class TextReader(Protocol):
    @property
    def identity(self) -> Identity: ...

    def read(self, images: Sequence[Image]) -> list[list[Line]]:
        """The lines of text in each image, from top to bottom."""
        ...
