"""YAML as people type it, and nothing more: text, numbers, true and false, lists, mappings.

Full YAML is a risk in files from anybody: aliases make 300 bytes a gigabyte, and `2:30`, `010` and `2020-01-01` become
an hour in seconds, an octal number and a date. Here they stay what was typed. Aliases, tags and deep nesting are
refused.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

DEPTH = 24  # levels of lists and mappings
DIGITS = 30  # a longer number stays text
_INT = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?((0|[1-9][0-9]*)?\.[0-9]+|(0|[1-9][0-9]*)\.?)([eE][-+]?[0-9]+)?")
_NULL = ("", "~", "null", "Null", "NULL")
_TRUE, _FALSE = ("true", "True", "TRUE"), ("false", "False", "FALSE")


class _Loader(yaml.SafeLoader):
    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            self._refuse("aliases are not allowed; write the value out")
        self.depth += 1
        if self.depth > DEPTH:
            self._refuse("nested too deeply")
        node: yaml.Node | None = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def _refuse(self, problem: str) -> None:
        mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
        raise yaml.MarkedYAMLError(problem=problem, problem_mark=mark)


def compose(text: str) -> yaml.Node | None:
    """The nodes of a document, with their lines; None for an empty one. Raises yaml.YAMLError."""
    node: yaml.Node | None = yaml.compose(text, Loader=_Loader)
    return node


def plain(node: yaml.Node | None) -> Any:
    """The value of a node. Keys of mappings are text. Raises yaml.YAMLError."""
    if node is not None and node.tag not in _TAGS:
        raise yaml.MarkedYAMLError(
            problem=f"tags are not allowed: {node.tag[:60]}", problem_mark=node.start_mark
        )
    if isinstance(node, yaml.MappingNode):
        found: dict[str, Any] = {}
        for key, value in node.value:
            name = _key(key)
            if name in found:
                raise yaml.MarkedYAMLError(
                    problem=f"the key {name[:60]} is there twice; leave one", problem_mark=key.start_mark
                )
            found[name] = plain(value)
        return found
    if isinstance(node, yaml.SequenceNode):
        return [plain(item) for item in node.value]
    return _scalar(node) if isinstance(node, yaml.ScalarNode) else None


def place_and_reason(error: yaml.YAMLError) -> tuple[int | None, str]:
    """The line of an error, where it is known, and what is wrong, in one line."""
    mark = getattr(error, "problem_mark", None)
    why = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    return (mark.line + 1 if mark else None), " ".join(str(why).split())[:200]


def load(text: str) -> Any:
    """The value of a document. Raises yaml.YAMLError."""
    return plain(compose(text))


def _key(node: yaml.Node) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise yaml.MarkedYAMLError(
            problem="a key is a word, not a list or mapping", problem_mark=node.start_mark
        )
    return str(node.value)


def _scalar(node: yaml.ScalarNode) -> Any:
    text = str(node.value)
    if node.style is not None:  # quoted, or a block of text
        return text
    if text in _NULL:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if len(text) <= DIGITS and _INT.fullmatch(text):
        return int(text)
    return float(text) if len(text) <= DIGITS and _FLOAT.fullmatch(text) else text


_TAGS = {  # those of values that have no tag of their own
    f"tag:yaml.org,2002:{name}"
    for name in ("map", "seq", "str", "int", "float", "bool", "null", "timestamp", "merge", "value")
}
