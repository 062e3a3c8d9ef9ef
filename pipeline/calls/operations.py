"""How the stages differ: the call of the model, what decides an answer, which answers are unusable, and how a
request is adapted for a fallback. The stages that judge images are in judge_operations.py; what all stages share is in
stage.py, rung.py and caller.py."""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar, Generic, TypeVar

from PIL import Image

from models.protocols import (
    ImageModel,
    JsonSchema,
    Message,
    OnStep,
    Paint,
    Painted,
    Text,
    TextModel,
)
from models.specs import Fault, Spec
from pipeline.calls.flaws import NOT_JSON, image_flaw, text_flaw
from pipeline.calls.kept import Result
from pipeline.calls.record import StageName
from pipeline.pixels import fingerprint

REPAIR = "That was not valid JSON. Answer again, with nothing but the JSON that was asked for."

Item = TypeVar("Item")
Out = TypeVar("Out")


@dataclass(frozen=True, slots=True)
class TextRequest:
    """One conversation to answer."""

    messages: tuple[Message, ...]
    schema: JsonSchema | None = None
    max_tokens: int = 256
    temperature: float = 0.0
    seed: int = 0
    prompt: str = ""  # name and version of the prompt that it was made from, for the record


class Operation(ABC, Generic[Item, Out]):
    """What one stage asks of a model, as functions of items (inputs) and outputs."""

    stage: ClassVar[StageName]
    last_resort: ClassVar[str]  # what takes over where no rung answers, for messages
    keeps_flawed: ClassVar[bool] = False  # whether a flawed output is used if no rung gives a better one

    @abstractmethod
    def call(self, model: Any, items: Sequence[Item], on_step: OnStep | None) -> list[Out]:
        """Call the model; returns its outputs in the order of the items."""

    @abstractmethod
    def flaw(self, item: Item, out: Out) -> str | None:
        """Why an output is unusable, in words; None if it is usable."""

    @abstractmethod
    def described(self, item: Item) -> Any:
        """An item as plain JSON for the record of the call, without images."""

    @abstractmethod
    def summary(self, out: Out) -> Any:
        """An output as plain JSON for the record of the call, without images."""

    @abstractmethod
    def keys(self, items: Sequence[Item], spec: Spec) -> list[Any]:
        """For each item, as plain JSON, everything besides the model of `spec` that decides its answer."""

    @abstractmethod
    def to_result(self, out: Out) -> Result: ...

    @abstractmethod
    def from_result(self, result: Result) -> Out: ...

    @abstractmethod
    def spoiled(self, fault: Fault, outs: list[Out]) -> list[Out]:
        """The outputs of a call, changed as an injected fault says (see faults.py)."""

    def options(self, items: Sequence[Item]) -> dict[str, Any]:
        """Settings that all items of a call share, for its record."""
        return {}

    def together(self, items: Sequence[Item]) -> bool:
        """Whether the items must be answered in one batch because their answers depend on each other."""
        return False

    def order(self, items: Sequence[Item]) -> list[int]:
        """The order in which the items are cut into batches."""
        return list(range(len(items)))

    def adapted(self, item: Item, first: Spec, spec: Spec) -> Item:
        """The item as the fallback `spec` gets it. `first`: the spec of the first rung."""
        return item

    def again(self, item: Item, out: Out) -> Item | None:
        """A changed item for the same model, if asking once more can repair a flawed output; otherwise None."""
        return None


class TextOperation(Operation[TextRequest, Text]):
    stage, last_resort = "text", "rules and template"

    def call(self, model: TextModel, items: Sequence[TextRequest], on_step: OnStep | None) -> list[Text]:
        answers: list[Text] = []
        for _, same in itertools.groupby(
            items, key=lambda i: (i.schema is None, i.max_tokens, i.temperature, i.seed)
        ):
            group = list(same)
            answers += model.generate(
                [item.messages for item in group],
                schema=[item.schema for item in group if item.schema is not None] or None,
                max_tokens=group[0].max_tokens, temperature=group[0].temperature, seed=group[0].seed,
            )  # fmt: skip
        return answers

    def flaw(self, item: TextRequest, out: Text) -> str | None:
        return text_flaw(out, item.schema)

    def described(self, item: TextRequest) -> Any:
        return [asdict(message) for message in item.messages]

    def summary(self, out: Text) -> Any:
        return asdict(out)

    def options(self, items: Sequence[TextRequest]) -> dict[str, Any]:
        if not items:
            return {}
        first = items[0]
        return {
            "max_tokens": first.max_tokens,
            "temperature": first.temperature,
            "seed": first.seed,
            "schema": first.schema is not None,
        } | ({"prompt": ", ".join(names)} if (names := sorted({i.prompt for i in items if i.prompt})) else {})

    def keys(self, items: Sequence[TextRequest], spec: Spec) -> list[Any]:
        keys: list[Any] = [
            [self.described(item), item.schema, item.max_tokens, item.temperature, item.seed]
            for item in items
        ]
        # A sampled answer depends on the whole batch that it is sampled in.
        return [[key, keys, i] for i, key in enumerate(keys)] if self.together(items) else keys

    def together(self, items: Sequence[TextRequest]) -> bool:
        return any(item.temperature > 0 for item in items)

    def to_result(self, out: Text) -> Result:
        return Result(asdict(out))

    def from_result(self, result: Result) -> Text:
        return Text(**result.value)

    def again(self, item: TextRequest, out: Text) -> TextRequest | None:
        """For malformed JSON: the same conversation with the bad answer and a request to repair it, and twice the
        tokens."""
        if self.flaw(item, out) != NOT_JSON:
            return None
        turns = Message("assistant", out.text), Message("user", REPAIR)
        return replace(item, messages=(*item.messages, *turns), max_tokens=2 * item.max_tokens)

    def spoiled(self, fault: Fault, outs: list[Text]) -> list[Text]:
        text = {"nan": "!!!!!!!!", "blank": "", "malformed": '{"wants":["a ca'}.get(fault)
        return outs if text is None else [Text(text, 8, 8, "length") for _ in outs]


class ImageOperation(Operation[Paint, Painted]):
    """If no rung paints a usable picture, the first flat one is used: its verdict then fails with the reason."""

    stage, last_resort, keeps_flawed = "image", "nothing", True

    def call(self, model: ImageModel, items: Sequence[Paint], on_step: OnStep | None) -> list[Painted]:
        return model.paint(items, on_step)

    def flaw(self, item: Paint, out: Painted) -> str | None:
        return image_flaw(out)

    def described(self, item: Paint) -> Any:
        """Pictures by their fingerprints; keys of an item that edits nothing are as they were before there was
        editing."""
        plain = {
            key: getattr(item, key) for key in Paint.__dataclass_fields__ if key not in ("reference", "mask")
        }
        pictures = {"reference": item.reference, "mask": item.mask}
        return plain | {key: fingerprint(image) for key, image in pictures.items() if image is not None}

    def summary(self, out: Painted) -> Any:
        return out.settings

    def keys(self, items: Sequence[Paint], spec: Spec) -> list[Any]:
        return [self.described(item) for item in items]

    def order(self, items: Sequence[Paint]) -> list[int]:
        """Items with equal settings next to each other: a model can batch only these."""

        def settings(i: int) -> tuple[Any, ...]:
            item = items[i]
            parts = (item.width, item.height, item.steps, item.guidance)
            edits = item.reference is not None
            return (*((part is not None, part or 0) for part in parts), bool(item.negative), edits)

        return sorted(range(len(items)), key=settings)

    def to_result(self, out: Painted) -> Result:
        return Result({"settings": out.settings}, out.image)

    def from_result(self, result: Result) -> Painted:
        assert result.image is not None  # the store returns no result whose picture is missing
        return Painted(result.image, result.value["settings"])

    def adapted(self, item: Paint, first: Spec, spec: Spec) -> Paint:
        """Size and steps are scaled by the ratio of the two specs; sizes are rounded to multiples of 8 pixels. The
        guidance is the fallback's, unless the item asks for a guidance other than the first rung's."""

        def scaled(name: str, grid: int = 1) -> int:
            value = float(getattr(item, name) or getattr(first, name))
            ratio = float(getattr(spec, name)) / float(getattr(first, name))
            nearest: int = round(value * ratio / grid)
            return max(1, nearest) * grid

        guidance = item.guidance
        if guidance is None or guidance == getattr(first, "guidance", None):
            guidance = getattr(spec, "guidance", None)
        return replace(
            item,
            steps=scaled("steps"),
            width=scaled("width", 8),
            height=scaled("height", 8),
            guidance=guidance,
        )

    def spoiled(self, fault: Fault, outs: list[Painted]) -> list[Painted]:
        if fault == "malformed":
            return outs[:-1]
        colour = {"nan": "black", "blank": "white"}.get(fault)
        if colour is None:
            return outs
        return [replace(out, image=Image.new("RGB", out.image.size, colour)) for out in outs]
