"""The HTML report of a run: what its reader meets, in which order, from what the run recorded."""

import re
from pathlib import Path

from kycgate.contracts.clauses import Level
from kycgate.reports.html import render_for_vendor, render_html
from kycgate.reports.since import mark
from kycgate.reports.status import under
from kycgate.runs.clause import ClauseResult, Finding, Verdict
from kycgate.runs.folder import RunFolder
from kycgate.runs.model import ObjectiveResult, Run

RECORDED = Path(__file__).parents[1] / "recorded"


def clause(name: str, verdict: Verdict = Verdict.BROKEN, ways: int = 0, **more: object) -> ClauseResult:
    return ClauseResult(
        id=name, level=Level.DOCUMENTED, endpoints=["upload_front"], verdict=verdict, sentence=f"{name} is so.",
        frequency="sometimes (2 of 9)" if verdict is Verdict.BROKEN else "", observed=9,
        findings=[
            Finding(required="this", actual=f"way {way} of {name}", where="status", curl=f"curl {way}")
            for way in "ab"[:ways]
        ],
        **more,
    )  # fmt: skip


def one_cause() -> Run:
    """One cause of two ways, which touches a broken clause, one that is kept, and one that is unknown."""
    clauses = [
        clause("status.no-5xx", ways=2, touches=["gone.clause", "order.retry", "upload.accepted"]),
        clause("order.retry", Verdict.KEPT),
        clause("upload.accepted", ways=1, cause="status.no-5xx"),
    ]
    started = "2026-11-20T08:00:00+00:00"
    return Run(command="check", verdict="broken", exit_code=1, clauses=clauses, started_at=started)


def articles(page: str) -> list[str]:
    return re.findall(r"<article.*?</article>", page, re.DOTALL)


def test_a_finding_is_shown_by_its_cause_and_what_it_touches_below() -> None:
    run = one_cause()
    (article,) = articles(render_html(run))
    shown = ["status.no-5xx is so.", "sometimes (2 of 9)", "this run; there is no earlier one to compare with",
             "way a of status.no-5xx", "curl a", "1 further way in which it broke", "way b of status.no-5xx",
             "What it touches", "upload.accepted is so.", "order.retry is so.", "gone.clause"]  # fmt: skip
    places = [article.find(said) for said in shown]
    assert -1 not in places, shown[places.index(-1)]
    assert places == sorted(places)
    assert "way a of upload.accepted" not in article
    before_the_fold, _, _ = article.partition('<details class="ways">')
    assert before_the_fold.count('class="command"') == 1
    assert [name for name, _ in under(run, run.clauses[0])] == ["upload.accepted", "order.retry", "gone.clause"]


def test_what_is_touched_leads_to_its_row() -> None:
    page = render_html(one_cause())
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    links = re.findall(r'href="#([^"]+)"', page)
    assert {"row-order.retry", "row-upload.accepted"} <= set(links)
    assert set(links) <= set(ids)


def test_since_when_is_said_of_each_finding() -> None:
    run, earlier = one_cause(), one_cause()
    earlier.started_at = "2026-11-13T08:00:00+00:00"
    mark(run, "earlier", earlier)
    assert "13 November 2026, 08:00 UTC: each run since then has it" in articles(render_html(run))[0]
    earlier.clauses = [clause("status.no-5xx", Verdict.KEPT)]
    run = one_cause()
    mark(run, "earlier", earlier)
    assert "this run; kept in the earlier one" in articles(render_html(run))[0]


def test_a_vendor_reads_causes_too() -> None:
    page = render_for_vendor(one_cause())
    assert "<h1>1 finding</h1>" in page
    assert page.count("<h3>Example 1.") == 2, "the two ways of the one cause"
    assert "way a of upload.accepted" not in page
    assert "The same answers touch gone.clause, order.retry, upload.accepted." in page


def test_old_runs_have_an_article_for_each_broken_clause() -> None:
    run = RunFolder(RECORDED / "v1-check-broken").read_run()
    broken = [one for one in run.clauses if one.verdict is Verdict.BROKEN]
    assert len(articles(render_html(run))) == len(broken) > 0


def test_what_broke_is_said_before_what_is_undecided() -> None:
    run = one_cause()
    run.objectives = [
        ObjectiveResult(id=verdict.replace(" ", "-"), sentence="", verdict=verdict, measured="", limit="", interval="",
                        confidence=0.95, samples=1)
        for verdict in ("not enough evidence", "holds", "broken")
    ]  # fmt: skip
    page = render_html(run)
    brief = page[page.index('<ul class="brief">') : page.index('aria-labelledby="facts"')]
    named = re.findall(r'<a href="#[^"]+">([^<]+)</a>', brief)
    assert named == ["broken", "status.no-5xx", "not-enough-evidence"]
