"""vendor-api.md, "Images" and "What a refusal looks like": what a picture may be, and what answers one that is none."""

import base64
import gzip
import io
import struct
import zlib
from collections.abc import Iterator

import pytest
from PIL import Image

from kycgate.contracts.flow import Step
from kycgate.contracts.flows import flow
from kycgate.contracts.flows.national_id import APPROVE_BACK, APPROVE_FRONT, UPLOAD_BACK, UPLOAD_FRONT
from kycgate.gate.gate import Gate
from kycgate.gate.plan import judges
from kycgate.gate.session import LARGE_CAPTURE, Session
from kycgate.judging.answers import accepted
from kycgate.specimens import pad_jpeg
from kycgate.target.requests import WITH_ESCAPES, Outcome, Variation, to_base64, to_json


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png(width: int, height: int, rows: int) -> bytes:
    """A PNG that declares `width` × `height` and holds `rows` rows."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = zlib.compress(b"\0" * ((width + 1) * rows))
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _dot(kind: str) -> bytes:
    """A picture of one pixel."""
    out = io.BytesIO()
    Image.new("RGB", (1, 1)).save(out, kind)
    return out.getvalue()


# What phones and web pages hand over besides: its decoder is another one, or is not there.
HEIC_HEAD = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic\0\0\0\x08mdat"


def _unreadable(card: bytes) -> Iterator[tuple[str, bytes]]:
    yield "a HEIC's first bytes", HEIC_HEAD
    yield "a truncated picture", card[: len(card) // 8]
    yield "a picture's first bytes alone", card[:24]
    yield "a picture of no size", _png(0, 0, 0)
    yield "a PDF", b"%PDF-1.4\n%SPECIMEN\n%%EOF\n"
    yield "a bomb of 50,000 × 50,000 declared pixels", _png(50_000, 50_000, 1)


@judges("refusal.unreadable", "result.message-on-failure", "result.no-data-on-failure", "result.error-code-number",
        "result.envelope", "status.no-5xx", "refusal.changes-nothing", "session.own-customer",
        requests=13, uploads=3, telling=7)  # fmt: skip
@pytest.mark.parametrize("step", flow().uploads)
def test_unreadable(gate: Gate, session: Session, step: Step) -> None:
    """A file that is not a picture is refused in one of the two forms, and the side can be shown again."""
    session.reach(step)
    tries = tuple(_unreadable(session.card.image("front")))
    for number, (name, image) in enumerate(tries if step == flow().first else tries[::2]):
        body = to_json({"image": to_base64(image)})
        session.do(step, Variation(name, Outcome.UNREADABLE, "refusal.unreadable", body), demand=False)
        if number == 0 and step != flow().final:
            # Taken rightly now: after three tries a vendor may refuse the side, and what that hides is no breach. Where
            # the step is the last one, the flow would be closed.
            session.do(step)
    for name, text in (("an empty image", ""), ("text that is no base64", " !!! not\nbase64 !!!")):
        body = to_json({"image": text})
        exchange = session.do(step, Variation(name, Outcome.UNREADABLE, "refusal.unreadable", body), demand=False)
        if text:
            gate.ledger.open_point(
                "not-base64", "400" if exchange.status == 400 else f"{exchange.status}, isSuccess false"
            )
    kind = ("PNG", "GIF", "WEBP")[flow().uploads.index(step) % 3]
    dot = to_json({"image": to_base64(_dot(kind))})
    session.do(step, Variation(f"a {kind} of one pixel", Outcome.ANY, body=dot))
    session.do(step)
    for clause in ("result.no-data-on-failure", "result.message-on-failure"):
        if not gate.ledger.judged(clause):
            gate.ledger.unclear(clause, "the target refuses with 400, never with isSuccess false")


@judges("image.full-size", "session.own-customer", "result.data-on-success", "status.no-5xx",
        "order.approve-back-after-approve-front", "order.retry", requests=10, uploads=6, telling=7)  # fmt: skip
def test_full_size_captures(gate: Gate, session: Session) -> None:
    """Captures from some hundred kB to some MB, as phones make them, on both sides; a 413 of large ones is noted.

    The front is shown again after the back too, as in the page's order a user may who looks at both; another person's
    only before it, for a vendor may keep the back and say so in the front's answer.
    """

    def show(step: Step, size: int) -> None:
        own = session.card.image(step.shows)
        variation = Variation(f"a capture of {size / 1e6:g} MB", clause="image.full-size", wrapping="lf")
        # A card of one's own may be larger than that already.
        large = pad_jpeg(own, size) if size > len(own) + 4 else own
        exchange = session.do(step, variation, image=large, demand=False)
        if exchange.status == 413 and len(large) >= LARGE_CAPTURE:
            warning = "413 where captures run to several MB" if size < 2_000_000 else ""
            gate.ledger.open_point("image-limit", f"413 at {size / 1e6:g} MB", warning=warning)

    session.dress.other_forms = False
    show(UPLOAD_FRONT, 400_000)
    # Within three tries of the front: after them a vendor may refuse it.
    if not _another_is_read(gate, session):
        session.do(UPLOAD_FRONT)
    show(UPLOAD_BACK, 1_200_000)
    show(UPLOAD_FRONT, 3_500_000)
    show(UPLOAD_BACK, 3_500_000)
    # Both sides were shown more than once: to show one again does not approve it.
    session.do(APPROVE_BACK)
    # The back is not approved by the front's approval: it may still be shown again.
    session.do(APPROVE_FRONT)
    session.do(UPLOAD_BACK, WITH_ESCAPES)
    session.finish()


def _another_is_read(gate: Gate, session: Session) -> bool:
    """Show another person's front, who is read anew; a target may as well hold a session to its first person."""
    first, other = session.card, gate.cards.take()
    session.card = other
    read = accepted(session.do(UPLOAD_FRONT, Variation("another person's front", Outcome.ANY)))
    session.card, unused = (other, first) if read else (first, other)
    gate.cards.give_back(unused)
    return read


SMALLEST, LARGEST = 500_000, 64_000_000
STEPS = 7


@judges("status.no-5xx", "status.documented", requests=9, uploads=9, telling=3, asked="find_image_limit")
def test_image_limit(gate: Gate, session: Session) -> None:
    """How large a picture may be, by bisection between what phones send and what no phone does."""
    front = session.card.image("front")

    def takes(size: int) -> bool:
        large = pad_jpeg(front, size)
        variation = Variation(f"a picture of {size / 1e6:.1f} MB", Outcome.ANY)
        return accepted(session.do(UPLOAD_FRONT, variation, image=large, demand=False))

    # The sizes tried are the same for every card, so that the limit found is.
    low, high = -(-len(front) // SMALLEST) * SMALLEST, LARGEST
    if not takes(low):
        gate.ledger.open_point("image-limit", f"under {low / 1e6:.1f} MB")
        return
    if takes(high):
        gate.ledger.open_point("image-limit", f"over {high / 1e6:.0f} MB")
        return
    for _ in range(STEPS):
        middle = int((low * high) ** 0.5)
        low, high = (middle, high) if takes(middle) else (low, middle)
    gate.ledger.open_point("image-limit", f"between {low / 1e6:.1f} and {high / 1e6:.1f} MB")


@judges("status.no-5xx", "status.documented", "refusal.changes-nothing", requests=16, uploads=10, telling=6)
def test_other_encodings(gate: Gate, session: Session) -> None:
    """What the sources leave open, of pictures and media types: recorded, and never a 5xx."""
    front = session.card.image("front")
    # Of a length that base64 pads: without padding there is nothing to leave out.
    if front.startswith(b"\xff\xd8"):
        front = pad_jpeg(front, len(front) + 6 + (len(front) % 3 == 0))
    png = io.BytesIO()
    with Image.open(io.BytesIO(front)) as picture:
        picture.resize((picture.width // 2, picture.height // 2)).convert("L").save(png, "PNG")
        blank = io.BytesIO()
        Image.new("RGB", picture.size, "white").save(blank, "JPEG")
    plain = base64.b64encode(front).decode()
    for point, name, text in (
        ("png", "a PNG", base64.b64encode(png.getvalue()).decode()),
        ("base64-variants", "unpadded base64", plain.rstrip("=")),
        ("base64-variants", "URL-safe base64", base64.urlsafe_b64encode(front).decode()),
        ("base64-variants", "a data: prefix", f"data:image/jpeg;base64,{plain}"),
        ("blank-picture", "a blank picture", base64.b64encode(blank.getvalue()).decode()),
        ("blank-picture", "the back shown as the front", to_base64(session.card.image("back"))),
    ):
        exchange = session.do(UPLOAD_FRONT, variation=Variation(name, Outcome.ANY, body=to_json({"image": text})))
        gate.ledger.open_point(point, f"{name}: {'read' if accepted(exchange) else 'refused'}")
    session.do(UPLOAD_FRONT)
    # None of these undoes what stands, refused as they are. As requests are few, each step gets one of them.
    for step, media_type in (
        (UPLOAD_FRONT, "text/plain"), (APPROVE_FRONT, "application/x-www-form-urlencoded"), (UPLOAD_BACK, None),
    ):  # fmt: skip
        variation = Variation(
            f"Content-Type {media_type}", Outcome.ANY, body=b'{"image": "AAAA"}', headers={"Content-Type": media_type}
        )
        gate.ledger.open_point("other-media-type", str(session.do(step, variation=variation).status))
    # JSON has no charset, and a request is seldom compressed: refused or ignored, as the target likes.
    charset = {"Content-Type": "application/json; charset=windows-1256"}
    session.do(UPLOAD_BACK, Variation("another charset", Outcome.ANY, body=b'{"image": "AAAA"}', headers=charset))
    whole = gzip.compress(to_json(session.approval()))
    compressed = Variation("a compressed body", Outcome.ANY, body=whole, headers={"Content-Encoding": "gzip"})
    session.do(APPROVE_FRONT, compressed)
    for step in (APPROVE_FRONT, UPLOAD_BACK):
        session.do(step)
    session.do(APPROVE_BACK)
