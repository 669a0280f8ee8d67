"""Canaries: what must never come out, in every way it could, and a vendor that says it back in odd places.

Knows nothing of `kycgate.target.redaction`: what hides and what searches must not share their blind spots.
"""

import base64
import html
import http.server
import io
import itertools
import json
import os
import re
import secrets
import subprocess
import threading
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import psutil

from kycgate.sandbox import SandboxSettings
from kycgate.sandbox.vendor import Incoming, Reply, Vendor
from kycgate.specimens.person import to_arabic_indic

PART = 16
"""Characters of a secret that count as its leak."""


def base64_parts(raw: bytes) -> Iterator[str]:
    """What base64 makes of `raw` wherever it begins in a longer text."""
    for shift, lost in ((0, 0), (1, 2), (2, 3)):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            encoded = encode(b"\0" * shift + raw).decode()
            yield encoded[lost:].rstrip("=")[:-1] if encoded.endswith("=") else encoded[lost:]


def ways(value: str) -> dict[str, str]:
    """`value` as it may be written, by the name of the way."""
    raw = value.encode()
    found = {
        "plain": value,
        "lower case": value.lower(),
        "upper case": value.upper(),
        "swapped case": value.swapcase(),
        "backwards": value[::-1],
        "URL": quote(value, safe=""),
        "URL with plus": quote_plus(value),
        "URL, every byte": "".join(f"%{byte:02X}" for byte in raw),
        "url, every byte": "".join(f"%{byte:02x}" for byte in raw),
        "JSON": json.dumps(value)[1:-1],
        "JSON, every character": "".join(f"\\u{ord(character):04x}" for character in value),
        "JSON in JSON": json.dumps(json.dumps(value))[3:-3],
        "HTML": html.escape(value),
        "HTML, every character": "".join(f"&#{ord(character)};" for character in value),
        "XML, every character": "".join(f"&#x{ord(character):X};" for character in value),
        "hexadecimal": raw.hex(),
        "Arabic-Indic digits": to_arabic_indic(value),
        "bytes": repr(raw)[2:-1],
        "bytes, each": "".join(f"\\x{byte:02x}" for byte in raw),
    }
    for number, part in enumerate(base64_parts(raw)):
        if len(part) >= 7:
            found[f"base64 {number}"] = part
    return found


_GLUE = re.compile(r"\\+[nrt]|[\s\"'`,;|\\.:\u200b-\u200f]+|&quot;|&lt;|&gt;|<wbr>|%20|%0A")


@dataclass
class Canaries:
    """What was planted, by name: secrets, of which a part is too much, and identities."""

    secrets: dict[str, str] = field(default_factory=dict)
    identities: dict[str, str] = field(default_factory=dict)
    pictures: dict[str, bytes] = field(default_factory=dict)

    def _needles(self) -> dict[str, str]:
        """What is looked for, once each, with its name."""
        found: dict[str, str] = {}
        for name, text in self._written():
            found.setdefault(text, name)
        return found

    def _written(self) -> Iterator[tuple[str, str]]:
        for name, value in self.secrets.items():
            for way, text in ways(value).items():
                yield f"{name}, {way}", text
            for start in range(0, max(len(value) - PART, 0), 3):
                yield f"{name}, a part", value[start : start + PART]
        for name, value in self.identities.items():
            for way, text in ways(value).items():
                yield f"{name}, {way}", text
        for name, picture in self.pictures.items():
            for start in range(0, len(picture) - 60, max(1, len(picture) // 25)):
                for part in base64_parts(picture[start : start + 30]):
                    yield f"{name}, its base64", part

    def leaks(self, where: str, raw: bytes) -> list[str]:
        """What of all this stands in `raw`; a zip's members are looked into."""
        if raw[:2] == b"PK":
            with zipfile.ZipFile(io.BytesIO(raw)) as archive:
                return [
                    leak for name in archive.namelist() for leak in self.leaks(f"{where}!{name}", archive.read(name))
                ]
        text = raw.decode("utf-8", "replace")
        glued = _GLUE.sub("", text)
        found = []
        for needle, name in self._needles().items():
            # What is squeezed out of the text is squeezed out of what is looked for, too.
            squeezed = _GLUE.sub("", needle)
            for hay, wanted in ((text, needle), (glued, squeezed)):
                place = hay.find(wanted) if len(wanted) >= 5 else -1
                if place >= 0:
                    found.append(f"{where}: {name}: …{hay[max(0, place - 60) : place + 20]!r}")
                    break
        found += [
            f"{where}: {name}, raw"
            for name, picture in self.pictures.items()
            if any(picture[n : n + 24] in raw for n in range(600, len(picture) - 24, max(1, len(picture) // 50)))
        ]
        return found

    def leaks_of_folder(self, folder: Path) -> list[str]:
        return [
            leak
            for path in sorted(folder.rglob("*"))
            if path.is_file()
            for leak in self.leaks(str(path.relative_to(folder)), path.read_bytes())
        ]


def unique_secret(prefix: str) -> str:
    return f"{prefix}-{secrets.token_urlsafe(24)}"


def cards_shown(seed: int, count: int) -> Canaries:
    """The identities and pictures of the first cards that a run of this seed shows."""
    from kycgate.specimens import card_set

    found = Canaries()
    for number in range(1, count + 1):
        card = card_set(seed * 10_000 + number)
        truth = {**card.back.truth, **card.front.truth}
        names = (
            "fullName",
            "familyName",
            "fullNameEn",
            "familyNameEn",
            "address",
            "state",
            "idNumber",
            "documentNumber",
        )
        found.identities |= {f"{name} of card {number}": truth[name] for name in names}
        year, month, day = truth["birthdate"].split("-")
        for written in (f"{year}-{month}-{day}", f"{day}/{month}/{year}", f"{year}/{month}/{day}"):
            found.identities[f"birthdate of card {number} as {written[2]}"] = written
        if number <= 4:
            found.pictures |= {f"front {number}": card.front.image, f"back {number}": card.back.image}
    return found


class _Echo(http.server.BaseHTTPRequestHandler):
    """Answers as a faithful vendor does, and says back what it was told wherever there is room."""

    protocol_version = "HTTP/1.1"
    server: "EchoVendor"

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        incoming = Incoming(self.command, self.path, headers, body)
        reply = self.server.vendor.handle(incoming)
        turn = next(self.server.turns)
        said = self.server.known_of(headers.get("authorization", ""), body, reply)
        self.server.answer(self, turn, said, reply)

    do_POST = do_GET = do_PUT = do_DELETE = do_PATCH = do_HEAD = do_OPTIONS = _serve

    def log_message(self, *_: object) -> None:
        pass


HOSTILE = (
    "</script><script>alert(1)</script><img src=x onerror=alert(1)> ]]> <!-- \x1b[31m\x1b]0;title\x07 \u202eevil "
    "\n::set-output name=x::y\n::error::z\n@everyone [link](http://evil.example) `code` | cell \n# heading "
    "\n=cmd|'/C calc'!A0 +1 \x00 \ud800 </failure></testcase><testcase name='injected'/> {{7*7}} {% raw %}"
)
"""What takes over a page, a terminal, a CI log, a spreadsheet, an XML or a template where it is not escaped."""

WRITINGS = (
    *("plain", "URL, every byte", "JSON, every character", "HTML, every character", "XML, every character"),
    *("backwards", "hexadecimal", "base64 0", "base64 2", "base64 4", "swapped case", "bytes", "Arabic-Indic digits"),
    *("split over lines", "quoted in pieces", "wrapped base64"),
)


def written(way: str, text: str) -> str:
    """`text` in one of the ways; base64 ones with something before it."""
    if way == "split over lines":
        return "\n".join(text[n : n + 5] for n in range(0, len(text), 5))
    if way == "quoted in pieces":
        return "', '".join(text[n : n + 7] for n in range(0, len(text), 7))
    if way == "wrapped base64":
        whole = base64.b64encode(text.encode()).decode()
        return "\n".join(whole[n : n + 20] for n in range(0, len(whole), 20))
    if way.startswith("base64"):
        return base64.b64encode(b"x" * (int(way[-1]) // 2) + text.encode()).decode()
    return ways(text)[way]


class EchoVendor(http.server.ThreadingHTTPServer):
    """A faithful vendor behind a mouth that cannot keep anything to itself."""

    daemon_threads = True

    def __init__(self, settings: SandboxSettings, *, breaks: bool, hostile: str) -> None:
        super().__init__(("127.0.0.1", 0), _Echo)
        self.vendor = Vendor(settings)
        self.turns: Iterator[int] = itertools.count()
        self.breaks, self.hostile = breaks, hostile
        self.fails_at = ""
        """Answers of a path that holds this are 500."""
        self.tokens: set[str] = set()
        self.base_url = f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, *_: object) -> None:
        """A client that hangs up is none."""

    def known_of(self, authorization: str, body: bytes, reply: Reply) -> dict[str, str]:
        """What this vendor knows of its caller: credentials, what it was sent, what it read."""
        credential = authorization.removeprefix("Bearer ").strip()
        known = {"credential": credential}
        for raw in (body, reply.body):
            try:
                value = json.loads(raw)
            except ValueError:
                continue
            data = value.get("customerData") or value if isinstance(value, dict) else {}
            for name, item in data.items():
                if isinstance(item, str) and item:
                    known[name] = item[1_000:1_090] if name == "image" else item
        return {name: text for name, text in known.items() if len(text) >= 5}

    def answer(self, to: _Echo, turn: int, said: Mapping[str, str], reply: Reply) -> None:
        way = WRITINGS[turn % len(WRITINGS)]
        breaks = self.breaks and turn % 13 == 7
        if breaks:
            # A token that was made and is not given out is not a secret: it is not said either.
            said = {name: value for name, value in said.items() if name != "token"}
        text = self.hostile + " ".join(f"{name}={written(way, value)}" for name, value in said.items())
        flat = re.sub(r"[\r\n\0]", " ", text).encode("ascii", "replace").decode()[:3_000]
        credential = said.get("credential", "none")
        status, body, headers = reply.status, reply.body, dict(reply.headers)
        headers["X-Echo"] = flat
        headers["Set-Cookie"] = f"session={credential[:300]}"
        headers[f"X-{re.sub('[^A-Za-z0-9-]', '', credential)[:200] or 'none'}"] = "seen"
        if status == 200 and body.startswith(b"{"):
            value: dict[str, Any] = json.loads(body)
            value |= {"echo": {text[:300]: [text, {"deep": text}]}, written(way, credential)[:500]: 1}
            if self.breaks and turn % 5 == 2:
                value["errorCode"] = f"{credential} {text}"
            body = json.dumps(value, ensure_ascii=turn % 2 == 0).encode("utf-8", "replace")
        elif status >= 400:
            status, headers, body = self._refuse(turn, text, flat, status, headers)
        if self.fails_at and self.fails_at in to.path:
            status, body = 500, b"{}"
        if breaks:
            status, headers, body = self._break(turn // 13, text, flat, credential, headers)
        if status == 200 and '"token": "' in body.decode("utf-8", "replace"):
            self.tokens.add(said["token"])
        if status < 0:
            to.wfile.write(b"HTTP/1.1 2x0 " + flat.encode() + b"\r\nX: " + flat.encode() + b"\r\n\r\n")
            to.close_connection = True
            return
        self._write(to, turn, status, headers, body)

    @staticmethod
    def _refuse(
        turn: int, text: str, flat: str, status: int, headers: dict[str, str]
    ) -> tuple[int, dict[str, str], bytes]:
        code = text if turn % 2 else "10001"
        bodies = (
            json.dumps({"message": text, "errorCode": code}).encode(),
            json.dumps({"message": f"Ahmed says {text}", "errorCode": code}, ensure_ascii=False).encode(
                "utf-8", "replace"
            ),
            f"<html><body title='{html.escape(text)}'>{text}</body></html>".encode("utf-8", "replace"),
            f'Traceback (most recent call last):\n  File "app.py", line 7\nValueError: {text}'.encode(),
            text.encode("utf-16-le", "surrogatepass"),
            json.dumps([text, {"message": text}]).encode(),
        )
        if turn % 3 == 1:
            headers["Content-Type"] = f"text/html; note={flat[:400]}"
        return status, headers, bodies[turn % len(bodies)]

    @staticmethod
    def _break(
        number: int, text: str, flat: str, credential: str, headers: dict[str, str]
    ) -> tuple[int, dict[str, str], bytes]:
        body = f'{{"message": {json.dumps(text)}, "errorCode": {json.dumps(credential)}}}'.encode()
        if number % 3 == 0:
            return 500, headers, body
        if number % 3 == 1:
            location = f"http://127.0.0.1:9/{quote(flat[:500])}?token={quote(credential)}"
            return 307, {**headers, "Location": location}, b""
        return -1, headers, b""

    @staticmethod
    def _write(to: _Echo, turn: int, status: int, headers: Mapping[str, str], body: bytes) -> None:
        to.send_response_only(status, "Said")
        for name, value in headers.items():
            to.send_header(name, value)
        if turn % 2:
            to.send_header("Transfer-Encoding", "chunked")
            to.end_headers()
            # Cut where a word is sure to be torn.
            for start in range(0, len(body), 97):
                part = body[start : start + 97]
                to.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
            to.wfile.write(b"0\r\n\r\n")
        else:
            to.send_header("Content-Length", str(len(body)))
            to.end_headers()
            to.wfile.write(body)


@contextmanager
def echo_vendor(settings: SandboxSettings, *, breaks: bool = True, hostile: str = "") -> Iterator[EchoVendor]:
    """Served on a free loopback port."""
    with EchoVendor(settings, breaks=breaks, hostile=hostile) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        yield server
        server.shutdown()


@dataclass(frozen=True)
class Ran:
    """What a command said, and the command lines of all processes that it started."""

    code: int
    said: bytes
    command_lines: bytes


def run_watched(command: list[str], *, cwd: Path, env: Mapping[str, str], timeout_s: float = 180.0) -> Ran:
    """Run a command to its end while looking at the command line of every process under it."""
    seen: set[str] = set()
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("KYCGATE_", "PYTEST_"))}
    with subprocess.Popen(
        command, cwd=cwd, env={**clean, **env}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
    ) as process:
        ended = threading.Event()

        def watch() -> None:
            while not ended.wait(0.02):
                try:
                    root = psutil.Process(process.pid)
                    for one in (root, *root.children(recursive=True)):
                        seen.add("\n".join(one.cmdline()))
                except psutil.Error:
                    continue

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            said = process.communicate(timeout=timeout_s)[0]
        except subprocess.TimeoutExpired:
            process.kill()
            said = process.communicate()[0]
        finally:
            ended.set()
            watcher.join()
    return Ran(process.returncode, said, "\n".join(sorted(seen)).encode())


def all_leaks(canaries: Canaries, ran: Iterable[tuple[str, Ran]], folder: Path) -> list[str]:
    """What leaked into files, terminals and command lines."""
    leaks = canaries.leaks_of_folder(folder)
    for name, one in ran:
        leaks += canaries.leaks(f"{name}: terminal", one.said)
        leaks += canaries.leaks(f"{name}: command lines", one.command_lines)
    return leaks
