"""One cause, one finding, over a whole run: which broken clauses only go along with another one's breaches."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from kycgate.contracts.flows import flow
from kycgate.judging.answers import A_REFUSING_200

_CUSTOMER, _ANOTHERS = "session.own-customer", "another session's"
"""The clause of a session's customer, and how its breach says whose it was instead."""
_APART: Final = ("token.distinct", "token.own-session", _CUSTOMER, "session.own-order")
"""The clauses that keep sessions apart, the one that says most of a cause first."""
_CROSSED: Final = frozenset(
    {
        _CUSTOMER,
        "session.own-order",
        "session.idle",
        "result.back-fields",
        "upload.accepted",
        "approve.accepted",
        "request.twice-at-once",
        "safety.no-mass-assignment",
    }
)
"""What sessions that cross break beside the order of steps: now and then, as others are at work or not."""
_NOTHING_READ: Final = ("status.documented", "answer.http", "answer.compressed", "body.json", "result.envelope")
"""An answer that breaks one of these says nothing more, the earlier the less."""
_SAME_REFUSAL: Final = (
    ("auth.missing", "auth.malformed", "auth.unknown", "auth.expired", "auth.before-body"),
    ("refusal.broken-json", "refusal.image-missing", "refusal.image-type", "approve.names-mandatory"),
)
"""Clauses that one part of a vendor keeps, the broadest first: of credentials, of bodies."""
_REFUSED_OTHERWISE: Final = (
    *(name for family in _SAME_REFUSAL for name in family), "refusal.order-status", "token.refused",
)  # fmt: skip
"""Clauses of refusals that a 200 does not keep."""
_SAME_PROPERTY: Final = (
    ("result.scans", "reading.own-fields"),
    ("reading.letters", "reading.as-printed"),
    ("reading.own-fields", "reading.as-printed"),
    ("reading.no-date", "reading.number-birthdate"),
    ("reading.own-fields", "reading.number-birthdate"),
)
_OF_A_PROPERTY: Final = ("reading.own-fields", "result.properties")
_NO_STRING: Final = ": no string"
"""How the judge of answers says that a text is of another type."""
_NAMES: Final = frozenset({"fullName", "firstName", "familyName"})
_DATES: Final = frozenset({"birthdate", "issueDate", "expirationDate"})
_SAME_ANSWERS: Final = (
    ("reading.no-date", "reading.dates-in-order"),
    ("reading.number-birthdate", "reading.dates-in-order"),
)
_BEGINS_WITH: Final = (("refusal.unreadable", "result.back-fields"),)
"""What was read where nothing could be breaks the second clause, too: then and in what comes later."""
_SAME_WORDS: Final = (
    # The client's own upload has both: where what the first needs is refused, so is it.
    ("request.unknown-properties", "image.line-feeds"),
    # A side that is refused whatever is sent.
    *(("upload.accepted", f"refusal.{name}") for name in ("unreadable", "broken-json", "image-missing", "image-type")),
)
_SAME_ENDPOINT: Final = (("refusal.no-leak", "safety.no-echo"),)
_WHEREVER: Final = (("reading.number", "reading.numbers-agree"), ("token.expiry-agrees", "token.lives"))
_ACCEPTED: Final = ("upload.accepted", "approve.accepted")
_FORGED, _BEHIND = "a token with ", " behind it"
"""How the intents of requests begin that send a token changed, and end that send a good one with more."""
_NO_CREDENTIALS: Final = " with no credentials"
"""How the intents end of wrong bodies that are sent without any."""
_MOST: Final = 0.9
"""The share of a clause's breaches from which the rest, met at the same endpoints, has the same cause."""


class Breach(NamedTuple):
    """One broken answer; no number where only the run as a whole shows it."""

    number: int | None
    endpoint: str
    status: int | None
    actual: str
    where: str
    because: str
    intent: str = ""


@dataclass(frozen=True)
class Broken:
    """A broken clause; it comes and goes where other answers kept it."""

    id: str
    breaches: tuple[Breach, ...]
    comes_and_goes: bool
    kept_at: frozenset[str] = frozenset()
    """The endpoints where other answers kept it."""

    def each(self, of: Callable[[Breach], object]) -> frozenset[object]:
        return frozenset(map(of, self.breaches))

    @property
    def numbers(self) -> frozenset[object]:
        return self.each(lambda breach: breach.number)


def _among(pairs: Iterable[tuple[str, str]], clause: Broken, cause: Broken) -> bool:
    return (cause.id, clause.id) in pairs


def _in_its_answers(clause: Broken, cause: Broken) -> bool:
    """Whether each breach is of an answer that broke the other clause, too."""
    return None not in clause.numbers and clause.numbers <= cause.numbers


def _at_its_endpoints(clause: Broken, cause: Broken) -> bool:
    """Whether each breach was met at an endpoint that broke the other clause, too."""
    return clause.each(_endpoint) <= cause.each(_endpoint)


def _endpoint(breach: Breach) -> object:
    return breach.endpoint


def _status(breach: Breach) -> object:
    return breach.endpoint, breach.status


def _words(breach: Breach) -> object:
    return breach.endpoint, breach.actual


def _property(breach: Breach) -> object:
    return breach.where.rpartition(".")[2]


def _no_such_path(clause: Broken, cause: Broken) -> bool:
    """Whatever is sent to a path that is not there is refused alike."""
    return cause.id == "route.post" and clause.each(_status) <= cause.each(_status) and not _is_there(cause, clause)


def _is_there(clause: Broken, cause: Broken) -> bool:
    """A path on which the step was taken at other times is there: that it was not now is what is broken."""
    return clause.id == "route.post" and cause.id in _ACCEPTED and clause.each(_endpoint) <= cause.kept_at


def _of_the_sibling(clause: Broken, cause: Broken) -> bool:
    """The vendor's second token path fails as a whole."""
    return cause.id == "token.sibling" and clause.each(_endpoint) == {"token_sibling"}


def _of_the_other(clause: Broken, cause: Broken) -> bool:
    """A step was taken out of its turn only where another session had done what it needs."""
    return cause.id in _APART and clause.id.startswith("order.") and _in_its_answers(clause, cause)


def _cannot_be_read(clause: Broken, cause: Broken) -> bool:
    """Of an answer that cannot be read nothing else is known."""
    if cause.id not in _NOTHING_READ or clause.id.startswith(("route.", "safety.", "status.no-5xx", "refusal.no-leak")):
        return False
    later = clause.id not in _NOTHING_READ or _NOTHING_READ.index(cause.id) < _NOTHING_READ.index(clause.id)
    return later and _in_its_answers(clause, cause)


def _refused_alike(clause: Broken, cause: Broken) -> bool:
    """One part of the vendor answers all that it refuses in one wrong way at these endpoints."""
    for family in _SAME_REFUSAL:
        if clause.id in family and cause.id in family and family.index(cause.id) < family.index(clause.id):
            return clause.each(_words) <= cause.each(_words)
    return False


def _in_a_200(clause: Broken, cause: Broken) -> bool:
    """Who refuses with a 200 does so whatever is refused."""
    both = (clause.id, cause.id)
    if not {*both} <= {*_REFUSED_OTHERWISE} or [*both] == sorted(both, key=_REFUSED_OTHERWISE.index):
        return False
    return all(breach.actual == A_REFUSING_200 for breach in (*clause.breaches, *cause.breaches))


def _unverified(clause: Broken, cause: Broken) -> bool:
    """Who does not verify a token takes one with a word behind it, too."""
    if (cause.id, clause.id) != ("auth.unknown", "auth.malformed"):
        return False
    forged = {_words(breach) for breach in cause.breaches if breach.intent.startswith(_FORGED)}
    return all(breach.intent.endswith(_BEHIND) for breach in clause.breaches) and clause.each(_words) <= forged


def _open_to_all(clause: Broken, cause: Broken) -> bool:
    """Who asks for no credentials at a step does so whatever the body."""
    if (cause.id, clause.id) != ("auth.missing", "auth.before-body"):
        return False
    bare = all(breach.intent.endswith(_NO_CREDENTIALS) for breach in clause.breaches)
    return bare and _at_its_endpoints(clause, cause)


def _same_property(clause: Broken, cause: Broken) -> bool:
    """What cannot be, or is always wrong, is not as the card prints it, either."""
    named = all(clause.each(_property))
    return _among(_SAME_PROPERTY, clause, cause) and named and clause.each(_property) <= cause.each(_property)


def _impossible_number(clause: Broken, cause: Broken) -> bool:
    """A number that cannot be is wrong in each reading, too; where there is no other one, that says more of it."""
    wrong, other = clause.each(_property), cause.each(_property)
    match cause.id, clause.id:
        case "reading.own-fields", "reading.number":
            return wrong <= other
        case "reading.number", "reading.own-fields":
            return wrong < other
    return False


def _handed_back(clause: Broken, cause: Broken) -> bool:
    """What is read, or written, wrong each time is handed back so by each approval, which may be refused for it."""
    if clause.id != "approve.accepted" or cause.id not in _OF_A_PROPERTY or cause.comes_and_goes:
        return False
    steps = [step for step in flow().steps if step.request is not None and not step.is_upload]
    handed = {name for step in steps for name in getattr(step.request, "model_fields", ())}
    refused = clause.each(_status) <= {(str(step), 400) for step in steps}
    return refused and not cause.each(_property).isdisjoint(handed)


def _no_texts(clause: Broken, cause: Broken) -> bool:
    """Properties of the same answers that are all no strings, though documented as such, are written in one way."""
    named = cause.id == "result.properties" and clause.id in ("result.scans", "result.customer-id")
    alike = all(breach.actual.endswith(_NO_STRING) for breach in (*clause.breaches, *cause.breaches))
    return named and alike and _in_its_answers(clause, cause)


def _no_such_day(clause: Broken, cause: Broken) -> bool:
    """A date that is always wrong falls now and then on a day that its month does not have."""
    named = clause.id == "result.date-times" and cause.id == "reading.own-fields"
    days = all("day is out of range" in breach.actual for breach in clause.breaches)
    return named and days and clause.each(_property) <= cause.each(_property)


def _other_names(clause: Broken, cause: Broken) -> bool:
    """Names of which one is wrong in each reading do not make up the full one."""
    named = (cause.id, clause.id) == ("reading.own-fields", "reading.names-agree")
    return named and clause.each(_property) <= _NAMES and not cause.each(_property).isdisjoint(_NAMES)


def _in_no_order(clause: Broken, cause: Broken) -> bool:
    """A date that is wrong in each reading stands in no order with the others."""
    named = (cause.id, clause.id) == ("reading.own-fields", "reading.dates-in-order")
    return named and any(_property(breach) in _DATES and breach.number is None for breach in cause.breaches)


def _not_known(clause: Broken, cause: Broken) -> bool:
    """Credentials that are good, and now and then not known, break whatever was sent with them then."""
    sent = clause.id.startswith(("refusal.", "image.", "request.", "result.", "optional."))
    unknown = all(breach.status == 401 for breach in (*clause.breaches, *cause.breaches))
    return cause.id in _ACCEPTED and sent and unknown and clause.comes_and_goes and cause.comes_and_goes


def _same_number(clause: Broken, cause: Broken) -> bool:
    """A number that is always wrong, or no number, is another one than the card's others in later answers, too."""
    named = clause.id == "reading.numbers-agree" and cause.id in ("reading.own-fields", "result.scans")
    wrong = cause.each(_property)
    return named and all(_differing(breach) <= wrong for breach in clause.breaches)


def _differing(breach: Breach) -> set[str]:
    return {*breach.actual.partition(" differ from ")[0].split(", ")}


def _in_another_charset(clause: Broken, cause: Broken) -> bool:
    """What is not written in UTF-8 has lost the letters that its own character set does not have."""
    named = (cause.id, clause.id) == ("body.media-type", "reading.letters")
    said = [breach.actual.lower().replace("-", "") for breach in cause.breaches]
    another = all("charset" in written and "utf8" not in written for written in said)
    return named and another and _in_its_answers(clause, cause)


def _refused_by_false(clause: Broken, cause: Broken) -> bool:
    """Who refuses a step out of order by a 200 whose body is `false` does so wherever it is not due."""
    if (cause.id, clause.id) != ("refusal.order-status", "approve.true"):
        return False
    said = all(breach.actual == "false" for breach in clause.breaches)
    return said and clause.each(_status) <= cause.each(_status)


def _in_no_turn(clause: Broken, cause: Broken) -> bool:
    """Who takes a step out of its turn in every session was not set anything by what was sent before it."""
    if clause.id != "safety.no-mass-assignment" or not cause.id.startswith("order.") or cause.comes_and_goes:
        return False
    performed = all(breach.actual == "performed" for breach in clause.breaches)
    return performed and len(cause.breaches) > 1 and _at_its_endpoints(clause, cause)


def _same_endpoint(clause: Broken, cause: Broken) -> bool:
    return _among(_SAME_ENDPOINT, clause, cause) and _at_its_endpoints(clause, cause)


def _same_answers(clause: Broken, cause: Broken) -> bool:
    """A date that is wrong by itself stands in no order with the others."""
    return _among(_SAME_ANSWERS, clause, cause) and _in_its_answers(clause, cause)


def _begins_with(clause: Broken, cause: Broken) -> bool:
    begun = clause.breaches[0].number in cause.numbers
    return _among(_BEGINS_WITH, clause, cause) and begun and _at_its_endpoints(clause, cause)


def _same_words(clause: Broken, cause: Broken) -> bool:
    return _among(_SAME_WORDS, clause, cause) and clause.each(_words) <= cause.each(_words)


def _wherever(clause: Broken, cause: Broken) -> bool:
    return _among(_WHEREVER, clause, cause)


def _mostly(clause: Broken, cause: Broken) -> bool:
    """Nearly all its breaches go along with the other's, and the rest was met at the same endpoints."""
    along = [breach for breach in clause.breaches if breach.because == cause.id]
    at = {breach.endpoint for breach in along}
    return len(along) >= _MOST * len(clause.breaches) and all(breach.endpoint in at for breach in clause.breaches)


_RULES: Final = (
    _no_such_path, _is_there, _of_the_sibling, _of_the_other, _cannot_be_read, _refused_alike, _in_a_200,
    _unverified, _open_to_all, _same_property, _impossible_number, _handed_back, _no_texts, _no_such_day, _other_names,
    _in_no_order, _not_known, _same_number, _in_another_charset, _refused_by_false, _in_no_turn, _same_answers,
    _begins_with, _same_words, _same_endpoint, _wherever, _mostly,
)  # fmt: skip


def _is_anothers(broken: Broken) -> bool:
    """Whether a breach of this clause is another session's doing: a customer may also change within one."""
    return broken.id != _CUSTOMER or any(_ANOTHERS in breach.actual for breach in broken.breaches)


def _crossing(roots: Mapping[str, Broken]) -> dict[str, str]:
    """Where sessions cross, what each of them may do comes and goes: that is the one cause."""
    cause = next((name for name in _APART if name in roots and _is_anothers(roots[name])), "")
    return {
        name: cause
        for name, broken in roots.items()
        if cause and name != cause
        if (name in _APART and cause.startswith("token."))
        or (broken.comes_and_goes and (name in _CROSSED or name.startswith("order.")))
    }


def _undone(roots: Mapping[str, Broken], changed: Broken | None) -> dict[str, str]:
    """A refusal that undid what was done makes uploads and approvals fail: what fails most often names it."""
    failed = [roots[name] for name in _ACCEPTED if name in roots]
    if changed is None or len(failed) < 2 or not all(broken.numbers <= changed.numbers for broken in failed):
        return {}
    cause, other = sorted(failed, key=lambda broken: len(broken.breaches), reverse=True)
    return {other.id: cause.id}


def causes(broken: Mapping[str, Broken], roots: Iterable[str]) -> dict[str, str]:
    """By clause, the other root whose breach it goes along with. `roots` are those of `broken` with no cause yet."""
    left = {name: broken[name] for name in roots}
    found = {**_crossing(left), **_undone(left, broken.get("refusal.changes-nothing"))}
    for name, clause in left.items():
        for other, cause in left.items():
            if name == other or name in found or found.get(other) == name:
                continue
            if any(rule(clause, cause) for rule in _RULES):
                found[name] = other
    # A cause that has one itself: what goes along with it has that one.
    return {name: _last(name, found) for name in found}


def _last(name: str, found: Mapping[str, str]) -> str:
    seen = {name}
    while name in found and found[name] not in seen:
        name = found[name]
        seen.add(name)
    return name
