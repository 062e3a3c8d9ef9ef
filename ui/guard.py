"""Handlers connected to events of the page; their errors are shown as one sentence."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from html import escape
from typing import Any, TypeVar

import gradio as gr
from gradio.context import LocalContext
from pydantic import ValidationError

from models.protocols import ModelError
from pipeline.errors import EaselError, fault
from ui.parts import sentence

Handler = TypeVar("Handler", bound=Callable[..., Any])
NAME = "who"  # the id of the field with the person's name
_log = logging.getLogger("easel.ui")


def spoken(handler: Handler, html: bool = True) -> Handler:
    """A handler whose errors are shown on the page: errors of the user's input in their own words, others as a bug. The
    page takes a message for HTML, so text is escaped, unless `html` is False: for programs."""

    @functools.wraps(handler)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        try:
            return handler(*args, **kwargs)
        except gr.Error:
            raise
        except (EaselError, ModelError) as error:
            said = str(error)
        except ValidationError as error:
            said = fault(error)
        except Exception as error:
            _log.exception("a handler of the page broke")
            said = (
                f"Easel broke here ({type(error).__name__}); what was made before is kept. Reload the page."
            )
        said = escape(sentence(said), quote=False) if html else sentence(said)
        raise gr.Error(said, duration=None, title="Not done", print_exception=False)

    return guarded  # type: ignore[return-value]


def person(who: str) -> str:
    """The name of whoever decides: that of the login, or where there is none the given one."""
    request = LocalContext.request.get(None)
    login: str | None = getattr(request, "username", None)
    return login or who


def _signed(handler: Callable[..., Any], at: int) -> Callable[..., Any]:
    """The handler, with the person's name as its argument number `at`."""

    @functools.wraps(handler)
    def named(*args: Any, **kwargs: Any) -> Any:
        return handler(*args[:at], person(args[at]), *args[at + 1 :], **kwargs)

    return named


def connect(
    event: Callable[..., Any], handler: Callable[..., Any], inputs: Any, outputs: Any, **more: Any
) -> Any:
    """Connect a handler to an event, outside the public API and with no limit of calls at a time."""
    fields = inputs if isinstance(inputs, list) else [inputs]
    if any(getattr(field, "elem_id", None) == NAME for field in fields):
        at = next(i for i, field in enumerate(fields) if getattr(field, "elem_id", None) == NAME)
        handler = _signed(handler, at)
    options = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": None} | more
    return event(spoken(handler), inputs, outputs, **options)
