"""What a reader found in a brief, before it is a requirement."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.brief import Kind


@dataclass(frozen=True, slots=True)
class Found:
    """One want, where it stands in its sentence, and whether the rules are sure of it."""

    kind: Kind
    subject: str = ""
    value: str = ""
    other: str = ""
    at: int = 0  # token of the sentence
    sure: bool = True
    must: bool = True
    sentence: int = -1  # of the brief; -1 where unknown

    @property
    def key(self) -> tuple[str, str, str, str]:
        return (self.kind, self.subject, self.value, self.other)
