"""The sandbox reads by OCR: real, at work in other processes, erring; and one line where it is not installed."""

import io
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from kycgate.contracts.flows.national_id import UPLOAD_FRONT
from kycgate.errors import UsageError
from kycgate.gate.gate import Gate
from kycgate.judging.answers import accepted
from kycgate.judging.readings import Readings
from kycgate.sandbox import TENANT, TENANT_SECRET, RunningSandbox, SandboxSettings
from kycgate.sandbox.reader import OcrReader
from kycgate.settings.profile import Profile, Secrets
from kycgate.specimens import Degradation, draw, make_person, ocr
from kycgate.specimens.person import in_english

SEEDS = range(9_000, 9_006)


def _installed() -> bool:
    try:
        ocr.tessdata()
    except UsageError:
        return False
    return True


needs_ocr = pytest.mark.skipif(
    not _installed(),
    reason="lacks Tesseract: install kycgate[ocr] and Debian's tesseract-ocr-ara, -fas, -eng and -script-arab",
)


def readings_of(degradation: Degradation | None = None, strength: float = 0.0) -> tuple[Readings, int]:
    readings, refused = Readings(), 0
    for seed in SEEDS:
        for side in ("front", "back"):
            drawn = draw(make_person(seed), side, degradation=degradation, strength=strength)
            reading = ocr.read_print(drawn.image, side)
            if reading is None:
                refused += 1
            else:
                readings.add(reading, drawn.truth)
    return readings, refused


@needs_ocr
def test_it_reads_the_print_and_errs_when_the_photo_is_bad() -> None:
    clear, refused = readings_of()
    assert refused <= 2
    share = {r.field: r.right / r.total for r in clear.results()}
    assert share["fullName"] >= 0.8
    assert share["idNumber"] >= 0.8
    assert share["gender"] == 1.0
    blurred, refused_blurred = readings_of(Degradation.BLUR, 0.15)
    right, total = (sum(getattr(r, name) for r in blurred.results()) for name in ("right", "total"))
    assert refused_blurred + (total - right) > 10


@needs_ocr
@pytest.mark.parametrize("strength", [0.1, 0.3])
def test_a_turned_card_is_found(strength: float) -> None:
    drawn = draw(make_person(9_001), "front", degradation=Degradation.ROTATION, strength=strength)
    reading = ocr.read_print(drawn.image, "front")
    assert reading is not None
    assert reading["fullName"] == drawn.truth["fullName"]


@needs_ocr
@pytest.mark.parametrize("side", ["front", "back"])
def test_what_is_no_such_side_is_not_read(side: str) -> None:
    other = draw(make_person(9_000), "back" if side == "front" else "front").image
    assert ocr.read_print(other, side) is None
    assert ocr.read_print(draw(make_person(9_000), "passport").image, side) is None
    assert ocr.read_print(b"no picture", side) is None


@needs_ocr
def test_its_digits_do_not_come_from_the_code() -> None:
    """Over another person's code stands this person's print."""
    mine, other = draw(make_person(9_000), "front"), draw(make_person(9_001), "front")
    with Image.open(io.BytesIO(mine.image)) as picture, Image.open(io.BytesIO(other.image)) as code:
        picture.paste(code.crop((200, 480, 812, 620)), (200, 480))
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=92)
    reading = ocr.read_print(buffer.getvalue(), "front")
    assert reading is not None
    assert reading["idNumber"] == mine.truth["idNumber"]


@needs_ocr
def test_a_sandbox_that_reads_by_ocr_takes_a_whole_flow() -> None:
    settings = SandboxSettings(tenants={TENANT: TENANT_SECRET}, reading="ocr")
    with RunningSandbox(settings) as sandbox:
        secrets = Secrets.model_validate({"tenant_id": TENANT, "tenant_secret": TENANT_SECRET})
        gate = Gate(Profile(base_url=sandbox.base_url), secrets, seed=9)
        try:
            gate.preflight()
            session = gate.session()
            session.finish()
            assert session.state.complete
            assert not accepted(session.do(UPLOAD_FRONT))
        finally:
            gate.close()


@needs_ocr
def test_readers_end_with_their_pool() -> None:
    reader = OcrReader()
    assert reader.read(b"no picture", "front") is None
    processes = list(reader._pool._processes.values())
    assert processes
    reader.close()
    assert not any(process.is_alive() for process in processes)


def test_one_line_where_it_is_not_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    code = "import sys; sys.modules['tesserocr'] = None; from kycgate.cli.main import main; main()"
    command = [sys.executable, "-c", code, "sandbox", "--reading", "ocr"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("kycgate: --reading ocr takes the extra")
    assert "Traceback" not in done.stderr
    monkeypatch.setattr(ocr, "_PLACES", ())
    monkeypatch.setenv("TESSDATA_PREFIX", str(tmp_path))
    with pytest.raises(UsageError, match="tesseract-ocr-ara"):
        ocr.tessdata()


def test_names_in_latin_letters() -> None:
    assert in_english("أحمد محمد") == "Ahmed Mohamed"
    assert in_english("غادة") == "Ghada"
    assert in_english("؟") == ""
