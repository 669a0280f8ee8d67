"""A stand-in like a vendor that was recorded: its liberties, words, refusals and latencies, learnt from a run.

What run.json pins (`behaviour`, `open_points`) is enough. Where exchanges.ndjson is there too it adds what only single
answers show: the values of headers that never change, limits of tries and tokens, and the times of answers; a load's
histograms say those better. Nothing of a person is taken: no reading, no message, no credential.
"""

import re
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from hdrh.histogram import HdrHistogram

from kycgate.contracts.flows import flow
from kycgate.contracts.flows.national_id import UPLOAD_FRONT
from kycgate.contracts.models import ENGLISH_NAMES, FRONT_PROPERTIES
from kycgate.errors import UsageError
from kycgate.runs.folder import RunFolder
from kycgate.runs.model import Run
from kycgate.runs.percentile import percentile_us
from kycgate.sandbox import TENANT, TENANT_SECRET, SandboxSettings
from kycgate.sandbox.manner import Header, Manner, Said, Why, whose
from kycgate.sandbox.vendor import KNOWN
from kycgate.target.exchange import RecordedExchange

Answers = Mapping[str, int]
"""How often each answer was seen."""

KEYS: Final = 4
"""Fixed keys of a stand-in for a vendor that mints no tokens."""
FEWEST: Final = 5
"""Answers of one kind from which its latency is learnt."""
QUANTILES: Final = 201
"""Points of a latency that are kept."""
_NOT_LEARNT: Final = frozenset({"date", "set-cookie", "location", "retry-after", "content-length", "content-encoding"})
"""Headers whose recorded value is of one answer alone."""

_BETWEEN = re.compile(r"^between ([\d.]+) and ([\d.]+) MB$")
_INTENTS: dict[Why, tuple[str, ...]] = {
    "credential": ("no Authorization header", "an empty Authorization header", "an unknown key", "an expired token"),
    "method": ("GET instead of POST", "PUT instead of POST"),
    "order": ("legal, out of turn", "legal, closed"),
    "not-json": (
        *("JSON cut short", "no JSON at all", "a trailing comma", "bytes that are no UTF-8", "broken JSON"),
        *("broken JSON behind a whole request", "null for a body", "an array for a body"),
    ),
    "image": ("image null", "an empty object", "another property", "image 7", "image true"),
    "not-base64": ("text that is no base64",),
    "unreadable": ("a file that is no image", "a PDF", "a picture's first bytes alone"),
    "names": ("fullNameEn left out", "firstNameEn left out", "familyNameEn left out", "all English names left out"),
    "ill-formed": ("31/02 as birth date", "yyyy-MM-dd as birth date", "a 13-digit number", "an array for a name"),
    "tenant-missing": ("no tenant", "no secret"),
    "tenant-type": ("a tenant that is a number",),
    "tenant-unknown": ("an unknown tenant", "the secret with a letter more", "an empty secret"),
}
"""By which of the check's requests each refusal is learnt, as pins name them."""
_OTHER_FORMS = ("a data: prefix", "URL-safe base64")
"""What a reader of base64 may take for no base64, as pins name it."""
_CHOICES: dict[str, tuple[str, dict[str, Any]]] = {
    "credentials-form": (
        "schemes",
        {
            "Bearer alone": frozenset({"bearer"}),
            "bare alone": frozenset({"bare"}),
            "either way": frozenset({"bearer", "bare"}),
        },
    ),
    "key-after-completion": ("key_after_completion", {"opens a new flow": "opens", "refused": "refused"}),
    "front-again-after-approval": ("front_after_approval", {"starts over": "starts over", "refused": "refused"}),
    "approve-front-again": ("approve_front_again", {"accepted": "accepted", "refused": "refused"}),
    "front-again-after-back": (
        "back_after_front_again",
        {"the back is kept": "kept", "the back must be uploaded again": "dropped"},
    ),
    "back-carries-front": ("back_carries_front", {"yes": True, "no": False}),
    "front-carries-back": ("front_carries_kept_back", {"yes": True}),
    "arabic-indic-digits": ("arabic_indic_digits", {"accepted": "accepted", "400": "refused"}),
    "not-base64": ("not_base64", {"400": "400", "200, isSuccess false": "result"}),
    "approve-back-broken-body": ("last_step_broken_body", {"ignored": "ignored", "400": "refused"}),
    "empty-english-names": ("empty_text", {"accepted": "accepted", "400": "refused"}),
    "edited-values, another number": ("another_number", {"accepted": "accepted", "400": "refused"}),
    "words": ("words", {"Arabic": "Arabic", "English": "English"}),
    "date-times": ("date_times", {"Z": "Z", "offset": "offset", "naive": "naive"}),
    "missing-tenant": ("missing_tenant_status", {"400": 400, "401": 401}),
    "blank-picture, a blank picture": ("foreign_photos", {"read": True, "refused": False}),
}
"""The setting that each recorded choice stands for."""


def settings_like(paths: Sequence[Path]) -> SandboxSettings:
    """A stand-in's settings, learnt from the folders of these runs of one vendor: checks, loads or both.

    Raises:
        UsageError: there is no run, it is damaged, or nothing was observed that could be learnt.
    """
    runs, exchanges = [], []
    for path in paths:
        folder = RunFolder(path)
        runs.append(folder.read_run())
        exchanges.append(folder.read_exchanges())
    return learn(runs, exchanges)


def learn(runs: Sequence[Run], exchanges: Sequence[Sequence[RecordedExchange]]) -> SandboxSettings:
    """The same from runs that are read already, with the exchanges of each.

    Raises:
        UsageError: nothing was observed that could be learnt, or a histogram is damaged.
    """
    seen: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for run in runs:
        for item in run.behaviour:
            seen[item.section][item.subject].update(item.counts)
    latency = _latencies(runs, exchanges)
    if not seen and not latency:
        raise UsageError("nothing was observed that a stand-in could be like: give a run of `kycgate check` or `load`")
    tried = seen["choices"].get("side-tries")
    limit = _tries([one for of_run in exchanges for one in of_run], tried)[1] if tried else None
    settings, fields = _settings(seen, exchanges), _fields(seen["fields"])
    if settings.get("front_carries_kept_back"):
        # Whether the front has the back's properties depends on whether a back stands, not on chance.
        front = fields.get(UPLOAD_FRONT, {})
        fields[UPLOAD_FRONT] = {
            name: shares for name, shares in front.items() if name in FRONT_PROPERTIES or len(shares) == 1
        }
    manner = Manner(
        headers=_headers(seen["headers"], [one for of_run in exchanges for one in of_run], seen["order"]),
        order={kind: tuple(_usual(counts).split()) for kind, counts in seen["order"].items() if " of 200" not in kind},
        refusals=_refusals(seen["answers"], limit),
        fields=fields,
        words={subject: _usual(counts) for subject, counts in seen["words"].items() if _is_word(subject, counts)},
        latency_ms=latency,
        success_code=_success_code(seen["answers"]),
    )
    return SandboxSettings(**settings, manner=manner)


def _usual(counts: Answers) -> str:
    """What came most often; of several, the first by name."""
    return min(counts, key=lambda answer: (-counts[answer], answer))


# Settings


def _settings(
    seen: Mapping[str, Mapping[str, Counter[str]]], exchanges: Sequence[Sequence[RecordedExchange]]
) -> dict[str, Any]:
    choices, answers, fields = seen["choices"], seen["answers"], seen["fields"]
    found: dict[str, Any] = {}
    for point, (setting, meant) in _CHOICES.items():
        value = meant.get(_usual(choices[point])) if point in choices else None
        if value is not None:
            found[setting] = value
    names = [fields[f"upload_front {name}"] for name in ENGLISH_NAMES if f"upload_front {name}" in fields]
    if names:
        found["translation"] = any(_usual(counts) == "text" for counts in names)
    wrong = [counts for point, counts in choices.items() if point.startswith("ill-formed-optional, ")]
    if wrong:
        found["ill_formed_optional"] = (
            "accepted" if all(_usual(counts) == "accepted" for counts in wrong) else "refused"
        )
    unread = [_parse(_usual(counts)) for subject, counts in answers.items() if _about(subject, _INTENTS["unreadable"])]
    if unread:
        found["unreadable"] = "result" if unread[0].status == 200 else "400"
        forms = [answers.get(f"upload_front {form}, in its turn") for form in _OTHER_FORMS]
        refusals = [said for said in (_parse(_usual(counts)) for counts in forms if counts) if not said.success]
        if refusals and all(said == unread[0] for said in refusals):
            # What is not base64 is a picture without a card, too, though both are a 400. One form alone may have met
            # the limit of tries, whose refusal is the same for both.
            found["not_base64"] = "result"
    out_of_turn = [_parse(_usual(counts)).status for s, counts in answers.items() if s.endswith(" legal, out of turn")]
    if 404 in out_of_turn:
        found["order_status"] = 404
    nested = answers.get("upload_front deep nesting in an unknown property, in its turn")
    if nested:
        refused = _refusals(answers).get("upload_front not-json") == _parse(_usual(nested))
        found["deep_nesting"] = "refused" if refused else "ignored"
    pixel = [counts for subject, counts in answers.items() if _about(subject, ("a picture of one pixel",))]
    if any(_parse(_usual(counts)).success for counts in pixel):
        found.setdefault("foreign_photos", True)
    limit = next((_BETWEEN.search(point) for point in choices.get("image-limit", ())), None)
    if limit:
        # Of the picture; the body holds it as base64.
        found["max_body"] = int((float(limit[1]) + float(limit[2])) / 2 * 1e6 * 4 / 3)
    found["firewall"] = "firewall" in choices
    if any(f"code {KNOWN}" in answer for counts in answers.values() for answer in counts):
        found["known_person"] = "refused"
    lives = seen["token"].get("token life")
    if lives:
        found["token_life_s"] = float(_usual(lives).partition(" ")[0])
    minted = bool(lives) or any(subject.startswith("token") for subject in answers) or not answers
    found |= {"tenants": {TENANT: TENANT_SECRET}} if minted else {
        "api_keys": tuple(f"sandbox-key-{number:04d}" for number in range(1, KEYS + 1))
    }  # fmt: skip
    for of_run in exchanges:
        found |= _limits(of_run, choices)
    return found


def _limits(exchanges: Sequence[RecordedExchange], choices: Mapping[str, Answers]) -> dict[str, Any]:
    """What single answers show: words of a success, limits of tokens and of tries, 401 before 405."""
    found: dict[str, Any] = {}
    for one in exchanges:
        body = one.answer_body
        if isinstance(body, dict) and body.get("isSuccess") is True and "message" in body:
            said = body.get("message"), body.get("errorCode")
            found["success_words"] = "null" if said == (None, None) else "empty" if said == ("", "") else "words"
    tokens = [one for one in exchanges if one.endpoint.startswith("token")]
    if any(one.status == 429 for one in tokens):
        moments = sorted(datetime.fromisoformat(one.at).timestamp() for one in tokens if one.status == 200)
        most = max((number + 1 - bisect_left(moments, at - 1) for number, at in enumerate(moments)), default=1)
        found["tokens_a_second"] = most
    if "older-tokens" in choices:
        found["tokens_at_once"] = _tokens_at_once(exchanges)
    if "side-tries" in choices:
        most, limit = _tries(exchanges, choices["side-tries"])
        found |= {"tries_of_a_side": most, "tries_status": limit.status if limit.status in (400, 403, 429) else 400}
    return found


def _tokens_at_once(exchanges: Sequence[RecordedExchange]) -> int:
    """One more than the most newer tokens beside which an older one was still good.

    A test's sessions and its tokens are in the same order; where their numbers differ, whose token is whose is unknown.
    """
    minted = [one.number for one in exchanges if one.endpoint.startswith("token") and one.status == 200]
    tokens: dict[str, list[int]] = defaultdict(list)
    sessions: dict[str, list[str]] = defaultdict(list)
    for one in exchanges:
        if one.endpoint.startswith("token"):
            if one.status == 200:
                tokens[one.test].append(one.number)
        elif one.session and not any(one.session in known for known in sessions.values()):
            sessions[one.test].append(one.session)
    own: dict[str, int] = {}
    for test, names in sessions.items():
        if len(names) == len(tokens[test]):
            own |= dict(zip(sorted(names, key=lambda name: (len(name), name)), tokens[test], strict=True))
    newer = [
        bisect_left(minted, one.number) - bisect_left(minted, own[one.session]) - 1
        for one in exchanges
        if one.session in own and not one.endpoint.startswith("token") and one.status not in (None, 401, 405, 429)
    ]
    return max(newer, default=0) + 1


def _tries(exchanges: Sequence[RecordedExchange], said: Answers) -> tuple[int, Said]:
    """The fewest tries of a side after which it was refused as the longest lasting sessions were; and how."""
    fewest = min(int(words.split()[0]) for words in said)
    status = int(_usual(said).partition("then ")[2].split()[0])
    sides: dict[tuple[str, str], list[Said]] = defaultdict(list)
    for one in exchanges:
        if one.endpoint in flow().uploads and one.session and one.status not in (401, 405, None):
            body = one.answer_body if isinstance(one.answer_body, dict) else {}
            code = body.get("errorCode")
            sides[one.session, one.endpoint].append(Said(status=one.status, code=None if code is None else str(code)))
    late = Counter(answer for tries in sides.values() for answer in tries[fewest:] if answer.status == status)
    if not late:
        return fewest, Said(status=status)
    limit = late.most_common(1)[0][0]
    return min(tries.index(limit) for tries in sides.values() if limit in tries[1:]), limit


# Manner


def _parse(answer: str) -> Said:
    """An answer as pins write it: `400, code 10010`, `200, isSuccess false, code 10001`, `403, no JSON object`."""
    status, *more = answer.split(", ")
    said: dict[str, Any] = {"status": int(status)}
    for part in more:
        if part.startswith("isSuccess "):
            said["success"] = part == "isSuccess true"
        elif part.startswith("code "):
            said["code"] = part.removeprefix("code ")
        elif part == "no JSON object":
            said["plain"] = True
    return Said(**said)


def _about(subject: str, intents: Iterable[str]) -> bool:
    """Whether `upload_front a PDF, in its turn` is about one of these requests."""
    intent = subject.partition(" ")[2]
    return any(intent == name or intent == f"{name}, in its turn" for name in intents)


def _refusals(answers: Mapping[str, Counter[str]], limit: Said | None = None) -> dict[str, Said]:
    """By endpoint and why, the usual answer among those that refuse; `limit` is what a limit of tries says."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for subject, counts in answers.items():
        endpoint = subject.partition(" ")[0]
        for why, intents in _INTENTS.items():
            if _about(subject, intents):
                found[f"{endpoint} {why}"].update(
                    {answer: n for answer, n in counts.items() if _refuses(_parse(answer)) and _parse(answer) != limit}
                )
    refusals = {key: _parse(_usual(counts)) for key, counts in found.items() if counts}
    # A refusal that was not met with at one endpoint is said as at the other steps.
    for why in _INTENTS:
        known = [said for key, said in refusals.items() if key.endswith(f" {why}") and not key.startswith("token")]
        if known:
            refusals |= {f"{step} {why}": known[0] for step in flow().steps if f"{step} {why}" not in refusals}
    if limit is not None:
        refusals |= {f"{step} tries": limit for step in flow().uploads}
    return refusals


def _success_code(answers: Mapping[str, Answers]) -> str | None:
    """The errorCode that most successful uploads have; None where they have none."""
    found: Counter[str] = Counter()
    for subject, counts in answers.items():
        if subject.partition(" ")[0] in flow().uploads:
            said = [(_parse(answer), times) for answer, times in counts.items()]
            found.update({one.code or "": times for one, times in said if one.success})
    return _usual(found) or None if found else None


def _refuses(said: Said) -> bool:
    return said.status >= 400 or said.success is False


def _fields(seen: Mapping[str, Answers]) -> dict[str, dict[str, dict[str, float]]]:
    found: dict[str, dict[str, dict[str, float]]] = defaultdict(dict)
    for subject, counts in seen.items():
        endpoint, _, name = subject.partition(" ")
        total = sum(counts.values())
        found[endpoint][name] = {kind: count / total for kind, count in sorted(counts.items())}
    return dict(found)


def _is_word(subject: str, counts: Answers) -> bool:
    """Whether the word itself was recorded: it is of the closed list of words for a gender."""
    return "," in subject and not _usual(counts).startswith("another word")


def _headers(
    seen: Mapping[str, Answers], exchanges: Sequence[RecordedExchange], order: Mapping[str, Answers]
) -> dict[str, dict[str, Header]]:
    """By whose and status: which headers, how often, and with which value where it never changes."""
    values: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for one in exchanges:
        for name, value in one.answer_headers.items():
            values[f"{whose(one.endpoint)}-{one.status}", name.lower()][value] += 1
    found: dict[str, dict[str, Header]] = defaultdict(dict)
    for subject, counts in seen.items():
        group, _, name = subject.partition(" ")
        share = counts.get("present", 0) / sum(counts.values())
        constant = values[group, name]
        value = next(iter(constant)) if len(constant) == 1 and name not in _NOT_LEARNT else "stand-in"
        if name == "content-type":
            value = (
                _usual(order.get("media type of 200", {"": 1}))
                if group.endswith("-200")
                else _usual(constant or {"": 1})
            )
        if share:
            found[group][name] = Header(share=share, value=value)
    return dict(found)


# Latency


def _latencies(runs: Sequence[Run], exchanges: Sequence[Sequence[RecordedExchange]]) -> dict[str, tuple[float, ...]]:
    """By endpoint and status from single exchanges; by endpoint from a load, which has most of them."""
    times: dict[str, list[float]] = defaultdict(list)
    found: dict[str, tuple[float, ...]] = {}
    for run, of_run in zip(runs, exchanges, strict=True):
        loaded = _of_load(run)
        found |= loaded
        for one in of_run:
            if one.clocks.thinking_ms is None or one.status is None:
                continue
            if one.endpoint in loaded and one.status == 200:
                continue
            times[f"{one.endpoint} {one.status}"].append(one.clocks.thinking_ms)
    for key, measured in times.items():
        endpoint, _, status = key.partition(" ")
        if len(measured) >= FEWEST and not (endpoint in found and status == "200"):
            found[key] = _points(sorted(measured))
    return found


def _points(ordered: Sequence[float]) -> tuple[float, ...]:
    """At most QUANTILES evenly spaced quantiles of these times."""
    if len(ordered) <= QUANTILES:
        return tuple(round(time, 3) for time in ordered)
    return tuple(round(ordered[(len(ordered) - 1) * place // (QUANTILES - 1)], 3) for place in range(QUANTILES))


def _of_load(run: Run) -> dict[str, tuple[float, ...]]:
    """From the histograms of what the target itself took (`thinking`), in microseconds."""
    found = {}
    for latency in run.load.latencies if run.load is not None else ():
        if latency.clock != "thinking" or not latency.histogram or latency.count < FEWEST:
            continue
        try:
            held = HdrHistogram.decode(latency.histogram.encode())
            places = [100 * place / (QUANTILES - 1) for place in range(QUANTILES)]
            times = [percentile_us(held, place) / 1e3 for place in places]
        except Exception as error:  # noqa: BLE001 - the library raises whatever its parts raise
            raise UsageError(f"the histogram of {latency.name} is damaged: {type(error).__name__}") from None
        found[latency.name] = tuple(times)
    return found
