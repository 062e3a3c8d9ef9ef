"""The brief a user gives, and the requirements read from it."""

from __future__ import annotations

import unicodedata
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, field_validator

from pipeline.pasted import one_line, only_unwanted, parted

MAX_CHARACTERS = 4_000
MIN_SIDE, MAX_SIDE = 64, 4096

Kind = Literal[
    "object",
    "count",
    "attribute",
    "relation",
    "action",
    "setting",
    "background",
    "style",
    "text",
    "statement",
    "absence",
    "technical",
    "other",
]
KINDS: tuple[Kind, ...] = get_args(Kind)  # in the order in which requirements are listed
# Kinds that say more than which things show and how they look. A model with a range of things draws none of them.
BEYOND_THINGS: tuple[Kind, ...] = ("action", "setting", "text", "statement")
Flag = Literal["contradiction", "uncheckable", "outside"]


class Record(BaseModel):
    """A frozen record. Run folders, PNGs, the store and the app use the same records."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Limits(Record):
    """Hard limits on what may be used; see budget.py. None: no limit."""

    images: PositiveInt | None = None
    image_steps: PositiveInt | None = None  # denoising steps, summed over images
    seconds: PositiveFloat | None = None  # wall time, waiting included
    tokens: PositiveInt | None = None  # of the text model, input and output
    joules: PositiveFloat | None = None  # of model calls
    money: PositiveFloat | None = None  # of model calls, at the preset's price of a machine hour

    def over(self, other: Limits) -> Limits:
        """These limits; where one is None, that of `other`."""
        return Limits(**{name: getattr(other, name) for name in Limits.model_fields} | self.set)

    @property
    def set(self) -> dict[str, float]:
        """The limits that are set, by name."""
        named = {name: getattr(self, name) for name in Limits.model_fields}
        return {name: value for name, value in named.items() if value is not None}


_ONLY_UNWANTED = "the brief says only what must not show; say what the picture should show, too"


class Brief(Record):
    """What the user wants, in their words.

    Sizes are in pixels; the preset decides where a size or a limit is None. `requirements`: the user's own list; if it
    is given, the text is not read."""

    text: str
    name: str = Field(default="", max_length=200)
    seed: int = Field(default=0, ge=0, lt=2**63)
    width: int | None = Field(default=None, ge=MIN_SIDE, le=MAX_SIDE)
    height: int | None = Field(default=None, ge=MIN_SIDE, le=MAX_SIDE)
    limits: Limits = Limits()
    must: tuple[str, ...] = ()  # further must-haves, each in words
    requirements: tuple[Requirement, ...] | None = None

    @field_validator("text")
    @classmethod
    def _readable(cls, text: str) -> str:
        text = one_line(text)
        if not text:
            raise ValueError("the brief is empty; say in a sentence what the picture should show")
        if only_unwanted(text):
            raise ValueError(_ONLY_UNWANTED)
        # Control characters, lone surrogates, and the replacement character for undecodable bytes.
        if any(unicodedata.category(c) in ("Cc", "Cs") or c == "\ufffd" for c in text[: 2 * MAX_CHARACTERS]):
            raise ValueError("the brief holds binary data; give it as plain text in UTF-8")
        if len(text) > MAX_CHARACTERS:
            raise ValueError(f"the brief has {len(text):,} characters; shorten it to {MAX_CHARACTERS:,}")
        return text

    @property
    def wanted(self) -> str:
        """The text without generation parameters that were pasted with it."""
        return parted(self.text).wanted

    @property
    def unwanted(self) -> tuple[str, ...]:
        """What a pasted negative prompt lists."""
        return parted(self.text).unwanted

    @property
    def words(self) -> str:
        """What is wanted, followed by the must-haves that it does not contain."""
        said = self.wanted
        return ", ".join([said, *(want for want in self.must if want.lower() not in said.lower())])


class Requirement(Record):
    """One thing that the user wants and that can be checked.

    | kind       | subject   | value                                  | other                 |
    | ---------- | --------- | -------------------------------------- | --------------------- |
    | object     | object    |                                        |                       |
    | count      | object    | number in digits                       |                       |
    | attribute  | object    | colour or look                         |                       |
    | relation   | object    | left, right, above, below              | object it relates to  |
    | action     | object    | what it does, "playing football"       |                       |
    | setting    |           | place, time, weather, light, "at night" |                      |
    | background |           | colour, or words                       |                       |
    | style      |           | style                                  |                       |
    | text       |           | letters that must be in the picture    |                       |
    | statement  |           | anything else that can be seen, in words |                     |
    | absence    | object that must not show |                        |                       |
    | technical  | size, palette or contrast | "256x256", colour, low/high |                  |
    | other      |           | what cannot be seen, in the user's words |                     |

    `flag` is set before anything is painted: the requirement contradicts another, no judge of the preset can check it
    (uncheckable), or the image model cannot draw it (outside). `note` says why, in words.
    """

    id: str
    kind: Kind
    subject: str = ""
    value: str = ""
    other: str = ""
    text: str  # the requirement in words, as it is shown
    must: bool = True
    flag: Flag | None = None
    note: str = ""


class Reading(Record):
    """The requirements of one brief. `reader`: what read them."""

    requirements: tuple[Requirement, ...]
    reader: str  # the text model's name, or "rules"
    degraded: str | None = None  # why the rules read the brief instead of the model
    # What a smaller reader left open, and who read the brief then: "Qwen3.5-4B: 2 wants not understood".
    handed_up: tuple[str, ...] = Field(default=(), exclude_if=lambda handed: not handed)

    @property
    def blocked(self) -> str | None:
        """Why no image can meet the brief, if that is known before painting; otherwise None."""
        if self.requirements and all(r.kind == "absence" for r in self.requirements):
            return _ONLY_UNWANTED
        musts = [r for r in self.requirements if r.must]
        if clashes := [r for r in musts if r.flag == "contradiction"]:
            return f"the brief contradicts itself: {clashes[0].text} {clashes[0].note}; change one of them"
        if sizes := [r for r in musts if r.kind == "technical" and r.flag == "outside"]:
            return f"no picture can have {sizes[0].text}: {sizes[0].note}; ask for another size"
        objects = [
            r for r in musts if r.kind in ("object", "count") or (r.kind == "other" and r.flag == "outside")
        ]
        if objects and all(r.flag == "outside" for r in objects):
            notes = "; ".join(r.note for r in objects)
            return f"nothing to paint: {notes}; reword the brief or choose another preset"
        return None
