"""A user's own cards: what is in the files decides, and whatever is wrong with one is a clear line."""

import io
import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image

from kycgate.errors import UsageError
from kycgate.specimens import load_directory
from kycgate.tests.suite.conftest import Call


def picture(kind: str) -> bytes:
    kept = io.BytesIO()
    Image.effect_noise((64, 48), 40).save(kept, kind)
    return kept.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def animated(frames: int) -> bytes:
    """A PNG whose animation has this number of frames."""
    png = picture("PNG")
    return png[:33] + chunk(b"acTL", struct.pack(">II", frames, 0)) + png[33:]


JPEG, PNG = picture("JPEG"), picture("PNG")
DDS = b"DDS " + struct.pack("<I", 124) + bytes(120)


def a_folder(at: Path, **files: bytes) -> Path:
    for name, content in files.items():
        stem, _, suffix = name.rpartition("_")
        (at / f"{stem.replace('_', '-')}.{suffix}").write_bytes(content)
    return at


@pytest.mark.parametrize(
    ("front", "says"),
    [
        (DDS, "a-front.jpg"),
        (b"", "cannot be read as a picture"),
        (b"no picture", "cannot be read as a picture"),
        (JPEG[: len(JPEG) // 2], "cannot be read as a picture"),
        (PNG[: len(PNG) // 2], "cannot be read as a picture"),
        (picture("WEBP"), "a-front.jpg is WEBP by its content"),
        (picture("TIFF"), "a-front.jpg is TIFF by its content"),
        (picture("GIF"), "a-front.jpg is GIF by its content"),
    ],
    ids=["DDS", "empty", "text", "half a JPEG", "half a PNG", "WebP", "TIFF", "GIF"],
)
@pytest.mark.filterwarnings("error")
def test_a_file_that_is_no_card_is_one_clear_line(front: bytes, says: str, tmp_path: Path) -> None:
    folder = a_folder(tmp_path, a_front_jpg=front, a_back_jpg=JPEG)
    with pytest.raises(UsageError) as raised:
        load_directory(folder)
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)


def test_an_animation_without_frames_is_the_plain_picture_that_it_also_is(tmp_path: Path) -> None:
    """Its check of itself fails with an IndexError in Pillow."""
    folder = a_folder(tmp_path, a_front_png=animated(0), a_back_jpg=JPEG)
    assert [card.front.media_type for card in load_directory(folder)] == ["image/png"]


def test_the_content_says_what_it_is(tmp_path: Path) -> None:
    folder = a_folder(tmp_path, a_front_jpg=PNG, a_BACK_png=JPEG)
    ((front, back),) = [(card.front, card.back) for card in load_directory(folder)]
    assert (front.media_type, back.media_type) == ("image/png", "image/jpeg")


def test_what_a_mac_leaves_behind_is_passed_over(tmp_path: Path) -> None:
    folder = a_folder(tmp_path, a_front_jpg=JPEG, a_back_jpg=JPEG)
    (folder / "._a-front.jpg").write_bytes(b"\0\5\x16\7")
    (folder / ".DS_Store").write_bytes(b"x")
    assert len(load_directory(folder)) == 1


def test_a_card_takes_both_sides_and_each_once(tmp_path: Path) -> None:
    folder = a_folder(tmp_path, a_front_jpg=JPEG, a_back_jpg=JPEG, b_front_jpg=JPEG)
    with pytest.raises(UsageError, match="the card b has no back"):
        load_directory(folder)
    a_folder(tmp_path, b_back_jpg=JPEG, b_back_png=PNG)
    with pytest.raises(UsageError, match=r"b-back\.jpg and b-back\.png .* are both the back of b"):
        load_directory(folder)


def test_a_dry_run_reads_the_folder(call: Call, tmp_path: Path) -> None:
    (tmp_path / "cards").mkdir()
    a_folder(tmp_path / "cards", a_front_jpg=JPEG)
    code, _, said = call("check", "--dry-run", "--specimens", "cards")
    assert (code, "the card a has no back" in said) == (2, True)
