"""Evidence becomes verdicts: each observation speaks to one clause; the ledger says what all of them say together."""

import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from kycgate.contracts.clauses import OPEN_POINTS, Clause, clause
from kycgate.contracts.flows import catalogue
from kycgate.judging.run_causes import Breach, Broken, causes
from kycgate.runs.clause import MAX_FINDINGS, ClauseResult, Finding, Verdict
from kycgate.runs.model import OpenPointResult
from kycgate.target.curl import curl_for
from kycgate.target.exchange import Exchange, RecordedExchange

_LEAK = "refusal.no-leak"
"""Credentials that are repeated: worse than any other value that was sent."""
BY_LUCK = 0.05
"""How probable it may be that requests sent alone were answered well by luck."""


@dataclass(frozen=True, slots=True)
class Observation:
    """One exchange's word on one clause. `required`, `actual` and `where` explain a breach."""

    clause: str
    ok: bool
    required: str = ""
    actual: str = ""
    where: str = ""
    because: str = ""
    """The clause that the same answer breaks first: this breach goes along with it."""
    plainly: str = ""
    """The clause that other requests break for one cause with this: where they do, this breach goes along."""


@dataclass(slots=True)
class _Entry:
    ok: bool
    facts: Mapping[str, str | int]
    test: str
    observation: Observation
    recorded: RecordedExchange | None
    curl: str = ""
    at_once: bool = False


@dataclass(slots=True)
class _Tally:
    entries: list[_Entry] = field(default_factory=list)
    unclear: list[str] = field(default_factory=list)
    tests: list[str] = field(default_factory=list)
    broken: int = 0
    """Of those that were counted elsewhere."""
    observed: int = 0
    findings: list[Finding] = field(default_factory=list)
    touches: set[str] = field(default_factory=set)


def facts_of(exchange: Exchange) -> dict[str, str | int]:
    """What may tell a broken answer from a good one: the raw material of `only when …`."""
    facts: dict[str, str | int] = {
        "endpoint": exchange.endpoint,
        "request": exchange.intent,
        "request size": len(exchange.request_body),
        "call of the session": exchange.call_in_session,
    }
    if exchange.picture is not None:
        facts["picture"] = exchange.picture.media_type
        facts["line breaks"] = exchange.picture.wrapping
    language = exchange.request_headers.get("Accept-Language")
    if language:
        facts["Accept-Language"] = language
    return facts


class Ledger:
    """All observations of a run. Thread-safe."""

    def __init__(
        self, redact: Callable[[str], str] = str, curl: Callable[[Exchange], str] = lambda exchange: curl_for(exchange)
    ) -> None:
        """`redact` takes secrets and personal values out of each text that is kept; `curl` sends an exchange again."""
        self._curl = curl
        self._redact = redact
        self._tallies: dict[str, _Tally] = defaultdict(_Tally)
        self._open: dict[str, Counter[str]] = defaultdict(Counter)
        self._open_warnings: dict[str, str] = {}
        self._lock = threading.Lock()

    def add(
        self, observations: Iterable[Observation], exchange: Exchange | None, recorded: RecordedExchange | None
    ) -> list[Observation]:
        """Enter what one exchange says; returns the breaches among it.

        Raises:
            KeyError: an observation names a clause that the catalogue does not have.
        """
        breaches = []
        facts = facts_of(exchange) if exchange is not None else {}
        test = exchange.test if exchange is not None else ""
        at_once = exchange is not None and exchange.at_once
        with self._lock:
            for observation in observations:
                clause(observation.clause)
                tally = self._tallies[observation.clause]
                if test and test not in tally.tests:
                    tally.tests.append(test)
                curl = "" if observation.ok or exchange is None else self._redact(self._curl(exchange))
                kept = None if observation.ok else recorded
                if not observation.ok:
                    observation = self._redacted(observation)
                tally.entries.append(_Entry(observation.ok, facts, test, observation, kept, curl, at_once))
                if not observation.ok:
                    breaches.append(observation)
        return breaches

    def put_down_to(self, clause_id: str, numbers: Collection[int], required: str) -> None:
        """All breaches by these exchanges have one cause, which only the whole run has shown: this clause's breach."""
        with self._lock:
            cause, known = self._tallies[clause_id], self._numbers(clause_id)
            entries = [entry for name, tally in self._tallies.items() if name != clause_id for entry in tally.entries]
            for entry in entries:
                if entry.ok or entry.recorded is None or entry.recorded.number not in numbers:
                    continue
                if entry.recorded.number not in known:
                    known.add(entry.recorded.number)
                    own = replace(entry.observation, clause=clause_id, required=required, because="")
                    cause.entries.append(replace(entry, observation=own))
                    cause.tests += [entry.test] if entry.test and entry.test not in cause.tests else []
                entry.observation = replace(entry.observation, because=clause_id)

    def put_along(
        self, cause: str, explains: Callable[[Observation], bool], among: Collection[int] | None = None
    ) -> None:
        """What was observed later of the answers that broke `cause` goes along with it, too, where that explains it.

        Or of the exchanges `among` all.
        """
        with self._lock:
            numbers = self._numbers(cause) if among is None else among
            for name, tally in self._tallies.items() if numbers else ():
                for entry in tally.entries if name != cause else ():
                    seen, recorded = entry.observation, entry.recorded
                    if entry.ok or seen.because or recorded is None or recorded.number not in numbers:
                        continue
                    if explains(seen):
                        entry.observation = replace(seen, because=cause)

    def add_counted(self, clause_id: str, broken: int, observed: int, findings: Iterable[Finding], test: str) -> None:
        """Enter what was judged and counted elsewhere, by `test`; the findings are redacted already.

        Raises:
            KeyError: the catalogue has no such clause.
        """
        clause(clause_id)
        with self._lock:
            tally = self._tallies[clause_id]
            tally.broken, tally.observed = tally.broken + broken, tally.observed + observed
            tally.findings += findings
            if test not in tally.tests:
                tally.tests.append(test)

    def _redacted(self, seen: Observation) -> Observation:
        return Observation(
            seen.clause,
            seen.ok,
            self._redact(seen.required),
            self._redact(seen.actual),
            self._redact(seen.where),
            seen.because,
            seen.plainly,
        )

    def touch(self, cause: str, clause_ids: Iterable[str]) -> None:
        """An answer that broke `cause` tells nothing of these clauses, which it would have judged."""
        with self._lock:
            self._tallies[cause].touches.update(name for name in clause_ids if name != cause)

    def unclear(self, clause_id: str, reason: str) -> None:
        """A test tried to judge this clause and could not."""
        clause(clause_id)
        reason = self._redact(reason)
        with self._lock:
            tally = self._tallies[clause_id]
            if reason not in tally.unclear:
                tally.unclear.append(reason)

    def open_point(self, id: str, choice: str, *, warning: str = "") -> None:  # noqa: A002
        """What the target chose where the sources leave room."""
        with self._lock:
            self._open[id][self._redact(choice)] += 1
            if warning:
                self._open_warnings[id] = self._redact(warning)

    def breaches(self) -> Counter[str]:
        """How often each clause was broken until now."""
        with self._lock:
            return Counter({key: sum(not entry.ok for entry in tally.entries) for key, tally in self._tallies.items()})

    def to_be_tried_alone(self) -> list[str]:
        """The tests that would tell whether a clause is broken only when several requests are under way at once.

        One for each clause whose breaches all had another request beside them: the one that broke it first.
        """
        with self._lock:
            bad = [[entry for entry in tally.entries if not entry.ok] for tally in self._tallies.values()]
        tests = [entries[0].test for entries in bad if entries and all(entry.at_once for entry in entries)]
        return [test for test in dict.fromkeys(tests) if test]

    def broken_by(self, clause_id: str) -> set[str]:
        """The tests whose requests broke this clause; "" stands for what the run as a whole has shown."""
        with self._lock:
            return {entry.test for entry in self._tallies[clause_id].entries if not entry.ok}

    def numbers_that_broke(self, clause_id: str) -> set[int]:
        """The numbers of the exchanges that broke this clause."""
        with self._lock:
            return self._numbers(clause_id)

    def sessions_that_broke(self, clause_id: str) -> set[str]:
        """The labels of the sessions whose answers broke this clause; "" stands for an answer outside of any."""
        with self._lock:
            bad = [entry for entry in self._tallies[clause_id].entries if not entry.ok]
            return {entry.recorded.session if entry.recorded else "" for entry in bad}

    def never_kept(self, family: str, numbers: Collection[int]) -> set[int]:
        """Of these answers, those that broke a clause of the family (`order.`) that others broke too, and none kept."""
        found: set[int] = set()
        with self._lock:
            for clause_id, tally in self._tallies.items():
                if clause_id.startswith(family) and not any(entry.ok for entry in tally.entries):
                    bad = {entry.recorded.number for entry in tally.entries if entry.recorded}
                    found |= bad & {*numbers} if bad - {*numbers} else set()
        return found

    def judged(self, clause_id: str) -> bool:
        """Whether anything was observed of this clause."""
        with self._lock:
            return clause_id in self._tallies and bool(self._tallies[clause_id].entries)

    def results(self, not_tried: Mapping[str, str] | None = None) -> list[ClauseResult]:
        """The verdict of every clause of the catalogue; `not_tried` gives reasons by clause."""
        with self._lock:
            found = {entry.id: self._result(entry, (not_tried or {}).get(entry.id, "")) for entry in catalogue()}
            for name, result in found.items():
                if result.verdict is Verdict.BROKEN:
                    result.cause = self._cause(self._tallies[name], found)
            self._turn_round(found)
            for name, result in found.items():
                if result.verdict is Verdict.BROKEN and not result.cause:
                    result.cause = self._plain_cause(self._tallies[name], found)
            self._put_down_to_others(found)
            for name, result in found.items():
                if result.cause:
                    found[result.cause].touches.append(name)
            for result in found.values():
                result.touches = sorted(set(result.touches))
            return [*found.values()]

    @staticmethod
    def _cause(tally: _Tally, found: Mapping[str, ClauseResult]) -> str:
        """The clause that all breaches of this one go along with; where they go with several, with most of them."""
        causes = Counter(entry.observation.because for entry in tally.entries if not entry.ok)
        if not causes or tally.broken:
            return ""
        explained = all(cause and found[cause].verdict is Verdict.BROKEN for cause in causes)
        return causes.most_common(1)[0][0] if explained else ""

    def _plain_cause(self, tally: _Tally, found: Mapping[str, ClauseResult]) -> str:
        """The clause that other requests break too: so often that these may have met the same by chance."""
        causes = {entry.observation.plainly for entry in tally.entries if not entry.ok}
        (cause,) = causes if len(causes) == 1 else ("",)
        if not cause or tally.broken or found[cause].verdict is not Verdict.BROKEN:
            return ""
        where = {entry.facts.get("endpoint") for entry in tally.entries if not entry.ok}
        alike = [entry.ok for entry in self._tallies[cause].entries if entry.facts.get("endpoint") in where]
        rate = alike.count(False) / max(len(alike), 1)
        always = not any(entry.ok for entry in tally.entries)
        return "" if always and rate ** len(tally.entries) <= BY_LUCK else found[cause].cause or cause

    def _put_down_to_others(self, found: Mapping[str, ClauseResult]) -> None:
        """What only the whole run shows to go along with another clause's breach."""
        broken = {name: self._broken(name) for name, result in found.items() if result.verdict is Verdict.BROKEN}
        alone = [name for name in broken if not found[name].cause and not self._tallies[name].broken]
        for name, cause in causes(broken, alone).items():
            found[name].cause = cause
        for result in found.values():
            if result.cause:
                result.cause = found[result.cause].cause or result.cause

    def _broken(self, name: str) -> Broken:
        entries = self._tallies[name].entries
        breaches = [
            Breach(
                entry.recorded.number if entry.recorded else None,
                str(entry.facts.get("endpoint", "")),
                entry.recorded.status if entry.recorded else None,
                entry.observation.actual,
                entry.observation.where,
                entry.observation.because,
                str(entry.facts.get("request", "")),
            )
            for entry in entries
            if not entry.ok
        ]
        kept_at = frozenset(str(entry.facts.get("endpoint", "")) for entry in entries if entry.ok)
        return Broken(name, tuple(breaches), comes_and_goes=len(breaches) < len(entries), kept_at=kept_at)

    def _turn_round(self, found: Mapping[str, ClauseResult]) -> None:
        """Where both were broken by the same answers alone, the one that says more of them is the cause."""
        for name, result in found.items():
            cause = found.get(result.cause)
            if cause is None or cause.cause or cause.broken != result.broken or cause.level is not result.level:
                continue
            if cause.id == _LEAK:
                continue
            if self._numbers(name) == self._numbers(cause.id):
                cause.cause, result.cause = name, ""
                for other in found.values():
                    if other.cause == cause.id:
                        other.cause = name

    def _numbers(self, clause_id: str) -> set[int]:
        entries = self._tallies[clause_id].entries
        return {entry.recorded.number for entry in entries if not entry.ok and entry.recorded is not None}

    def open_points(self) -> list[OpenPointResult]:
        with self._lock:
            return [
                OpenPointResult(
                    id=point.id,
                    question=point.question,
                    observed=sorted(self._open.get(point.id, ())),
                    counts=dict(sorted(self._open.get(point.id, Counter()).items())),
                    warning=self._open_warnings.get(point.id, ""),
                )
                for point in OPEN_POINTS
            ]

    def _result(self, promise: Clause, not_tried: str) -> ClauseResult:
        tally = self._tallies.get(promise.id, _Tally())
        bad = [entry for entry in tally.entries if not entry.ok]
        result = ClauseResult(
            id=promise.id,
            level=promise.level,
            endpoints=list(promise.endpoints),
            verdict=Verdict.NOT_TRIED,
            sentence=promise.sentence,
            source=promise.source,
            broken=len(bad) + tally.broken,
            observed=len(tally.entries) + tally.observed,
            judged_at=dict(Counter(str(entry.facts["endpoint"]) for entry in tally.entries if entry.facts)),
            tests=tally.tests,
        )
        if result.broken:
            result.verdict = Verdict.BROKEN
            good = [entry for entry in tally.entries if entry.ok]
            # What was counted elsewhere has no facts that could tell the broken from the good.
            by_facts = bad and not tally.broken
            result.frequency = frequency(bad, good) if by_facts else how_often(result.broken, result.observed)
            result.findings = [*_findings(bad), *tally.findings][:MAX_FINDINGS]
            result.touches = sorted(tally.touches)
        elif result.observed:
            result.verdict = Verdict.KEPT
        elif tally.unclear:
            shown, more = tally.unclear[:3], len(tally.unclear) - 3
            if more > 0:
                shown.append(f"and {more} more")
            result.verdict, result.reason = Verdict.UNCLEAR, "; ".join(shown)
        else:
            result.reason = not_tried or "no test reached it"
        return result


def _findings(bad: list[_Entry]) -> list[Finding]:
    """One finding for each way it was broken, each with its smallest exchange."""
    by_way: dict[tuple[str, str, str], _Entry] = {}
    for entry in bad:
        observation = entry.observation
        way = (str(entry.facts.get("endpoint", "")), observation.where, observation.required)
        known = by_way.get(way)
        if known is None or _size(entry) < _size(known):
            by_way[way] = entry
    smallest_first = sorted(by_way.values(), key=_size)[:MAX_FINDINGS]
    return [
        Finding(
            required=entry.observation.required,
            actual=entry.observation.actual,
            where=entry.observation.where,
            exchange=entry.recorded,
            curl=entry.curl,
            test=entry.test,
        )
        for entry in smallest_first
    ]


def _size(entry: _Entry) -> int:
    size = entry.facts.get("request size", 0)
    return size if isinstance(size, int) else 0


def frequency(bad: list[_Entry], good: list[_Entry]) -> str:
    """`always`, `only when …` (one fact, or a request beside them, parts the broken), or `sometimes (k of n)`."""
    if not good:
        return "always"
    if len(bad) > 1 or len(good) > 2:
        for fact in bad[0].facts:
            values = {entry.facts.get(fact) for entry in bad}
            others = {entry.facts.get(fact) for entry in good}
            numbers = [value for value in values | others if isinstance(value, int)]
            if len(numbers) == len(values | others):
                if fact == "request size" and min(v for v in values if isinstance(v, int)) > max(
                    v for v in others if isinstance(v, int)
                ):
                    return f"only when {fact} is over {max(v for v in others if isinstance(v, int))} bytes"
                continue
            if len(values) == 1 and not values & others and None not in values:
                return f"only when {fact} is {next(iter(values))}"
    if _only_at_once(bad, good):
        return "only when several at once"
    return how_often(len(bad), len(bad) + len(good))


def _only_at_once(bad: list[_Entry], good: list[_Entry]) -> bool:
    """Whether it breaks only beside other requests of the run: too often there for the good ones alone to be luck."""
    endpoints = {entry.facts.get("endpoint") for entry in bad}
    alike = [entry for entry in good if entry.facts.get("endpoint") in endpoints]
    alone = sum(not entry.at_once for entry in alike)
    rate = len(bad) / (len(bad) + len(alike) - alone)
    return alone > 1 and all(entry.at_once for entry in bad) and (1 - rate) ** alone <= BY_LUCK


def how_often(broken: int, observed: int) -> str:
    """`always`, or `sometimes (k of n)`."""
    return "always" if broken == observed else f"sometimes ({broken} of {observed})"
