"""The report as its reader meets it: in a real browser, from a file, offline, with and without scripts.

The browser is Debian's chromium (or the one that KYCGATE_BROWSER names), driven by Playwright's client library; no
browser is downloaded. Where there is none these tests are skipped.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Dialog, Page, Request, sync_playwright

from kycgate.check.trial import Trial
from kycgate.probing import open_store
from kycgate.reports.detection import committed_detection
from kycgate.reports.history_page import render_history
from kycgate.reports.html import render_for_vendor, render_html, render_prove
from kycgate.reports.since import mark
from kycgate.runs.clause import Verdict
from kycgate.runs.folder import RunFolder
from kycgate.runs.load_model import CapacityPoint, CapacityResult, FieldReading
from kycgate.runs.model import DriftItem, Observed, OpenPointResult, Run, WaiverResult
from kycgate.settings.severity import Effect
from kycgate.sla.history import Release, history
from kycgate.sla.history_model import History
from kycgate.sla.history_points import (
    MonthOfProbes,
    began,
    months_of_store,
    of_load,
    of_month,
    plain_policy,
    weeks_of,
)
from kycgate.sla.recording import Recording
from kycgate.target.exchange import RecordedExchange
from tests.suite.conftest import Shared
from tests.suite.histories import FIRST, TARGET, a_load, a_store, nightly
from tests.suite.recorded import stalled

RECORDED = Path(__file__).parents[1] / "recorded"
MONTH = Path(__file__).parents[3] / "docs" / "month"
HOSTILE = (
    "</pre></script><script>window.taken = 1; alert(1)</script><img src=x onerror='window.taken=1'>"
    "\"'><a href=javascript:alert(1)>x</a><style>body{display:none}</style><link rel=stylesheet href=http://127.0.0.1:9/>"
)
UNFOLD = "for (const details of document.querySelectorAll('details')) details.open = true"
_QUIET = ("--disable-quic", "--disable-background-networking", "--disable-component-update", "--disable-sync")
_PHONE, _DESK = {"width": 360, "height": 740}, {"width": 1280, "height": 800}
_SIZES = [{"width": 390, "height": 844}, {"width": 768, "height": 1024}, _DESK]


def _browser_path() -> str | None:
    named = os.environ.get("KYCGATE_BROWSER")
    # Without a browser's own windows it takes two thirds of the time.
    known = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
    return named or next(filter(None, map(shutil.which, known)), None)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = _browser_path()
    if path is None:
        pytest.skip("lacks a browser: install Debian's chromium-headless-shell, or name one in KYCGATE_BROWSER")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(_QUIET))
        yield browser
        browser.close()


def _recorded(name: str) -> Run:
    return RunFolder(RECORDED / name).read_run()


def _exchanges(run: Run) -> list[RecordedExchange]:
    return [finding.exchange for clause in run.clauses for finding in clause.findings if finding.exchange]


def full() -> Run:
    """A run in which everything has something to show."""
    run = _recorded("v1-check-broken")
    run.load, month = _recorded("v1-verify-kept").load, RunFolder(MONTH).read_run()
    run.objectives, run.period, run.policy = month.objectives, month.period, month.policy
    assert run.load is not None
    run.load.readings = [
        FieldReading(field="fullName", degradation=how, right=right, total=9)
        for how, right in (("none", 9), ("blur", 4))
    ]
    run.load.capacity = CapacityResult(
        objective="95% of uploads within 60 ms", highest_kept=4, lowest_broken=9,
        points=[
            CapacityPoint(rate=rate, throughput=rate, concurrency=rate / 5, p95_ms=9, failed_share=0, broke=broke)
            for rate, broke in ((2, ""), (4, ""), (9, "p95 81 ms"))
        ],
        usl={"lambda": 5, "sigma": 0.1, "kappa": 0.02},
        knee={"concurrency": 3, "concurrency_low": 2, "concurrency_high": 4, "throughput": 9, "throughput_low": 8,
              "throughput_high": 10},
    )  # fmt: skip
    run.detection = committed_detection()
    # All its rows are alike, and axe looks at each.
    run.detection.clauses = run.detection.clauses[:9]
    broken = [clause for clause in run.clauses if clause.verdict is Verdict.BROKEN]
    broken[0].effect, broken[0].waived = Effect.WAIVED, "ticket 12 is open (somebody, until 2027-01-01)"
    # One cause that touches a broken clause and one that was not judged.
    cause, beside, silent = broken[1], broken[2], next(c for c in run.clauses if c.verdict is not Verdict.BROKEN)
    cause.touches, beside.cause = sorted((beside.id, silent.id)), cause.id
    run.waivers = [
        WaiverResult(clause=clause, reason="ticket 12 is open", owner="somebody", expires="2027-01-01", state=state)
        for clause, state in ((broken[0].id, "used"), ("order.page", "unused"), ("body.json", "expired"))
    ]
    run.notes = ["TLS certificates were NOT verified (verify_tls = false)."]
    run.drift = [DriftItem(subject="upload_front", kind="changed", before=["date", "server"], now=["date", "via"])]
    run.behaviour = [Observed(section="answers", subject="upload_front legal", counts={"200": 9, "503": 1})]
    earlier = _recorded("v1-verify-kept")
    earlier.clauses = [broken[1] if clause.id == broken[1].id else clause for clause in earlier.clauses]
    mark(run, "20261101T000000-check", earlier)
    return run


def poisoned() -> Run:
    """A run in which whatever a target can say, it says in markup."""
    run = full()
    run.reason = run.target = run.profile = run.kycgate_version = HOSTILE
    run.notes = [HOSTILE]
    assert run.period is not None
    run.period.target = run.period.store = run.period.windows[0].name = HOSTILE
    run.period.probers, run.period.failures = [HOSTILE], {HOSTILE: 3}
    run.period.outages[0].failures, run.period.outages[0].steps = {HOSTILE: 3}, [HOSTILE]
    run.period.credits_owed[0].tiers = [HOSTILE]
    run.objectives[0].note = run.objectives[0].source = HOSTILE
    run.open_points = [OpenPointResult(id="x", question=HOSTILE, observed=[HOSTILE], warning=HOSTILE)]
    for clause in run.clauses:
        clause.reason = clause.frequency = clause.sentence = clause.source = HOSTILE
        for finding in clause.findings:
            finding.required, finding.actual = HOSTILE, HOSTILE[::-1] + HOSTILE
            finding.where = finding.curl = finding.test = HOSTILE
            if finding.exchange is not None:
                said = {"path": HOSTILE, "intent": HOSTILE, "test": HOSTILE, "answer_body": {HOSTILE: HOSTILE}}
                finding.exchange = finding.exchange.model_copy(update=said)
    return run


def loaded() -> Run:
    """A load with a stall of ten seconds and an error, and with what only a contract check answers."""
    run = _recorded("v1-verify-kept")
    with tempfile.TemporaryDirectory() as name:
        run.load = stalled(Path(name))
    run.command, run.clauses = "load", []
    run.open_points = [OpenPointResult(id=str(n), question=f"question {n}?", observed=[]) for n in range(24)]
    return run


PAGES: dict[str, Callable[[], Run]] = {
    "full": full,
    "poisoned": poisoned,
    "load": loaded,
    "kept": lambda: _recorded("v1-verify-kept"),
    "month": lambda: RunFolder(MONTH).read_run(),
    "first-keys": lambda: _recorded("v1-first-keys"),
}


def looked_back(folder: Path) -> History:
    """Loads with a change and a release, one of another rate, one that is void; months and weeks with an outage."""
    folder.mkdir()
    loads = [Recording.read(RunFolder(path)) for path in nightly(folder, 14, slower_from=8)]
    loads.append(Recording.read(a_load(folder / "faster", FIRST, rate=6)))
    void = Recording.read(a_load(folder / "void", FIRST, seed=99))
    void.load.health.void = HOSTILE
    taken = [of_load(recording, began(recording.run) or FIRST) for recording in (*loads, void)]
    path = a_store(folder / "probes.db", slower_from=datetime(2026, 7, 20, tzinfo=UTC), every_h=6)
    with open_store(str(path)) as store:
        probes = store.probes(TARGET, FIRST - timedelta(days=9), FIRST + timedelta(days=400))
    now = datetime(2026, 12, 1, tzinfo=UTC)
    found = months_of_store(probes, TARGET, plain_policy(), now=now, every_s=21_600)
    months = [month for month in found if isinstance(month, MonthOfProbes)]
    taken += [*(of_month(month, by_policy=False) for month in months), *weeks_of(months)]
    return history(taken, released=[Release(datetime(2026, 7, 20, tzinfo=UTC), HOSTILE[:60])], notes=[HOSTILE])


@pytest.fixture(scope="module")
def pages(shared: Shared) -> dict[str, str]:
    """The address of each page."""
    folder = shared("pages", make_pages)
    return {name: (folder / f"{name}.html").as_uri() for name in (*PAGES, "prove", "vendor", "history")}


def make_pages(folder: Path) -> None:
    for name, make in PAGES.items():
        run = make()
        (folder / f"{name}.html").write_text(render_html(run, _exchanges(run)), encoding="utf-8")
    trials = [
        Trial(kind="fault", name="a", clause="body.json", exit_code=1, broken=["body.json", "approve.true"],
              not_tried=[], by_test="test_x", after=7, requests=9, uploads=3, reason="broken"),
        Trial(kind="fault", name="b", clause="body.json", exit_code=0, broken=[], not_tried=[], requests=9, uploads=3,
              reason="kept"),
        Trial(kind="variant", name="c", exit_code=0, broken=[], not_tried=[], requests=9, uploads=3, reason="kept"),
    ]  # fmt: skip
    (folder / "vendor.html").write_text(render_for_vendor(poisoned()), encoding="utf-8")
    (folder / "history.html").write_text(render_history(looked_back(folder / "runs"), made=FIRST), encoding="utf-8")
    (folder / "prove.html").write_text(render_prove(trials, "2026-11-25"), encoding="utf-8")


@contextmanager
def opened(browser: Browser, address: str, **options: Any) -> Iterator[tuple[Page, list[str]]]:
    """The page, and what went wrong on it: console messages, errors, dialogs, requests beyond the file itself."""
    context = browser.new_context(**{"viewport": _DESK} | options)
    context.set_default_timeout(5_000)
    page = context.new_page()
    wrong: list[str] = []

    def refuse(dialog: Dialog) -> None:
        wrong.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def note(request: Request) -> None:
        if not request.url.startswith("data:"):
            wrong.append(f"request: {request.url}")

    page.on("console", lambda message: wrong.append(f"console: {message.text}"))
    page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
    page.on("dialog", refuse)
    page.on("request", note)
    page.goto(address)
    wrong.remove(f"request: {address}")
    yield page, wrong
    context.close()


def _rows(page: Page, selector: str = "#clauses ~ section tr[data-state]") -> int:
    return page.locator(selector).locator("visible=true").count()


@pytest.mark.parametrize(
    ("name", "look", "size"),
    [
        # `poisoned` is `full` in other words.
        ("full", "dark", _PHONE),
        ("full", "light", _SIZES[1]),
        ("poisoned", "light", _DESK),
        ("kept", "dark", _SIZES[0]),
        ("load", "light", _DESK),
        ("load", "dark", _PHONE),
        ("month", "dark", _PHONE),
        ("month", "light", _SIZES[1]),
        ("first-keys", "light", _PHONE),
        ("prove", "dark", _PHONE),
        ("vendor", "light", _PHONE),
        ("vendor", "dark", _DESK),
        ("history", "light", _DESK),
        ("history", "dark", _SIZES[0]),
    ],
)
def test_accessible(name: str, look: str, size: dict[str, int], pages: dict[str, str], browser: Browser) -> None:
    """axe finds nothing, contrast in both looks among it, with everything unfolded."""
    with opened(browser, pages[name], color_scheme=look, viewport=size) as (page, _):
        page.evaluate(UNFOLD)
        found = Axe().run(page, options={"resultTypes": ["violations"]})
        assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize("size", [_PHONE, *_SIZES])
@pytest.mark.parametrize("name", [*PAGES, "prove", "vendor", "history"])
def test_silent_and_no_wider_than_the_screen(
    name: str, size: dict[str, int], pages: dict[str, str], browser: Browser
) -> None:
    """The console stays empty, nothing is asked of the network, and the page does not scroll sideways."""
    with opened(browser, pages[name], viewport=size) as (page, wrong):
        page.evaluate(UNFOLD)
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
        assert wrong == []


@pytest.mark.parametrize("look", ["light", "dark"])
@pytest.mark.parametrize("size", _SIZES)
def test_tables_keep_their_key_columns(
    size: dict[str, int], look: str, pages: dict[str, str], browser: Browser
) -> None:
    """On a phone too: each value of an objective, each day of a week, and the name of a row that scrolls."""
    with opened(browser, pages["full"], viewport=size, color_scheme=look) as (page, _):

        def inside(selector: str) -> None:
            boxes = [box for element in page.locator(selector).all() if (box := element.bounding_box())]
            assert boxes, selector
            assert all(box["x"] >= 0 and box["x"] + box["width"] <= size["width"] for box in boxes), selector

        inside(".objectives tbody td")
        inside(".month tbody td")
        inside(".month thead th")
        for name in ("Response times", "Waivers", "Outages", "Error budget", "Burn rate"):
            table = page.locator(f".scroll[aria-label='{name}']").first
            table.evaluate("e => e.scrollLeft = e.scrollWidth")
            inside(f".scroll[aria-label='{name}'] tbody tr:first-child :first-child")
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]


@pytest.mark.parametrize("look", ["light", "dark"])
@pytest.mark.parametrize("size", _SIZES)
def test_a_finding_shows_its_cause_first_and_what_it_touches_below(
    size: dict[str, int], look: str, pages: dict[str, str], browser: Browser
) -> None:
    with opened(browser, pages["full"], viewport=size, color_scheme=look) as (page, wrong):
        article = page.locator("article:has(.under)")
        assert article.count() == 1
        order = ("h3", ".facts", ".finding", ".command pre", ".ways", ".under")
        tops = [box["y"] for selector in order if (box := article.locator(selector).first.bounding_box())]
        assert len(tops) == len(order)
        assert tops == sorted(tops)
        assert article.locator(".finding").locator("visible=true").count() == 1
        # Values are marked, in a colour that is seen beside the card's; prose is not.
        marked = page.locator("article mark").all_inner_texts()
        assert "503" in marked
        assert not [text for text in marked if "status" in text]
        card, mark = (
            page.locator(selector).first.evaluate("e => getComputedStyle(e).backgroundColor")
            for selector in (".finding", "article mark")
        )
        assert card != mark
        article.locator(".ways > summary").click()
        assert article.locator(".finding").locator("visible=true").count() > 1
        article.locator(".under a").first.click()
        box = page.locator("tr:target").bounding_box()
        assert box is not None
        assert 0 <= box["y"] < size["height"]
        assert wrong == []


@pytest.mark.parametrize("look", ["light", "dark"])
@pytest.mark.parametrize("size", _SIZES)
def test_a_load_shows_when_it_went_wrong(
    size: dict[str, int], look: str, pages: dict[str, str], browser: Browser
) -> None:
    """Its errors, worst seconds and failures over time; where the pointer rests in a chart stands what is there."""
    with opened(browser, pages["load"], viewport=size, color_scheme=look) as (page, wrong):
        for name in ("Errors by status", "The worst seconds"):
            table = page.locator(f".scroll[aria-label='{name}'] table")
            assert table.is_visible()
            table.evaluate("e => e.parentElement.scrollLeft = 9_999")
            for row in table.locator("tbody tr").all():
                box = row.locator("th").bounding_box()
                assert box is not None
                assert 0 <= box["x"] < box["x"] + box["width"] <= size["width"]
        seconds = page.locator(".scroll[aria-label='The worst seconds'] tbody th").all_inner_texts()
        assert seconds == ["5", "6", "7", "8", "9"]
        for chart, wanted in (
            ("Latency over time", "second 7: p95 upload front 8,0"),
            ("Failures over time", "second 5: upload front 1 failed"),
        ):
            figure = page.locator(f"figure:has-text('{chart}')")
            spot = figure.locator(f".hover rect:has(title:text-matches('^{wanted}', ''))").first
            spot.scroll_into_view_if_needed()
            under = spot.evaluate(
                "e => { const b = e.getBoundingClientRect();"
                " return document.elementFromPoint(b.x + b.width / 2, b.y + b.height / 2).textContent }"
            )
            assert under.startswith(wanted)
            spot.hover()
            assert spot.evaluate("e => getComputedStyle(e).fill") not in ("none", "transparent", "rgba(0, 0, 0, 0)")
        assert page.locator("text=questions that this run had no answer to").count() == 0
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
        assert wrong == []


@pytest.mark.parametrize("look", ["light", "dark"])
@pytest.mark.parametrize("size", _SIZES)
def test_a_history_shows_what_changed_when(
    size: dict[str, int], look: str, pages: dict[str, str], browser: Browser
) -> None:
    """Without a script: its changes, a picture for each series with what a point says, and the runs in a table."""
    with opened(browser, pages["history"], viewport=size, color_scheme=look, java_script_enabled=False) as (
        page,
        wrong,
    ):
        assert page.locator("h1").inner_text() == "Worse"
        lead = page.locator(".lead").bounding_box()
        assert lead is not None
        assert lead["y"] + lead["height"] <= size["height"]
        assert page.locator(".shift").first.inner_text().startswith("Worse, most likely between")
        assert "release 4.2 came then" in page.locator(".shift").first.inner_text()
        # What was not comparable is by itself: one point has no trend.
        apart = page.locator("section:has(.note.loud)").first
        assert "another load" in apart.inner_text()
        assert apart.locator("figure").count() == 0
        figure = page.locator("figure:has-text('front-p90')").first
        assert figure.locator("polygon").count() > 0
        assert figure.locator("text", has_text="4.2").count() == 1
        said = figure.locator("g:has(polygon) > title").first.inner_html()
        assert "front-p90" in said
        assert "release 4.2, n = " in said
        for svg in page.locator("figure svg").all():
            box = svg.bounding_box()
            assert box is not None
            assert 0 <= box["x"] < box["x"] + box["width"] <= size["width"]
        for name in ("Runs 1", "Months 3", "Weeks 4"):
            first = page.locator(f".scroll[aria-label='{name}'] tbody th").first.bounding_box()
            assert first is not None
            assert 0 <= first["x"] < first["x"] + first["width"] <= size["width"]
        assert page.locator("script, img, iframe, object, link[rel=stylesheet]").count() == 0
        assert HOSTILE in page.locator(".notes").inner_text()
        assert wrong == []


def test_a_targets_markup_stays_text(pages: dict[str, str], browser: Browser) -> None:
    with opened(browser, pages["poisoned"]) as (page, wrong):
        assert page.evaluate("window.taken") is None
        assert page.locator("script").count() == 1
        assert page.locator("img, iframe, object, link[rel=stylesheet], a[href^=javascript]").count() == 0
        assert page.locator("h1").is_visible()
        assert HOSTILE in page.locator(".lead").inner_text()
        # And if one slipped through one day, the policy would not run it.
        page.evaluate(
            "document.body.append(Object.assign(document.createElement('script'), {text: 'window.taken = 2'}))"
        )
        assert page.evaluate("window.taken") is None
        assert [line for line in wrong if "Content Security Policy" not in line] == []


@pytest.mark.parametrize("scripts", [True, False])
def test_filters_and_tables_need_no_script(scripts: bool, pages: dict[str, str], browser: Browser) -> None:
    with opened(browser, pages["full"], java_script_enabled=scripts) as (page, wrong):
        clauses = len(full().clauses)
        assert _rows(page) == clauses
        page.locator("label[for=show-open]").click()
        kept = sum(clause.verdict is Verdict.KEPT for clause in full().clauses)
        assert _rows(page) == clauses - kept
        page.locator("label[for=show-every]").click()
        page.locator("label[for=step-token]").click()
        assert _rows(page) == sum("token" in clause.endpoints for clause in full().clauses)
        page.locator("label[for=step-upload_back]").click()
        line = page.locator("[aria-labelledby=load] figure:has-text('by percentile')").locator("g.series")
        assert float(line.and_(page.locator(".upload_back")).evaluate("e => getComputedStyle(e).opacity")) == 1
        assert float(line.and_(page.locator(".approve_front")).evaluate("e => getComputedStyle(e).opacity")) < 0.5
        assert page.locator(".command button").count() == (page.locator(".command").count() if scripts else 0)
        assert wrong == []


def test_the_keyboard_is_enough(pages: dict[str, str], browser: Browser) -> None:
    with opened(browser, pages["full"], permissions=["clipboard-read", "clipboard-write"]) as (page, wrong):
        for _ in range(80):
            page.keyboard.press("Tab")
            focused = page.evaluate("document.activeElement.id || document.activeElement.tagName")
            if focused == "step-all":
                break
        assert focused == "step-all"
        before = _rows(page)
        page.keyboard.press("ArrowRight")
        assert page.locator("#step-upload_front").is_checked()
        assert 0 < _rows(page) < before
        outline = page.locator("label[for=step-upload_front]").evaluate("e => getComputedStyle(e).outlineStyle")
        assert outline == "solid"
        page.keyboard.press("ArrowLeft")
        details = page.locator("article details").first
        details.locator("summary").focus()
        page.keyboard.press("Enter")
        assert details.evaluate("e => e.open")
        command = page.locator(".command").first
        command.locator("button").focus()
        page.keyboard.press("Enter")
        command.locator("button", has_text="Copied").wait_for(timeout=3_000)
        assert page.evaluate("navigator.clipboard.readText()") == command.locator("pre").text_content()
        assert wrong == []


def test_the_first_screen_says_it_all(pages: dict[str, str], browser: Browser) -> None:
    """Verdict, what broke, since when, target, profile, when and version, without scrolling."""
    with opened(browser, pages["full"]) as (page, _):
        run = full()
        facts = (
            "dt:text('Profile')",
            "dt:text('When')",
            "dd:has-text('kycgate 0.1.0')",
            "dd:has-text('9 new, 1 known')",
        )
        for wanted in ("h1", "text=This run", f"text={run.target}", *facts, ".brief li >> nth=4"):
            box = page.locator(wanted).first.bounding_box()
            assert box is not None, wanted
            assert box["y"] + box["height"] <= _DESK["height"], wanted


def test_it_prints(pages: dict[str, str], browser: Browser) -> None:
    """On paper: dark letters on white also for a reader in the dark, no buttons, nothing cut off at the right."""
    with opened(browser, pages["full"], color_scheme="dark", viewport={"width": 700, "height": 900}) as (page, _):
        page.emulate_media(media="print", color_scheme="dark")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert page.evaluate("getComputedStyle(document.body).color") == "rgb(22, 25, 29)"
        assert not page.locator(".command button").first.is_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 700
        pdf = page.pdf(format="A4")
        assert pdf.startswith(b"%PDF")
        assert pdf.count(b"/Type /Page\n") > 5
