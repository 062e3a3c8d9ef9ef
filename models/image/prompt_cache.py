"""Prompts that were encoded a moment ago are not encoded again: the next seeds of a prompt need no text encoder, which,
if it is offloaded, then stays where it is."""

from __future__ import annotations

import functools
from collections import OrderedDict
from typing import Any

import torch

_PLAIN = (str, int, float, bool, type(None), torch.device, torch.dtype)


def keep_encoded(pipe: Any, most: int) -> None:
    """Let a pipeline keep its last `most` encoded prompts. Embeddings that are given to it are not kept."""
    encode = getattr(pipe, "encode_prompt", None)
    if encode is None or most == 0:
        return
    kept: OrderedDict[Any, Any] = OrderedDict()

    @functools.wraps(encode)
    def encode_prompt(*args: Any, **kwargs: Any) -> Any:
        key = _key((args, kwargs, getattr(pipe, "_guidance_scale", None)))
        if key is None:
            return encode(*args, **kwargs)
        if key not in kept:
            kept[key] = encode(*args, **kwargs)
            if len(kept) > most:
                kept.popitem(last=False)
        kept.move_to_end(key)
        return _copied(kept[key])

    pipe.encode_prompt = encode_prompt


def forget_encoded(pipe: Any) -> None:
    """Undo `keep_encoded`: what is kept lies on a device, in a number format."""
    vars(pipe).pop("encode_prompt", None)


def _key(value: Any) -> Any:
    """A hashable form of plain values; None where there are others."""
    if isinstance(value, _PLAIN):
        return type(value).__name__, value
    if isinstance(value, dict):
        value = [part for item in sorted(value.items()) for part in item]
    if isinstance(value, (list, tuple)):
        parts = tuple(map(_key, value))
        return None if None in parts else parts
    return None


def _copied(value: Any) -> Any:
    """The same tensors in new lists, because some pipelines extend the lists that they get."""
    if isinstance(value, (list, tuple)):
        return type(value)(map(_copied, value))
    return value
