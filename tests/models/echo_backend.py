"""A whole backend in one file: a text model that answers with what it was asked, in capitals if the preset says so."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import PositiveInt

from models.backend import Backend
from models.hub.need import Need, Read, matching
from models.locate import locate
from models.protocols import Identity, Message, Schemas, Text
from models.specs import NoEffect, TextSpec


class EchoText(TextSpec):
    """Says what it was told."""

    kind: Literal["echo"]
    capitals: bool = False
    max_batch: Annotated[PositiveInt, NoEffect()] = 8


class Echo:
    def __init__(self, spec: EchoText) -> None:
        self._capitals = spec.capitals
        self.identity = Identity("echo", spec.model, "", "cpu", "")

    def generate(
        self, conversations: Sequence[Sequence[Message]], *, schema: Schemas = None, **options: Any
    ) -> list[Text]:
        said = [conversation[-1].content for conversation in conversations]
        return [Text(text.upper() if self._capitals else text, 1, 1, "stop") for text in said]


def load(spec: EchoText, base: Path, offline: bool) -> Echo:
    return Echo(spec)


def needs(spec: EchoText, base: Path, read: Read) -> list[Need]:
    return [matching("model", locate(spec.model, base), None, "*.echo", weights="*.echo")]


BACKEND = Backend("text", EchoText, load, needs)
