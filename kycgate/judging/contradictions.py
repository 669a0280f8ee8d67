"""What the judge must remember to see contradictions between answers: customers, numbers, the translation setting."""

import contextlib
import html
import re
import threading
from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import chain, combinations
from typing import Any, Literal

from kycgate.contracts.flow import Step
from kycgate.contracts.flows import flow
from kycgate.contracts.id_number import to_ascii_digits
from kycgate.contracts.models import ENGLISH_NAMES, parse_date_time
from kycgate.judging.answers import customer_data, success_of
from kycgate.judging.card import days_of, moment_of, numbers_in
from kycgate.judging.ledger import Observation
from kycgate.judging.letters import DATES, what_is_wrong
from kycgate.judging.readings import compare, plain
from kycgate.target.exchange import EARLIER_FLOW, Exchange, Picture

Translation = Literal["on", "off", "auto"]

_ARABIC = re.compile("[\u0600-\u06ff]")
_TELLING = (
    "idNumber",
    "idFrontScan",
    "idNumberBack",
    "idBackScan",
    "documentNumber",
    "fullName",
    "fullNameEn",
    "address",
)
"""Properties whose value tells one person from another."""

_AS_PRINTED = (
    *("fullName", "firstName", "familyName", "address", "state", "documentNumber"),
    *("religion", "maritalStatus", "profession", "gender", "nationality"),
)
"""Properties that say what is printed, letter by letter (words may be English ones)."""
_COMPARED = (
    "fullName", "firstName", "familyName", "address", "state", "idNumber", "idNumberBack", "idFrontScan", "idBackScan",
    "documentNumber", "birthdate", "issueDate", "expirationDate",
)  # fmt: skip
"""Properties whose printed value is one and the same for every vendor: words and translations apart."""
_IN_WORDS = ("religion", "maritalStatus", "profession", "nationality")
"""Properties that may also come back in English."""
_LETTERED = ("fullName", "firstName", "familyName", "address", "state")
"""Free text in Arabic."""
_COMPARED_IN_ARABIC = frozenset({"profession"})
"""Free text that may also come back in English."""
_ARABIC = re.compile(r"[\u0621-\u064a]")
_ENOUGH_READINGS, _READS_WELL = 8, 0.9
_DATED = ("issueDate", "expirationDate")
"""Printed dates that the number does not give."""
_OTHER_SIDES = {"front": _DATED, "back": ("birthdate",)}
"""By side of the card: the dates that the other side prints."""
_FEW_VALUES = frozenset({*_DATED, "state", "religion", "maritalStatus", "profession", "gender"})
"""Of these many people share one value."""
_UUID = re.compile("[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_LONG_NUMBER = re.compile("[0-9]{8,}")
_SELDOM_SHARED = frozenset({*_DATED, "state"})
"""Of these two people seldom share one."""
_CARRIERS = str.maketrans("أإآىةؤئ", "ااايهوي")
"""Letters that software takes for one another to search names by, and the one that it keeps."""
_ENOUGH_CARDS = 3
_DIVIDED = {"fullName": ("firstName", "familyName"), "fullNameEn": ("firstNameEn", "familyNameEn")}
_SHORTEST_CUT = 8
"""Characters: what is cut off before them may be a word in another spelling."""
_RIGHT = ""
"""Stands for what is printed."""


@dataclass(slots=True)
class _Letter:
    """How often a letter was kept, and how often replaced, on which texts."""

    kept: int = 0
    replaced: int = 0
    texts: set[str] = field(default_factory=set)

    def add(self, text: str, *, kept: bool) -> None:
        self.kept, self.replaced = self.kept + kept, self.replaced + (not kept)
        self.texts.add(text)

    @property
    def never_kept(self) -> bool:
        return not self.kept and self.replaced >= _ENOUGH_READINGS and len(self.texts) >= _ENOUGH_CARDS


@dataclass(slots=True)
class SessionMemory:
    """What one session's answers have said since its front was last read."""

    card: str
    customer_id: str | None = None
    numbers: dict[str, str] = field(default_factory=dict)


def _unmangled(value: str) -> Iterator[str]:
    """What `value` may have been before UTF-8 was read as another code page, or it was escaped for HTML."""
    for page in ("latin-1", "cp1252"):
        with contextlib.suppress(UnicodeError):
            yield value.encode(page).decode()
    yield html.unescape(value)


def _mangled(value: str, printed: str) -> str:
    """How `value` was changed after it was read as `printed`; empty when nothing of the kind explains it."""
    if printed in _unmangled(value):
        return "letters lost their encoding, or were escaped for HTML"
    # As of the factory number, which stands in Latin letters and digits.
    if printed.isascii() and not value.isascii() and to_ascii_digits(value) == printed:
        return "its digits are of another script than the card's"
    return "letters stand in reverse order" if value[::-1] == printed and _ARABIC.search(printed) else ""


def _slip(name: str, value: str, printed: str, truth: Mapping[str, str]) -> str:
    """How a wrong value of a property can be told from a misread one; empty when it cannot."""
    if name not in _DATED:
        other = next((n for n in (*_AS_PRINTED, *ENGLISH_NAMES) if truth.get(n) == value), "")
        if other:
            return f"{other} stands in its place"
        # A reader that misses an end misses whole words; software counts letters.
        cut = printed.startswith(value) and len(value) >= _SHORTEST_CUT
        within = cut and not (value[-1].isspace() or printed[len(value)].isspace())
        return f"cut off after {len(value)} characters" if within else ""
    try:
        moment, day = parse_date_time(value), date.fromisoformat(printed)
    except ValueError:
        return ""
    if (moment.year, moment.month, moment.day) == (day.year, day.day, day.month):
        return "day and month in each other's place"
    days = (moment.date() - day).days
    return f"{days:+} day, which its offset does not explain" if moment.tzinfo and abs(days) == 1 else ""


def _replaced(letter: str, times: int, name: str = "") -> Observation:
    required = f"{letter} as the card prints it, at least now and then"
    came = f"another letter stood for it each of {times} times"
    where = f"customerData.{name}" if name else ""
    return Observation("reading.letters", False, required, f"{came} in {name}" if name else came, where)


def _divided(names: Sequence[str], data: Mapping[str, Any], truth: Mapping[str, str]) -> bool:
    """Whether the first and the family name are read right together, and divided at another word than the card does."""
    given = [str(data.get(name) or "").split() for name in names]
    printed = [truth.get(name, "").split() for name in names]
    return all(given) and given != printed and [*chain(*given)] == [*chain(*printed)]


def _lacks_words(full: str, first: str, data: Mapping[str, Any], truth: Mapping[str, str]) -> bool:
    """Whether the first name ends early where the full name is right: no reader missed the end of its line."""
    given, printed = str(data.get(first) or "").split(), truth.get(first, "").split()
    whole = full in truth and data.get(full) == truth[full]
    return whole and 0 < len(given) < len(printed) and given == printed[: len(given)]


def _same_day(value: str, printed: str) -> bool:
    try:
        return date.fromisoformat(printed) in days_of(parse_date_time(value))
    except ValueError:
        return False


def _same_month(value: str, printed: str) -> bool:
    try:
        day = date.fromisoformat(printed)
        return any((one.year, one.month) == (day.year, day.month) for one in days_of(parse_date_time(value)))
    except ValueError:
        return False


def _printed_as(name: str, value: str, truth: Mapping[str, str]) -> bool:
    """Whether a card prints this very value as `name`."""
    printed = truth.get(name)
    if printed is None:
        return False
    return _same_day(value, printed) if name in DATES else plain(value) == plain(printed)


class Memory:
    """The run's memory across sessions. Thread-safe."""

    def __init__(self, translation: Translation, most: int = 0) -> None:
        """`most` limits the customers, numbers and paths that are remembered at once; the oldest leave first."""
        self._most = most
        self.translation: Translation = translation
        self._sessions: dict[str, SessionMemory] = {}
        self._customers: dict[str, tuple[str, str]] = {}
        self._numbers: dict[str, set[str]] = {}
        """The cards for which an answer has given a number."""
        self.mixed: set[str] = set()
        """The sessions of which one was answered with another one's customer: both may have gone on with the other."""
        self._photos: dict[str, tuple[str, str]] = {}
        """By path: the session and the card that it was first given for."""
        self._slips: dict[str, set[str]] = {}
        """What stood in a wrong place, or on a wrong day, and on which cards: reading errs, yet not twice alike."""
        self._truths: dict[str, Mapping[str, str]] = {}
        self._reads_truth = False
        self._fields: dict[str, Counter[bool]] = defaultdict(Counter)
        """Of each property that was read: how often right, how often wrong."""
        self._pictures: dict[tuple[str, str, int, str], dict[str, set[str]]] = {}
        """By picture (card, side, bytes, media type): the values that each property was given."""
        self._borrowed: dict[str, set[str]] = defaultdict(set)
        """By properties: the cards of which they were another card's, though they are read right otherwise."""
        self._another_born: set[str] = set()
        """The cards that were given another card's birth date, though it is read right otherwise."""
        self._latest: deque[str] = deque(maxlen=2)
        """The cards of the last readings."""
        self._left_behind: set[tuple[tuple[str, str, int, str], str]] = set()
        """By picture and property: where the value was that of one of them."""
        self._undated: dict[str, set[str]] = defaultdict(set)
        """By date: the cards of which a side gave it that does not print it, and gave it wrong."""
        self._letters: dict[tuple[str, str], _Letter] = defaultdict(_Letter)
        """By letter and property, in texts that are right otherwise; "" stands for all properties together."""
        self._texts: Counter[bool] = Counter()
        """Arabic texts: how many are right, replaced letters apart."""
        self._lock = threading.Lock()

    def show(self, card: str, truth: Mapping[str, str]) -> None:
        """A card is about to be shown; `truth` is what is printed on it, by the vendor's property names."""
        with self._lock:
            known = self._truths.get(card, {})
            self._truths[card] = {**known, **truth}

    def truth(self, card: str) -> Mapping[str, str]:
        """What is printed on a card that was shown, as far as it is known."""
        with self._lock:
            return self._truths.get(card, {})

    def forget_session(self, session: str) -> None:
        """The session's credential begins a new flow (a fixed key does)."""
        with self._lock:
            self._sessions.pop(session, None)

    def judge(self, exchange: Exchange) -> Iterator[Observation]:
        """What this exchange says together with those before it."""
        data = customer_data(exchange)
        with self._lock:
            yield from self._foreign(exchange)
            if data is None and exchange.picture is not None and exchange.step == flow().first:
                if success_of(exchange) is True:
                    # Read, though not said in a form that can be: what follows is of this card.
                    self._sessions[exchange.session] = SessionMemory(exchange.picture.card)
                return
            if data is None or exchange.picture is None or exchange.step is None or exchange.intent == EARLIER_FLOW:
                return
            card = exchange.picture.card
            known = self._sessions.setdefault(exchange.session, SessionMemory(card))
            if exchange.step == flow().first:
                # A front uploaded again begins the reading anew.
                known.card, known.customer_id, known.numbers = card, None, {}
            whose = [*self._judge_customer(exchange, known, data)]
            yield from whose
            if not all(seen.ok for seen in whose):
                return  # The answer is another's: that its number or picture are, too, is the same breach.
            yield from self._judge_numbers(known, data)
            yield from self._judge_translation(exchange.step, data)
            yield from self.judge_photo(exchange.session, card, data.get("photo"))
            yield from self._judge_print(card, data)
            yield from self._judge_other_side(exchange.picture, data)
            yield from self._judge_picture(exchange.picture, data)
            self._latest.append(card)
            for known_ones in (self._customers, self._numbers, self._photos) if self._most else ():
                while len(known_ones) > self._most:
                    del known_ones[next(iter(known_ones))]

    def _judge_customer(self, exchange: Exchange, known: SessionMemory, data: dict[str, Any]) -> Iterator[Observation]:
        customer_id = data.get("customerId")
        required = "one customer for one session, and another for another"
        if isinstance(customer_id, str) and customer_id:
            folded = customer_id.lower()
            session, card = self._customers.setdefault(folded, (exchange.session, known.card))
            if session != exchange.session and card != known.card:
                if not self._most:  # A long load would remember ever more of them.
                    self.mixed |= {session, exchange.session}
                yield self._crossed(
                    required, "customerId was another session's, which showed another card", "customerId"
                )
                return
            if known.customer_id is not None and known.customer_id != folded:
                yield self._crossed(required, "customerId changed within the session", "customerId")
                return
            known.customer_id = folded
        own = self._truths.get(known.card, {})
        if own.get("idNumber") and data.get("idNumber") == own["idNumber"]:
            self._reads_truth = True
        if self._reads_truth:
            for name in _TELLING:
                value = data.get(name)
                if isinstance(value, str) and value and name in own and value != own[name]:
                    owner = next(
                        (c for c, truth in self._truths.items() if c != known.card and truth.get(name) == value), None
                    )
                    if owner is not None:
                        yield self._crossed(required, f"{name} is another session's person's", name)
                        return
        yield Observation("session.own-customer", True)

    @staticmethod
    def _crossed(required: str, actual: str, where: str) -> Observation:
        return Observation("session.own-customer", False, required, actual, f"customerData.{where}")

    def _judge_numbers(self, known: SessionMemory, data: dict[str, Any]) -> Iterator[Observation]:
        given = numbers_in(data)
        for digits in given.values():
            self._numbers.setdefault(digits, set()).add(known.card)
        numbers = known.numbers | given
        known.numbers = numbers
        if len(numbers) > 1:
            differing = sorted(name for name, digits in numbers.items() if digits != next(iter(numbers.values())))
            yield Observation(
                "reading.numbers-agree",
                not differing,
                "one number in all of a session's answers",
                f"{', '.join(differing)} differ from {next(iter(numbers))}",
                f"customerData.{differing[0]}" if differing else "",
            )

    def judge_photo(self, session: str, card: str, photo: Any) -> Iterator[Observation]:
        if isinstance(photo, str) and photo:
            owner, shown = self._photos.setdefault(photo, (session, card))
            yield Observation(
                "result.photo-path",
                owner == session or shown == card,
                "a path of this customer's own",
                "the path that another session's customer got",
                "customerData.photo",
            )

    def _judge_picture(self, picture: Picture, data: dict[str, Any]) -> Iterator[Observation]:
        """Whether parts of a reading are another card's: what many people share tells by its company, or by repetition.

        One picture that is read right once and as another card the next time was not misread; nor was one of which two
        parts are one other card's, where both are read right otherwise.
        """
        if self._most:
            return  # Among very many cards any value is another's, and a load's pictures are bad ones.
        truth = self._truths.get(picture.card, {})
        key = picture.card, picture.side, picture.size, picture.media_type
        seen = self._pictures.setdefault(key, {})
        found: dict[str, set[str]] = {}
        for name, right in compare(data, {n: printed for n, printed in truth.items() if n not in _TELLING}).items():
            value = data.get(name)
            if not isinstance(value, str) or not value:
                continue
            if right:
                seen.setdefault(name, set()).add(_RIGHT)
                continue
            owners = {c for c, other in self._truths.items() if c != picture.card and _printed_as(name, value, other)}
            if owners:
                seen.setdefault(name, set()).add(value)
                if name in _SELDOM_SHARED and owners & {*self._latest}:
                    self._left_behind.add((key, name))
                if self._fields[name][True]:
                    found[name] = owners
        for name, values in seen.items():
            if _RIGHT in values and len(values) > 1:
                self._borrowed[name].add(picture.card)
                # What many share may be another's by chance, but hardly that of the person who was read just before.
                if name not in _FEW_VALUES or len(self._borrowed[name]) > 1 or (key, name) in self._left_behind:
                    seen[name] = {_RIGHT}
                    yield self._crossed(
                        "one reading of one picture, its own person's",
                        f"{name} was right, and another session's person's, for one and the same picture",
                        name,
                    )
                    return
        # A birth date is one of thousands: that of another who was shown, on two cards, was not misread.
        if "birthdate" in found:
            self._another_born.add(picture.card)
            if len(self._another_born) > 1:
                yield self._crossed(
                    "one customer for one session, and another for another",
                    "birthdate is another session's person's",
                    "birthdate",
                )
                return
        # Of two dates the one may be reckoned from the other.
        together = [(one, two) for one, two in combinations(found, 2) if not {one, two} <= {*_DATED}]
        pair = next(((one, two) for one, two in together if found[one] & found[two]), None)
        if pair is not None:
            cards = self._borrowed[" and ".join(pair)]
            cards.add(picture.card)
            if len(cards) > 1:
                yield self._crossed(
                    "one customer for one session, and another for another",
                    f"{pair[0]} and {pair[1]} are another session's person's",
                    pair[0],
                )

    def _judge_other_side(self, picture: Picture, data: dict[str, Any]) -> Iterator[Observation]:
        """A date that only the other side prints is null or that side's: a default is not a date of the card."""
        truth = self._truths.get(picture.card, {})
        for name in _OTHER_SIDES.get(picture.side, ()):
            value, printed = data.get(name), truth.get(name)
            if not isinstance(value, str) or not value or not printed or _same_month(value, printed):
                continue
            self._undated[name].add(picture.card)
            if len(self._undated[name]) > 1:
                yield Observation(
                    "reading.no-date", False, "a date of the card, or null",
                    f"{name}, which the {picture.side} does not print, is another date", f"customerData.{name}",
                )  # fmt: skip

    def _count_letters(self, card: str, name: str, value: str, printed: str) -> None:
        """Of an Arabic text that is right but for letters that are often taken for one another: which were kept."""
        alike = len(value) == len(printed) and value.translate(_CARRIERS) == printed.translate(_CARRIERS)
        self._texts[alike] += 1
        if not alike:
            return
        for came, letter in zip(value, printed, strict=True):
            if ord(letter) in _CARRIERS:
                for where in ("", name):
                    self._letters[letter, where].add(f"{card} {name}", kept=came == letter)

    def always_replaced(self) -> Iterator[Observation]:
        """At the end of a run: letters that never came as they are printed, in texts that are right otherwise."""
        with self._lock:
            if self._texts[True] < _READS_WELL * self._texts.total():
                return  # Who reads badly may well read this badly, too.
            everywhere = {letter for (letter, name), seen in self._letters.items() if not name and seen.never_kept}
            for (letter, name), seen in sorted(self._letters.items()):
                if seen.never_kept and (not name or letter not in everywhere):
                    yield _replaced(letter, seen.replaced, name)

    def _count_fields(self, card: str, data: dict[str, Any], truth: Mapping[str, str]) -> None:
        for name, right in compare({**data}, truth).items():
            value = data.get(name)
            # Letters that were lost on the way, and dates in another form, are other causes, judged by themselves.
            if not isinstance(value, str) or not value or what_is_wrong(value):
                continue
            if name in DATES and moment_of(value) is None:
                continue
            if name == "issueDate":
                # The card prints its month; the day is the vendor's choice.
                right = _same_month(value, truth[name])
            if name in _COMPARED or (name in _COMPARED_IN_ARABIC and _ARABIC.search(value)):
                self._fields[name][right] += 1
            if name in _LETTERED and _ARABIC.search(value):
                self._count_letters(card, name, value, truth[name])

    def always_wrong(self) -> Iterator[Observation]:
        """At the end of a run: properties that were wrong in every reading while the others were right."""
        with self._lock:
            wrong = {name: counts[False] for name, counts in self._fields.items() if not counts[True]}
            right = sum(counts[True] for counts in self._fields.values())
            seen = sum(counts[True] + counts[False] for name, counts in self._fields.items() if name not in wrong)
        if seen < _ENOUGH_READINGS or right < _READS_WELL * seen:
            return  # Who reads badly may well read this badly, too.
        for name, times in wrong.items():
            if times >= _ENOUGH_READINGS:
                yield Observation(
                    "reading.own-fields", False, f"{name} as the card prints it, at least now and then",
                    f"{name} was wrong in each of {times} readings", f"customerData.{name}",
                )  # fmt: skip
        if not wrong:
            yield Observation("reading.own-fields", True)

    def _judge_print(self, card: str, data: dict[str, Any]) -> Iterator[Observation]:
        """Whether values were mangled or misplaced after they were read right."""
        truth = self._truths.get(card, {})
        self._count_fields(card, data, truth)
        yield from self._swapped(data, truth)
        slips: dict[str, str] = {}
        right = misread = 0
        divided: set[str] = set()
        for full, names in _DIVIDED.items():
            if _divided(names, data, truth):
                divided |= {*names}
                slips[names[0]] = "ends at another word than the card's own line"
            elif _lacks_words(full, names[0], data, truth):
                divided.add(names[0])
                slips[names[0]] = f"lacks words of it that {full} has"
        for name in (*_AS_PRINTED, *ENGLISH_NAMES, *_DATED):
            value, printed = data.get(name), truth.get(name)
            if not isinstance(value, str) or not value or not printed or name in divided:
                continue
            if name in _DATED and _same_day(value, printed):
                written = parse_date_time(value).date() == date.fromisoformat(printed)
                yield Observation(
                    "reading.time-zone", written, "the day that the card prints, as it is written",
                    "the same moment, written as another day", f"customerData.{name}",
                )  # fmt: skip
            if value == printed or (name in _DATED and _same_day(value, printed)):
                right += 1
            elif how := _mangled(value, printed):
                yield self._slipped(name, how)
                return
            elif _ARABIC.search(printed) and value == truth.get(f"{name}En"):
                yield Observation(
                    "reading.letters", False, "the card's own Arabic letters", f"{name} is the English name",
                    f"customerData.{name}",
                )  # fmt: skip
                return
            elif slip := _slip(name, value, printed, truth):
                slips[name] = slip
            elif name in _AS_PRINTED and not (value.isascii() and not printed.isascii()):
                misread += 1
        if misread or not right:
            return  # Who reads badly may well read this badly, too.
        for name, slip in slips.items():
            cards = self._slips.setdefault(f"{name} {slip}", set())
            cards.add(card)
            if len(cards) > 1:
                yield self._slipped(name, slip)
                return
        yield Observation("reading.as-printed", True)

    @staticmethod
    def _swapped(data: dict[str, Any], truth: Mapping[str, str]) -> Iterator[Observation]:
        """Two properties that hold each other's printed value."""
        # Words may be English ones; the very words of the card in another's place are none of its own in any language.
        given = [name for name in (*_COMPARED, *_IN_WORDS) if isinstance(data.get(name), str) and truth.get(name)]
        for first, second in combinations(given, 2):
            there, here = plain(truth[first]), plain(truth[second])
            if there != here and plain(data[first]) == here and plain(data[second]) == there:
                yield Observation(
                    "reading.own-fields", False, f"{first} and {second} as the card prints them",
                    f"{first} and {second} stand in each other's place", f"customerData.{first}",
                )  # fmt: skip

    @staticmethod
    def _slipped(name: str, how: str) -> Observation:
        return Observation("reading.as-printed", False, f"{name} as the card prints it", how, f"customerData.{name}")

    def _judge_translation(self, step: Step, data: dict[str, Any]) -> Iterator[Observation]:
        given = [name for name in ENGLISH_NAMES if data.get(name) is not None]
        originals = [name for name in ENGLISH_NAMES if data.get(name.removesuffix("En"))]
        if not originals and not given:
            return
        if self.translation == "auto" and step == flow().first:
            self.translation = "on" if given else "off"
        untranslated = [name for name in given if _ARABIC.search(str(data[name]))]
        if untranslated:
            yield Observation(
                "result.translation",
                False,
                "English names in Latin letters",
                f"{', '.join(untranslated)} in Arabic letters",
                f"customerData.{untranslated[0]}",
            )
        elif self.translation == "on":
            lacking = [name for name in originals if not data.get(name)]
            yield Observation(
                "result.translation",
                not lacking,
                "the three English names, as translation is on",
                f"{', '.join(lacking)} null or empty",
                f"customerData.{lacking[0]}" if lacking else "",
            )
        elif self.translation == "off":
            yield Observation(
                "result.translation",
                not given,
                "English names null, as translation is off",
                f"{', '.join(given)} given",
                f"customerData.{given[0]}" if given else "",
            )

    def _foreign(self, exchange: Exchange) -> Iterator[Observation]:
        """Another customer's data in a refusal, in either of its forms, or in the headers of any answer."""
        if exchange.status is None:
            return
        headers = "\n".join(value for _, value in exchange.answer_headers)
        shown = self._whose(exchange, headers)
        if exchange.status >= 400 or success_of(exchange) is False:
            in_body = self._whose(exchange, exchange.answer_body.decode("utf-8", "replace"))
            if in_body or shown:
                yield Observation(
                    "refusal.no-leak",
                    False,
                    "no other customer's data in a refusal",
                    f"it shows another customer's {in_body or shown}",
                    "body" if in_body else "headers",
                    # The header that has it in accepted answers has it here too.
                    plainly="" if in_body else "session.own-customer",
                )
        elif shown:
            yield Observation(
                "session.own-customer",
                False,
                "one customer for one session, and another for another",
                f"a header shows another customer's {shown}",
                "headers",
            )

    def _whose(self, exchange: Exchange, text: str) -> str:
        """What of another customer `text` shows; empty when it shows nothing."""
        session = self._sessions.get(exchange.session)
        own_card = exchange.picture.card if exchange.picture is not None else session.card if session else None
        own = set(self._truths.get(own_card, {}).values()) if own_card else set()
        # Looked up by what stands there: a load remembers very many customers, and each answer has headers.
        for shown in _UUID.findall(text.lower()):
            if self._customers.get(shown, (exchange.session,))[0] != exchange.session:
                return "customer id"
        if own_card is not None:
            for shown in _LONG_NUMBER.findall(text):
                if own_card not in self._numbers.get(shown, {own_card}):
                    return "number"
        for card, truth in self._truths.items():
            if card == own_card:
                continue
            for name in _TELLING:
                value = truth.get(name)
                if value and len(value) >= 8 and value in text and value not in own:
                    return name
        return ""
