"""A hub on this machine: an HTTP server that speaks the endpoints of huggingface.co that its library asks for, with
tiny repositories, and with faults on demand. It records every request.

| request | answer |
| --- | --- |
| GET /api/models/ID/revision/REVISION | licence, commit and files of a repository, with sizes and hashes |
| GET /api/models/ID/tree/REVISION | its files, page by page |
| HEAD, GET /ID/resolve/REVISION/FILE | small files; a redirect to /blobs/SHA256 for large ones |
| GET /blobs/SHA256 | the bytes of a large file, or the range that is asked for |
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

PATIENCE = 600  # seconds that a held answer waits for its release
_PAGE = 3  # files of one page of a listing; the real hub has 1000
_LARGE = (".safetensors", ".bin", ".gguf", ".onnx")


@dataclass
class Repository:
    """Files by name. `gated`: 401 or 403 is the answer to who asks for a file."""

    files: dict[str, bytes]
    licence: str = "apache-2.0"
    gated: int | None = None

    @classmethod
    def of(cls, folder: Path, **more: bytes) -> Repository:
        """A repository with the files of a folder."""
        found = sorted(path for path in folder.rglob("*") if path.is_file())
        return cls({path.relative_to(folder).as_posix(): path.read_bytes() for path in found} | more)

    @property
    def commit(self) -> str:
        digest = hashlib.sha1()
        for name, content in sorted(self.files.items()):
            digest.update(name.encode() + b"\0" + content)
        return digest.hexdigest()

    def entry(self, name: str) -> dict[str, object]:
        """What the hub tells about a file."""
        content = self.files[name]
        entry: dict[str, object] = {"size": len(content), "oid": git_hash(content)}
        if name.endswith(_LARGE):
            entry["lfs"] = {"size": len(content), "oid": sha256(content), "pointerSize": 130}
        return entry


@dataclass
class Fault:
    """What happens instead of the answer to requests whose path matches `path`, for the next `times` of them.

    `status`: the answer's; `code`: of the hub, such as RevisionNotFound. `cut`: the connection ends after so many
    bytes. `corrupt`: the bytes are others. `hold`: the answer waits, after `cut` bytes, until it is set."""

    path: str
    status: int = 200
    code: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    corrupt: bool = False
    hold: threading.Event | None = None
    times: int = 1_000_000
    met: threading.Event = field(default_factory=threading.Event)  # set when it first happens


class Hub:
    """`repositories`: by id; `faults`: those to come; `requests`: what was asked, as "GET /path"."""

    def __init__(self, address: str) -> None:
        self.address = address
        # Large files come from another host, as they do from the real hub.
        self.store = address.replace("127.0.0.1", "localhost")
        self.repositories: dict[str, Repository] = {}
        self.faults: list[Fault] = []
        self.requests: list[str] = []
        self.ranges: list[str] = []

    def fail(self, path: str, status: int = 200, **more: object) -> Fault:
        """Let requests fail whose path matches a regular expression."""
        fault = Fault(path, status, **more)  # type: ignore[arg-type]
        self.faults.append(fault)
        return fault

    def environment(self, home: Path) -> dict[str, str]:
        """Variables that send the hub library of a process here, with its cache in `home`."""
        return {
            "HF_ENDPOINT": self.address, "HF_HOME": str(home), "NO_PROXY": "127.0.0.1,localhost",
            "HF_HUB_OFFLINE": "0", "TRANSFORMERS_OFFLINE": "0",
        }  # fmt: skip

    def fault(self, path: str) -> Fault | None:
        for fault in self.faults:
            if fault.times > 0 and re.search(fault.path, path):
                fault.times -= 1
                fault.met.set()
                return fault
        return None


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def git_hash(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@contextmanager
def serve() -> Iterator[Hub]:
    """A hub without repositories."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.hub = Hub(f"http://127.0.0.1:{server.server_port}")  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.hub  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    # HTTP/1.0: each request has a connection of its own, so tests may count connections.

    def do_GET(self) -> None:
        self._answer()

    do_HEAD = do_POST = do_GET

    def log_message(self, format: str, *args: object) -> None:
        pass

    @property
    def hub(self) -> Hub:
        return self.server.hub  # type: ignore[attr-defined,no-any-return]

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.hub.requests.append(f"{self.command} {path}")
        fault = self.hub.fault(f"{self.command} {path}")
        if fault is not None and fault.status != 200:
            self._refuse(fault.status, fault.code, fault.headers)
        elif path.startswith("/api/models/"):
            self._api(path.removeprefix("/api/models/"))
        elif path.startswith("/blobs/"):
            self._blob(path.removeprefix("/blobs/"), fault)
        elif "/resolve/" in path:
            self._file(path, fault)
        else:
            self._send(b"")

    def _api(self, path: str) -> None:
        found = re.fullmatch(r"([^/]+/[^/]+)(?:/(revision|tree)/([^/]+))?", path)
        repository = self._repository(found[1], found[3] or "main") if found else None
        if found is None or repository is None:
            return
        if found[2] == "tree":
            self._tree(repository)
            return
        siblings = [
            {
                "rfilename": name,
                "size": entry["size"],
                "blobId": entry["oid"],
                **({"lfs": {**entry["lfs"], "sha256": entry["lfs"]["oid"]}} if "lfs" in entry else {}),  # type: ignore[dict-item,index]
            }
            for name in repository.files
            for entry in [repository.entry(name)]
        ]
        about = {
            "id": found[1],
            "sha": repository.commit,
            "gated": "manual" if repository.gated else False,
            "cardData": {"license": repository.licence} if repository.licence else {},
            "tags": [],
            "siblings": siblings,
        }
        self._send(json.dumps(about).encode(), {"Content-Type": "application/json"})

    def _tree(self, repository: Repository) -> None:
        names = sorted(repository.files)
        (at,) = map(int, parse_qs(urlsplit(self.path).query).get("cursor", ["0"]))
        page = [{"type": "file", "path": name, **repository.entry(name)} for name in names[at : at + _PAGE]]
        headers = {"Content-Type": "application/json"}
        if at + _PAGE < len(names):
            here = f"{self.hub.address}{urlsplit(self.path).path}"
            headers["Link"] = f'<{here}?recursive=true&cursor={at + _PAGE}>; rel="next"'
        self._send(json.dumps(page).encode(), headers)

    def _file(self, path: str, fault: Fault | None) -> None:
        hub_id, _, rest = path.lstrip("/").partition("/resolve/")
        revision, _, name = rest.partition("/")
        repository = self._repository(hub_id, revision)
        if repository is None:
            return
        if repository.gated:
            self._refuse(repository.gated, "GatedRepo")
            return
        about = {"X-Repo-Commit": repository.commit}
        if name not in repository.files:
            self._refuse(404, "EntryNotFound", about)
            return
        content = repository.files[name]
        if name.endswith(_LARGE):
            blob = sha256(content)
            about |= {"X-Linked-Etag": f'"{blob}"', "X-Linked-Size": str(len(content))}
            self._send(b"", about | {"Location": f"{self.hub.store}/blobs/{blob}"}, 302)
        else:
            self._send(content, about | {"ETag": f'"{git_hash(content)}"'}, fault=fault)

    def _blob(self, digest: str, fault: Fault | None) -> None:
        every = (content for one in self.hub.repositories.values() for content in one.files.values())
        content = next((content for content in every if sha256(content) == digest), None)
        if content is None:
            self._refuse(404, "EntryNotFound")
            return
        asked = self.headers.get("Range")
        headers, status = {"ETag": f'"{digest}"'}, 200
        if asked:
            self.hub.ranges.append(asked)
            start = int(asked.removeprefix("bytes=").split("-")[0])
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
            content, status = content[start:], 206
        self._send(content, headers, status, fault)

    def _repository(self, hub_id: str, revision: str) -> Repository | None:
        """The repository, or None after a refusal."""
        repository = self.hub.repositories.get(hub_id)
        if repository is None:
            self._refuse(404, "RepoNotFound")
        elif revision not in ("main", repository.commit):
            self._refuse(404, "RevisionNotFound")
        else:
            return repository
        return None

    def _refuse(self, status: int, code: str = "", headers: dict[str, str] | None = None) -> None:
        self._send(b"", {**({"X-Error-Code": code} if code else {}), **(headers or {})}, status)

    def _send(
        self,
        content: bytes,
        headers: dict[str, str] | None = None,
        status: int = 200,
        fault: Fault | None = None,
    ) -> None:
        if fault is not None and fault.corrupt:
            content = bytes(byte ^ 1 for byte in content)
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "HEAD":
            return
        try:
            if fault is not None and (fault.cut is not None or fault.hold is not None):
                sent = content[: fault.cut or 0]
                self.wfile.write(sent)
                self.wfile.flush()
                if fault.hold is None:
                    return
                fault.hold.wait(PATIENCE)
                content = content[len(sent) :]
            self.wfile.write(content)
        except OSError:
            pass  # who asked has gone
