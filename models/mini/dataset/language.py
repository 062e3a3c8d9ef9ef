"""A grammar that generates briefs in many wordings, each with the lines that a reader should write for it.

A line repeats the words of the brief in the singular ("3 puppy"); code, not the model, maps them to the names of a
range. The wordings for development and testing, their nouns, and a share of the synonyms never occur in training.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import yaml

from models import english
from models.english import OPPOSITE, PLURAL_ONLY, RELATIONS, plural, singular_as_trained
from models.mini.dataset.synonyms import COLOUR_WORDS, NEAR, STYLE_WORDS
from models.mini.dataset.vocabulary import COUNTS, OBJECTS, STYLES
from models.palette import COLOURS

Split = Literal["train", "dev", "test"]


@dataclass(frozen=True, slots=True)
class Pair:
    """A brief and its requirements, one line each, as far as possible in the order of the text."""

    text: str
    lines: tuple[str, ...]


@cache
def wordings() -> dict[str, Any]:
    path = Path(__file__).with_name("wordings.yaml")
    loaded: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return loaded


def _tested(word: str) -> bool:
    """Whether a synonym is held out of training: one in five, chosen by a checksum."""
    return zlib.crc32(word.encode()) % 5 == 0


@cache
def _synonyms(split: Split) -> dict[str, tuple[str, ...]]:
    return {
        name: tuple(word for word in words if _tested(word) == (split != "train"))
        for name, words in (*NEAR.items(), *COLOUR_WORDS.items(), *STYLE_WORDS.items())
    }


@cache
def _held() -> frozenset[str]:
    nouns = wordings()["nouns"]
    return frozenset((*nouns["dev"], *nouns["test"]))


@dataclass
class _Thing:
    word: str  # as the brief says it, in the singular
    count: int | None = None
    colour: str | None = None
    colour_said: bool = False
    look: str | None = None


@dataclass
class _Writer:
    """Writes one brief. `lines`: its requirements so far; `after`: sentences that follow the main one."""

    rng: np.random.Generator
    split: Split
    lines: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)

    def chance(self, p: float) -> bool:
        return bool(self.rng.random() < p)

    def often(self, p: float) -> bool:
        """Like `chance`, but more likely in training, so that the model sees rare kinds of requirements often
        enough."""
        return self.chance(1.6 * p if self.split == "train" else p)

    def pick(self, options: Sequence[Any]) -> Any:
        return options[int(self.rng.integers(len(options)))]

    def words(self, key: str, *inner: str) -> Any:
        """A random wording under a key. Outside of training, three in four come from the split's own wordings."""
        node = wordings()[key]
        for name in inner:
            node = node[name]
        split = "train" if self.split == "train" or self.chance(0.25) else self.split
        return self.pick(node[split])

    def synonym(self, name: str, p: float) -> str:
        options = _synonyms(self.split).get(name, ())
        return str(self.pick(options)) if options and self.chance(p) else name

    def coined(self) -> str:
        """An invented word made from halves of two nouns ("trombato"), which a model can only copy."""
        first, second = (str(self.pick(wordings()["nouns"]["train"])) for _ in range(2))
        word = first[: len(first) // 2 + 1] + second.replace(" ", "")[len(second) // 2 :]
        return first if word in _held() else word

    def noun(self) -> str:
        if self.split == "train" and self.chance(0.12):
            return self.coined()
        if self.chance(0.2):
            return str(self.pick(wordings()["nouns"][self.split]))
        return self.synonym(str(self.pick(OBJECTS).name), 0.25)

    def colour(self) -> str:
        if self.chance(0.06):
            return str(self.pick(wordings()["colours"][self.split]))
        colour = self.synonym(str(self.pick(tuple(COLOURS))), 0.15)
        return (
            f"{self.pick(('light', 'dark', 'bright'))} {colour}"
            if self.chance(0.06) and " " not in colour
            else colour
        )

    def style(self) -> str:
        if self.split == "train" and self.chance(0.12):
            return f"{self.coined()} {self.coined()}" if self.chance(0.3) else self.coined()
        if self.chance(0.15):
            return str(self.pick(wordings()["styles"][self.split]))
        return self.synonym(str(self.pick(STYLES)), 0.15)

    def noise(self, key: str) -> str:
        data = wordings()
        n = str(self.pick(OBJECTS).name)
        return str(self.words(key)).format(
            place=self.pick(data["places"]),
            event=self.pick(data["events"]),
            trade=self.pick(data["trades"]),
            day=self.pick(data["days"]),
            n=n,
            ns=plural(n),
            N=n.title(),
        )

    def phrase(self, thing: _Thing) -> str:
        """The noun phrase of a thing, such as "three small red apples"."""
        adjectives = []
        if self.chance(0.12):
            adjectives.append(str(self.pick(wordings()["adjectives"][self.split])))
        if thing.look:
            adjectives.append(thing.look)
        if thing.colour and not thing.colour_said:
            adjectives.append(thing.colour)
            thing.colour_said = True
        if thing.count is None:
            if thing.word in PLURAL_ONLY:
                return " ".join([*adjectives, thing.word])
            return _article(" ".join([*adjectives, thing.word]))
        counts = wordings()["count"]
        source = counts[self.split] if thing.count in counts[self.split] else counts["train"]
        number = str(self.pick(source[thing.count]))
        noun = thing.word if thing.count == 1 else plural(thing.word)
        return " ".join([number, *adjectives, noun])

    def enter(self, thing: _Thing) -> None:
        if thing.count is None:
            self.lines.append(thing.word)
        else:
            self.lines.append(f"{thing.count} {thing.word}")
        if thing.look:
            self.lines.append(f"{thing.word} is {thing.look}")
        if thing.colour:
            self.lines.append(f"{thing.word} is {thing.colour}")

    def say(self, sentence: str) -> None:
        self.after.append(sentence[:1].upper() + sentence[1:])

    def thing(self, count: int | None = None, colour: float = 0.4) -> _Thing:
        return _Thing(
            self.noun(),
            count,
            self.colour() if self.chance(colour) else None,
            look=self.look() if self.often(0.05) else None,
        )

    def look(self) -> str:
        if self.split == "train" and self.chance(0.15):
            return f"{self.coined().split()[0]}{self.pick(('ed', 'ing', 'y'))}"
        return str(self.pick(wordings()["looks"][self.split]))

    def subjects(self) -> str:
        roll = self.rng.random()
        if roll < 0.42:
            return self._one()
        if roll < 0.66:
            return self._several()
        return self._two()

    def _one(self) -> str:
        thing = self.thing(1 if self.chance(0.15) else None, 0.5)
        return self._coloured(thing)

    def _several(self) -> str:
        thing = self.thing(int(self.pick((2, 2, 3, 3, 4, 4, 5, 6, 7, 8))), 0.4)
        if thing.word in PLURAL_ONLY or " of " in thing.word:
            thing.count = None
        if thing.count and thing.count > 4 and self.split == "train":
            thing.count = min(thing.count, 7)
        if thing.count and self.split != "train" and thing.count not in (2, 3, 4, 8):
            thing.count = 3
        if thing.count in (2, 3, 4) and self.chance(0.08):
            text = plural(thing.word)
            number = str(self.pick((str(thing.count), COUNTS[thing.count])))
            self.say(str(self.words("count_sentence")).format(k=number, K=number.title()))
            thing.colour = thing.look = None
            self.enter(thing)
            return text
        return self._coloured(thing)

    def _coloured(self, thing: _Thing) -> str:
        if thing.colour and self.chance(0.45):
            thing.colour_said = True
            text = self.phrase(thing)
            if self.chance(0.5):
                text = str(self.words("colour_after")).format(x=text, c=thing.colour)
            else:
                self._colour_sentence(thing)
        else:
            text = self.phrase(thing)
        self.enter(thing)
        return text

    def _colour_sentence(self, thing: _Thing) -> None:
        many = (thing.count or 1) > 1 or thing.word in PLURAL_ONLY
        form = str(self.words("colour_sentence"))
        if many:
            form = (
                form.replace("{n} is ", "{n} are ")
                .replace("has to", "have to")
                .replace("{n}'s colour are", "colour of the {n} is")
            )
        noun = plural(thing.word) if (thing.count or 1) > 1 else thing.word
        self.say(form.format(n=noun, N=noun.title(), c=thing.colour, C=str(thing.colour).capitalize()))

    def _two(self) -> str:
        first, second = self.thing(1 if self.chance(0.06) else None), self.thing()
        while second.word == first.word:
            second = self.thing()
        both = self.often(0.12)
        if both:
            first.colour = second.colour = self.colour()
            first.colour_said = second.colour_said = True
        else:
            for thing in (first, second):
                if thing.colour and self.chance(0.3):
                    thing.colour_said = True
                    self._colour_sentence(thing)
        a, b = self.phrase(first), self.phrase(second)
        relation = None
        if self.chance(0.35):
            text = str(self.words("beside")).format(a=a, b=b)
            if self.chance(0.25):
                relation = str(self.pick(tuple(RELATIONS)))
                place = RELATIONS[relation]
                form = str(self.words("relation_sentence"))
                names = [f"the {thing.word}" for thing in (first, second)]
                self.say(form.format(a=names[0], A=names[0].capitalize(), b=names[1], r=place))
        else:
            relation = str(self.pick(tuple(RELATIONS)))
            text = str(self.words("relation", relation)).format(a=a, b=b)
        if both:
            text = str(self.words("colour_both")).format(x=text, c=first.colour)
        self.enter(first)
        self.enter(second)
        if relation:
            of = " of" if relation in ("left", "right") else ""
            self.lines.append(f"{first.word} {relation}{of} {second.word}")
            if self.often(0.04):
                self._contradict_relation(first.word, relation, second.word)
        return text

    def _contradict_relation(self, a: str, relation: str, b: str) -> None:
        turned = OPPOSITE[relation]
        of = " of" if turned in ("left", "right") else ""
        form = str(self.words("relation_sentence"))
        self.say(form.format(a=f"the {a}", A=f"The {a}", b=f"the {b}", r=RELATIONS[turned]))
        self.lines.append(f"{a} {turned}{of} {b}")

    def optional(self, line: str, inside: str | None, sentence: str | None) -> str:
        """Add a requirement in one of two wordings, sometimes as a nice-to-have: `inside` the main sentence
        (returned), or as a `sentence` of its own (then returns "")."""
        maybe = self.often(0.12)
        if inside is not None and (sentence is None or self.chance(0.55)):
            self.lines.append(f"maybe {line}" if maybe else line)
            if not maybe:
                return inside
            form = str(self.words("maybe_inside"))
            bare = inside[1:] if inside.startswith(",") else inside
            return form.format(x=bare if form.startswith(",") else inside)
        if sentence is None:
            return ""
        self.lines.append(f"maybe {line}" if maybe else line)
        if maybe:
            sentence = str(self.words("maybe_sentence")).format(x=sentence[:1].lower() + sentence[1:])
        self.say(sentence)
        return ""

    def background(self) -> str:
        if self.often(0.07):
            coined = self.split == "train" and self.chance(0.15)
            ground = self.coined() if coined else str(self.pick(wordings()["grounds"][self.split]))
            inside = str(self.words("ground")).format(a_c=_article(ground))
            return self.optional(f"background {ground}", inside, None)
        c = self.colour()
        fill = {"c": c, "C": c.capitalize(), "a_c": _article(c)}
        inside = str(self.words("background")).format(**fill)
        text = self.optional(f"background {c}", inside, str(self.words("background_sentence")).format(**fill))
        if self.chance(0.02):
            other = self.colour()
            self.say(f"The background must be {other}.")
            if other != c:
                self.lines.append(f"background {other}")
        return text

    def styled(self) -> str:
        s = self.style()
        fill = {"s": s, "S": s.capitalize()}
        inside, sentence = (str(self.words(key)).format(**fill) for key in ("style", "style_sentence"))
        return self.optional(f"style {s}", inside, sentence)

    def absence(self) -> str:
        said = str(self.words("absent"))
        one = said.removeprefix("a ")
        line = f"no {singular_as_trained(one)}"
        inside = str(self.words("absence_inside")).format(n=one)
        sentence = str(self.words("absence_sentence")).format(n=said, N=said.capitalize())
        sentence = sentence.replace("No a ", "No ").replace("no a ", "no ").replace("any a ", "a ")
        self.lines.append(line)
        if self.chance(0.4):
            return inside
        self.say(sentence)
        return ""

    def technical(self) -> str:
        text, _, line = str(self.words("technical")).partition("|")
        fill = {
            "w": self.pick((64, 128, 256, 512, 640, 768, 1024)),
            "h": self.pick((64, 128, 256, 480, 512, 1024)),
            "c": self.colour(),
        }
        self.lines.append(line.format(**fill))
        text = text.format(**fill)
        if self.chance(0.5):
            return f", {text}"
        self.say(f"{text}.")
        return ""

    def other(self) -> None:
        text, _, line = str(self.words("other")).partition("|")
        data = wordings()
        fill = {"m": self.pick(data["moods"][self.split]), "noun": self.pick(data["mood_nouns"][self.split])}
        text = (
            text.format(**fill)
            .replace(" a e", " an e")
            .replace(" a i", " an i")
            .replace("A e", "An e")
            .replace("A i", "An i")
        )
        self.lines.append("other " + line.format(**fill))
        self.say(text)


def write(rng: np.random.Generator, split: Split = "train") -> Pair:
    """Write a random brief in the wordings of a split."""
    writer = _Writer(rng, split)
    text = writer.subjects()
    if writer.chance(0.25):
        text += writer.noise("noise_inside")
    extras = [writer.background] * writer.chance(0.75) + [writer.styled] * writer.chance(0.5)
    if writer.chance(0.2):
        extras.reverse()
    extras += [writer.absence] * writer.often(0.18) + [writer.technical] * writer.often(0.15)
    for extra in extras:
        text += extra()
    if writer.often(0.12):
        writer.other()
    main = str(writer.words("request")).format(x=text)
    if main[0] != "{":
        main = main[0].upper() + main[1:]
    if "?" in main[:-1]:
        main = main.replace("?", "") + "?"
    sentences = [main, *writer.after]
    if writer.chance(0.35):
        sentences.insert(0, writer.noise("noise_before"))
    if writer.chance(0.2):
        sentences.append(writer.noise("noise_after"))
    ended = [s if s[-1] in "?.!:" else f"{s}." for s in sentences]
    if ended[-1].endswith(".") and writer.chance(0.12):
        ended[-1] = ended[-1][:-1]
    brief = " ".join(" ".join(ended).split())
    if writer.chance(0.15):
        brief = brief.lower()
    return Pair(brief, tuple(dict.fromkeys(writer.lines)))


_BARE = PLURAL_ONLY | {"bread", "broccoli", "fire", "cheese"}


def _article(words: str) -> str:
    """The words with an indefinite article, if they take one: "an owl", "bread"."""
    return words if words in _BARE else english.article(words)
