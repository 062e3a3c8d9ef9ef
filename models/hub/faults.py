"""Why the hub did not give what was asked of it, and what to do: one sentence for each fault."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from models.hub.cache import cache_folder
from models.hub.need import Need
from models.protocols import ModelError, WeightsMissing

_NOT_WRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS)
_AGAIN = "run the command again later; files that are complete are kept"


def downloads_off(offline: bool) -> tuple[str, str] | None:
    """Why downloads are forbidden and how to allow them; None if they are allowed. `offline` is the preset's setting; a
    user's own HF_HUB_OFFLINE forbids them as well."""
    variables = [
        name
        for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
        if os.environ.get(name, "").upper() in {"1", "ON", "YES", "TRUE"}
    ]
    reasons, remedies = [], []
    if offline:
        reasons.append("the preset forbids downloads (`offline: true`)")
        remedies.append("set `offline: false` in it")
    if variables:
        named = " and ".join(variables)
        reasons.append(f"the environment forbids downloads ({named})")
        remedies.append(f"unset {named}")
    return (" and ".join(reasons), " and ".join(remedies)) if reasons else None


def forbidden(need: Need, offline: bool) -> WeightsMissing | None:
    """The error for files that are not here and must not be downloaded; None if they may be."""
    off = downloads_off(offline)
    if off is None:
        return None
    why, what_next = off
    return WeightsMissing(
        f"The weights of {need.name} are not in the local cache and {why}; {what_next}",
        ", or download them with: ",
        need.command,
    )


def reach(need: Need, offline: bool) -> None:
    """Raises WeightsMissing within seconds if no download can begin; the hub library itself tries for minutes."""
    if error := forbidden(need, offline):
        raise error
    if (silence := _no_answer()) is not None:
        raise _missing(need, silence) from silence


def out_of_reach() -> str | None:
    """Why no download can begin, in words; None where the hub answers."""
    if off := downloads_off(offline=False):
        return f"{off[0]}; {off[1]}"
    from huggingface_hub import constants

    return f"no answer from {constants.ENDPOINT}; go online, or correct HF_ENDPOINT" if _no_answer() else None


def _no_answer() -> Exception | None:
    from huggingface_hub import constants, get_session

    try:
        get_session().head(constants.ENDPOINT, timeout=10)  # any answer will do
    except Exception as error:  # the hub library changes its HTTP client, and with it the exceptions
        return error
    return None


@contextmanager
def explained(need: Need) -> Iterator[None]:
    """Turn what the hub library and the disk raise into a WeightsMissing that says what to do."""
    from huggingface_hub.errors import HFValidationError

    try:
        yield
    except ModelError:
        raise
    except HFValidationError as error:
        raise ModelError(f"{need.name!r} is no valid hub id; write owner/name.") from error
    except Exception as error:
        if not _known(error):
            raise
        raise _missing(need, error) from error


def _missing(need: Need, error: BaseException) -> WeightsMissing:
    why, what_next = fault(need, error)
    return WeightsMissing(
        f"The weights of {need.name} are not in the local cache and {why}; {what_next}",
        ". The download is: ",
        need.command,
    )


def _known(error: BaseException) -> bool:
    """Whether the network or the disk is at fault, not our code. The names of httpx and httpx2 are the same."""
    names = {kind.__name__ for link in _chain(error) for kind in type(link).__mro__}
    return bool(names & {"OSError", "HTTPError", "TransportError", "OfflineModeIsEnabled", "JSONDecodeError"})


def fault(need: Need, error: BaseException) -> tuple[str, str]:
    """Why a download failed, and what to do about it."""
    from huggingface_hub import constants
    from huggingface_hub import errors as hub

    for link in _chain(error):
        status = getattr(getattr(link, "response", None), "status_code", None)
        match link:
            case hub.GatedRepoError():
                page = f"{constants.ENDPOINT}/{need.name}"
                if status == 401:
                    why = "its owner gives it only to users who accepted its licence"
                    return why, f"accept the licence at {page}, then log in with: hf auth login"
                why = "your account has not been given access to it"
                return why, f"accept the licence at {page} with the account that you are logged in with"
            case hub.RepositoryNotFoundError():
                why = "the hub has no model of that name that you may read"
                return why, "correct its name, or if it is private, log in with: hf auth login"
            case hub.RevisionNotFoundError():
                return f"it has no revision {need.revision}", "correct `revision` in the preset"
            case hub.RemoteEntryNotFoundError():
                return "the hub's model lacks a file", "correct the file's name or the revision in the preset"
        if status == 401:
            return "the hub does not accept your token", "log in again with: hf auth login"
        if status == 403:
            return "your token may not read it", "log in with a token that may, with: hf auth login"
        if status == 429:
            wait = getattr(link, "response").headers.get("Retry-After")  # noqa: B009
            when = f"in {wait} seconds" if wait else "in some minutes"
            return (
                "the hub takes no more requests from you for now (429)",
                f"run the command again {when}, or log in, which raises the limit, with: hf auth login",
            )
        if status == 404:
            return "the hub's model lacks a file", "correct the file's name or the revision in the preset"
        if status is not None and status >= 500:
            return f"the hub has a fault of its own ({status})", _AGAIN
        if isinstance(link, OSError) and link.errno in (errno.ENOSPC, errno.EDQUOT):
            return (
                f"the disk of {cache_folder()} is full",
                "free some space, or set HF_HOME to a folder on a larger disk",
            )
        if isinstance(link, OSError) and (link.errno in _NOT_WRITABLE or link.filename):
            return (
                f"{link.filename or cache_folder()} cannot be written to ({link.strerror})",
                "give yourself write access to it, or set HF_HOME to a folder of yours",
            )
        kind = type(link).__name__
        if kind in ("RemoteProtocolError", "ReadError", "ReadTimeout") or "Consistency check" in str(link):
            return "the connection broke", "run the command again; files that are complete are kept"
        if kind == "JSONDecodeError":
            return (
                f"{constants.ENDPOINT} does not answer as a hub does",
                "correct HF_ENDPOINT, or log in to the network that you are in",
            )
        if kind in ("ConnectError", "ConnectTimeout", "ProxyError", "OfflineModeIsEnabled"):
            return (
                f"the hub could not be reached at {constants.ENDPOINT}",
                "go online, or correct HF_ENDPOINT",
            )
    *_, last = _chain(error)
    words = " ".join(str(last).split())[:200]
    return f"the download failed ({type(last).__name__}: {words})", _AGAIN


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and those that caused it."""
    seen: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in seen:
        seen.append(link)
        yield link
        link = link.__cause__ or link.__context__
