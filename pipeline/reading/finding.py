"""What a reader found in a brief, before it becomes a requirement."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.brief import Kind

# Subjects of `other` requirements: for a whole brief in another language than English, and for words of a brief that
# could be a want and that no reader understood.
LANGUAGE = "language"
NOT_UNDERSTOOD = "not understood"


@dataclass(frozen=True, slots=True)
class Found:
    """One want. `kind`, `subject`, `value` and `other` are those of a `Requirement`."""

    kind: Kind
    subject: str = ""
    value: str = ""
    other: str = ""
    at: int = 0  # index of its first token in its sentence
    sure: bool = True  # False: a guess, which the text model may overrule
    must: bool = True  # False: nice to have
    aside: bool = False  # from a sentence that tells something and in which nothing sure is wanted

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What makes two findings the same want."""
        return (self.kind, self.subject, self.value, self.other)
