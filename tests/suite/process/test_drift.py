"""Pins and drift: what changed is said, what only chance moved is not, and nothing of a person is pinned."""

import json
from collections.abc import Mapping
from datetime import date
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kycgate.errors import UsageError
from kycgate.judging.behaviour import SECTIONS, Behaviour
from kycgate.judging.drift import Pins, drift_since, load_pins, pins_of, save_pins
from kycgate.runs.model import DriftItem, Observed, OpenPointResult, Run
from kycgate.sandbox import TENANT, TENANT_SECRET, RunningSandbox, SandboxSettings, variants
from kycgate.settings.profile import Limits, Profile
from kycgate.specimens import card_set
from kycgate.target.exchange import Clocks, Exchange, Picture
from kycgate.target.redaction import Redactor
from kycgate.tests.suite.checks import checked
from kycgate.tests.suite.command_line import kycgate
from kycgate.tests.suite.process.test_cli import SECRETS

DAY = date(2026, 11, 25)


def run_of(*observed: Observed, target: str = "https://vendor.example") -> Run:
    return Run(command="check", verdict="kept", exit_code=0, target=target, behaviour=list(observed))


def seen(subject: str, counts: Mapping[str, int], section: str = "answers") -> Observed:
    return Observed(section=section, subject=subject, counts=dict(counts))


def drift(before: Mapping[str, int], now: Mapping[str, int], section: str = "answers") -> list[DriftItem]:
    return drift_since(pins_of([run_of(seen("x", before, section))], pinned=DAY), [seen("x", now, section)])[0]


@pytest.mark.parametrize(
    ("before", "now", "kind"),
    [
        ({"200": 5}, {"200": 1}, None),
        ({"200": 1}, {"400": 1}, "changed"),
        ({"200": 5}, {"200": 5, "400": 1}, "new"),
        ({"200": 30, "500": 10}, {"200": 40, "500": 1}, None),
        # 10 of 40, then none of 5: three in a hundred by chance; none of 60: one in twenty thousand.
        ({"200": 30, "500": 10}, {"200": 5}, None),
        ({"200": 30, "500": 10}, {"200": 60}, "gone"),
        ({"200": 39, "500": 1}, {"200": 400}, None),
        ({"200": 1, "500": 1}, {"500": 90}, None),
        ({"200": 20, "500": 20}, {"404": 1}, "changed"),
    ],
)
def test_a_set_is_compared_as_a_set(before: dict[str, int], now: dict[str, int], kind: str | None) -> None:
    assert [item.kind for item in drift(before, now)] == ([kind] if kind else [])


def test_gone_is_said_by_chance_in_less_than_one_case_of_a_thousand() -> None:
    """A target that answers otherwise in one case of ten, pinned and seen again: nothing has changed."""
    import random

    rng = random.Random(1)
    said = 0
    for _ in range(4_000):
        before, now = ([rng.random() < 0.1 for _ in range(n)] for n in (60, 60))
        if any(before):
            counts = {"500": sum(before), "200": 60 - sum(before)}
            said += any(i.kind == "gone" for i in drift(counts, {"200": 60} if not any(now) else counts))
    assert said <= 10


@given(st.dictionaries(st.text(max_size=12), st.integers(1, 40), min_size=1, max_size=4))
def test_what_was_pinned_is_no_drift_in_itself(counts: dict[str, int]) -> None:
    assert drift(counts, counts) == []


def test_headers_and_properties_that_come_and_go_are_seen() -> None:
    """In a group that was observed, a name that is not there was absent; a group that was not observed says nothing."""
    pins = pins_of(
        [
            run_of(
                seen("step-200 date", {"present": 9}, "headers"),
                seen("step-400 via", {"present": 1, "absent": 8}, "headers"),
            )
        ],
        pinned=DAY,
    )
    found, unseen = drift_since(
        pins, [seen("step-200 date", {"present": 7}, "headers"), seen("step-200 x-new", {"present": 7}, "headers")]
    )
    assert [(i.subject, i.kind, i.before, i.now) for i in found] == [
        ("headers: step-200 x-new", "changed", ["absent"], ["present"])
    ]
    assert unseen == 1
    found, _ = drift_since(pins, [seen("step-200 server", {"present": 7}, "headers")])
    assert {(i.subject, i.now[0]) for i in found} == {
        ("headers: step-200 date", "absent"),
        ("headers: step-200 server", "present"),
    }


def test_questions_that_one_side_never_asked_say_nothing() -> None:
    pins = pins_of([run_of(seen("x", {"200": 3}))], pinned=DAY)
    assert drift_since(pins, [seen("y", {"500": 3})]) == ([], 1)


def test_several_runs_are_counted_together(tmp_path: Path) -> None:
    """Intermittent behaviour is pinned as the set that all runs have shown."""
    pins = pins_of([run_of(seen("x", {"200": 3})), run_of(seen("x", {"200": 2, "503": 1}))], pinned=DAY)
    assert (pins.answers["x"], pins.runs) == ({"200": 5, "503": 1}, 2)
    with pytest.raises(UsageError, match="several targets"):
        pins_of([run_of(target="https://a.example"), run_of(target="https://b.example")], pinned=DAY)
    with pytest.raises(UsageError, match="nothing was observed"):
        pins_of([run_of()], pinned=DAY)


TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)


@given(
    st.dictionaries(TEXTS, st.dictionaries(TEXTS, st.integers(1, 99), min_size=1, max_size=3), min_size=1, max_size=5)
)
def test_files_give_back_what_was_pinned(subjects: dict[str, dict[str, int]]) -> None:
    import tempfile

    pins = pins_of([run_of(*(seen(name, counts) for name, counts in subjects.items()))], pinned=DAY)
    with tempfile.TemporaryDirectory() as folder:
        for name in ("kycgate.pins.toml", "kycgate.judging.drift.json"):
            save_pins(pins, Path(folder) / name)
            assert load_pins(Path(folder) / name) == pins


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("x.toml", "pinned = [", "are wrong"),
        ("x.toml", "pinned = 2026-11-25\ncolour = 1\n", "unknown key colour"),
        ("x.toml", "pinned = 2026-11-25\n[answers]\nx = 7\n", "answers.x"),
        ("x.toml", "pinned = 2026-11-25\npins_version = 9\n", "newer kycgate"),
        ("x.json", "[1]", "are wrong"),
    ],
)
def test_wrong_pins_are_one_line(name: str, text: str, says: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        load_pins(tmp_path / name)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def exchange(body: bytes, *, status: int = 200, turn: str | None = "in its turn", **more: object) -> Exchange:
    answer = Exchange(
        1, "upload_front", "POST", "/", {}, b"{}", "s1", Clocks(0, 0, 1), status=status, answer_body=body, turn=turn,
        answer_headers=[("Content-Type", "application/json"), ("X-Trace", "1")], picture=Picture("c", "front", 9),
    )  # fmt: skip
    for name, value in more.items():
        setattr(answer, name, value)
    return answer


def behaviour_of(*exchanges: Exchange) -> dict[str, dict[str, int]]:
    behaviour = Behaviour(Redactor())
    for one in exchanges:
        behaviour.note(one, {})
    return {item.subject: item.counts for item in behaviour.observed([])}


def test_nothing_of_a_person_is_pinned() -> None:
    """Whatever a vendor puts where words and codes belong."""
    data = {
        "idNumber": "29901011234567", "gender": "SPECIMEN Ahmed", "religion": "SPECIMEN Mona",
        "fullName": "SPECIMEN Ali", "29901011234567": "x", "birthdate": "1999-01-01T00:00:00Z",
    }  # fmt: skip
    answer = {"isSuccess": True, "message": "SPECIMEN Ali", "errorCode": "29901011234567", "customerData": data}
    text = json.dumps(behaviour_of(exchange(json.dumps(answer).encode())))
    assert "SPECIMEN" not in text
    assert "299010" not in text
    assert "another word, Latin" in text


def test_what_chance_decided_or_got_no_answer_is_not_counted() -> None:
    assert behaviour_of(exchange(b"{}", turn=None), exchange(b"{}", status=429), exchange(b"", status=None)) == {}  # type: ignore[arg-type]


def test_what_is_not_there_is_absent() -> None:
    reading = {"isSuccess": True, "customerData": {"gender": None, "state": ""}}
    bare = {"isSuccess": True, "customerData": {"gender": None}}
    found = behaviour_of(*(exchange(json.dumps(body).encode()) for body in (reading, bare, bare)))
    assert found["upload_front gender"] == {"null": 3}
    assert found["upload_front state"] == {"absent": 2, "empty text": 1}
    assert found["step-200 x-trace"] == {"present": 3}
    assert found["upload_front customerData"] == {"gender": 2, "gender state": 1}


def test_open_points_are_questions_each_of_its_own() -> None:
    points = [OpenPointResult(id="png", question="?", observed=["a PNG: read"], counts={"a PNG: read": 2})]
    assert Behaviour(Redactor()).observed(points) == [seen("png, a PNG", {"read": 2}, "choices")]


# Against the sandbox; `benchmarks/drift.py` does it for every setting (docs/drift.md).


@cache
def observed(name: str, seed: int) -> tuple[Observed, ...]:
    gate = checked(variants()[name], seed, Profile(limits=Limits(requests=230, uploads=60)))
    return tuple(gate.behaviour.observed(gate.ledger.open_points()))


@pytest.mark.whole
@pytest.mark.parametrize("name", ["default", "everything"])
def test_no_drift_between_seeds_of_one_target(name: str) -> None:
    pins = pins_of([run_of(*observed(name, 1))], pinned=DAY)
    changed, not_looked_at = drift_since(pins, observed(name, 2))
    assert not changed
    # Whether a limit in time was met is chance on a busy machine.
    assert not_looked_at <= 3
    assert {section for section, _ in pins.subjects} == set(SECTIONS)


def test_liberties_taken_show_as_drift() -> None:
    pins = pins_of([run_of(*observed("default", 1))], pinned=DAY)
    changed = {item.subject for item in drift_since(pins, observed("everything", 2))[0]}
    assert {
        "choices: credentials-form",
        "choices: date-times",
        "choices: words",
        "fields: upload_front fullNameEn",
        "order: upload_front, isSuccess true",
        "answers: upload_back legal, out of turn",
        "answers: upload_front a file that is no image, in its turn",
        "words: gender, male",
    } <= changed


def test_a_pins_file_is_stable_and_holds_no_person(tmp_path: Path) -> None:
    for seed in (1, 2):
        save_pins(pins_of([run_of(*observed("default", seed))], pinned=DAY), tmp_path / f"{seed}.toml")
    text = (tmp_path / "1.toml").read_text(encoding="utf-8")
    assert text == (tmp_path / "2.toml").read_text(encoding="utf-8")
    assert "# Are credentials written bare, as Bearer, or either way?" in text
    closed = {"gender", "religion", "maritalStatus", "nationality", "profession"}
    for number in range(1, 12):
        drawn = card_set(10_000 + number)
        for name, value in {**drawn.front.truth, **drawn.back.truth}.items():
            assert name in closed or value not in text


def test_pin_then_check_from_the_command_line(tmp_path: Path) -> None:
    """Pinned; the vendor changes nothing, then its words; a note by default, exit 1 where that was asked for."""
    few = ("--budget", "90", "--uploads", "30")
    tenants = {TENANT: TENANT_SECRET}
    with RunningSandbox(SandboxSettings(tenants=tenants)) as before:
        done = kycgate("pin", "--base-url", before.base_url, *few, cwd=tmp_path, env=SECRETS)
        assert done.returncode == 0, done.stderr
        assert isinstance(load_pins(tmp_path / "kycgate.pins.toml"), Pins)
    (tmp_path / "kycgate.toml").write_text('pins = "kycgate.pins.toml"\n', encoding="utf-8")
    with RunningSandbox(SandboxSettings(tenants=tenants, words="English")) as after:
        for name, more, code in (("note", (), 0), ("fail", ("--fail-on-drift",), 1)):
            call = ("check", "--profile", "kycgate.toml", "--base-url", after.base_url, "--out", name, *few, *more)
            done = kycgate(*call, cwd=tmp_path, env=SECRETS)
            run = json.loads((tmp_path / name / "run.json").read_text(encoding="utf-8"))
            assert (done.returncode, run["exit_code"]) == (code, code), done.stdout + done.stderr
            assert {"subject": "choices: words", "kind": "changed", "before": ["Arabic"], "now": ["English"]} in run[
                "drift"
            ]
            assert not any(clause["verdict"] == "broken" for clause in run["clauses"])
            assert "drift  choices: words  changed: Arabic → English" in done.stdout
            assert "changed since the pins" in (tmp_path / name / "summary.md").read_text(encoding="utf-8")
    done = kycgate("pin", str(tmp_path / "note"), "--out", "kycgate.pins.toml", cwd=tmp_path)
    assert (done.returncode, "changed  choices: words  Arabic -> English" in done.stdout) == (0, True)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["check", "--sandbox", "--pins", "missing.toml"], "cannot read the pins"),
        (["check", "--sandbox", "--fail-on-drift"], "give --pins"),
        (["pin", "--out", "pins.yaml"], "neither .toml nor .json"),
        (["pin", "--out", "nowhere/pins.toml"], "no folder nowhere"),
        (["pin", "missing"], "no run.json"),
    ],
)
def test_wrong_calls_end_2(arguments: list[str], says: str, tmp_path: Path) -> None:
    done = kycgate(*arguments, cwd=tmp_path)
    assert (done.returncode, says in done.stderr) == (2, True), done.stderr
