"""Yes/no questions about images: how they are put, and P(yes) from what may come next."""

from __future__ import annotations

from collections.abc import Mapping

from models.protocols import ModelError

INSTRUCTION = "Answer with yes or no."
LEAST = 1e-3  # probability of "yes" and "no" together, below which a model answers neither


def put(question: str) -> str:
    """The question with the instruction how to answer."""
    return f"{question} {INSTRUCTION}"


def spelling(token: str) -> str:
    """What a token spells, in lower case, without the marks for a space before it."""
    return token.strip(" \u2581\u0120").lower()


def p_yes(mass: Mapping[str, float], name: str) -> float:
    """P(yes) from the probability mass of "yes" and of "no", each over all its spellings.

    Raises ModelError where the model called `name` gives both almost none."""
    yes, no = mass.get("yes", 0.0), mass.get("no", 0.0)
    if not yes + no >= LEAST:
        raise ModelError(
            f"{name} does not answer a yes/no question with yes or no (probability {yes + no:.2g}); use an instruct "
            "model, and turn off its thinking"
        )
    return min(1.0, yes / (yes + no))
