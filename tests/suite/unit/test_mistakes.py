"""Every mistake of a file at once, each with its line, in words of our own."""

import re
from pathlib import Path

import pytest

from kycgate.cli.main import main
from kycgate.errors import Mistakes, UsageError
from kycgate.judging.drift import load_pins
from kycgate.rehearsal.rehearse import cases
from kycgate.settings.mistakes import lines_of
from kycgate.settings.profile import load_profile
from kycgate.sla.policy import load_policy

PROFILE = """name = 3
base_ulr = "https://vendor.example"
translation = "perhaps"

[limits]
requests = 0
rate = "fast"

[paths]
upload_frnt = "/scan"

[environment]
api_keys = "AWS_SECRET"

[severity]
"order.closd" = "fail"

[[waiver]]
clause = "answer.in-time"
reason = "their ticket 17"
owner = "payments"
expires = 2026-12-31

[[waiver]]
clause = "order.closd"
reason = "again"
ownr = "payments"
expires = 2026-12-31
"""
SAID = [
    "line 1: name must be text in quotation marks",
    "line 2: unknown key base_ulr: did you mean 'base_url'?",
    "line 3: translation must be 'on', 'off' or 'auto'",
    "line 6: limits.requests must be at least 1",
    "line 7: limits.rate must be a number",
    "line 10: paths: no endpoint is named 'upload_frnt': did you mean 'upload_front'?",
    (
        "line 13: environment.api_keys is 'AWS_SECRET': a file may name variables that begin with KYCGATE_ alone; to "
        "use another, export KYCGATE_ENVIRONMENT__API_KEYS with its name"
    ),
    "line 16: severity.order.closd: no clause is named 'order.closd': did you mean 'order.closed'?",
    "line 25: clause (waiver 2): no clause is named 'order.closd': did you mean 'order.closed'?",
    "line 27: unknown key ownr (waiver 2): did you mean 'owner'?",
]


def mistakes(path: Path) -> list[str]:
    with pytest.raises(Mistakes) as wrong:
        load_profile(path)
    return list(wrong.value.mistakes)


def test_a_profile_says_all_its_mistakes_with_their_lines(tmp_path: Path) -> None:
    (tmp_path / "kycgate.toml").write_text(PROFILE)
    said = mistakes(tmp_path / "kycgate.toml")
    assert [text for text in said if "owner (waiver 2)" not in text] == SAID
    assert "line 24: owner (waiver 2) is missing" in said


@pytest.mark.parametrize(
    ("flow", "said"),
    [
        ('"nationl-id"', "flow: none is named 'nationl-id': did you mean 'national-id'?"),
        ('"gone.py"', "flow: there is no file"),
        ("3", "flow must be text in quotation marks"),
    ],
)
def test_an_unknown_flow_hides_no_other_mistake(flow: str, said: str, tmp_path: Path) -> None:
    """Clauses are not judged by a file that is not there: they may be its own."""
    (tmp_path / "kycgate.toml").write_text(f"flow = {flow}\n{PROFILE}")
    found = mistakes(tmp_path / "kycgate.toml")
    moved = [re.sub(r"^line (\d+)", lambda line: f"line {int(line[1]) + 1}", one) for one in SAID]
    with_names = [one for one in moved if "no clause" not in one or flow != '"gone.py"']
    assert found[0].startswith(f"line 1: {said}")
    assert [one for one in found[1:] if "owner (waiver 2)" not in one] == [
        one for one in with_names if "paths: no endpoint" not in one
    ]


def test_a_table_of_pyproject_has_the_lines_of_the_whole_file(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\nstrict = 1\n\n[tool.kycgate]\nstrict = 3\n')
    assert mistakes(tmp_path / "pyproject.toml") == ["line 6: strict must be true or false"]


def test_a_variable_of_the_environment_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "kycgate.toml").write_text("strict = 3\n")
    monkeypatch.setenv("KYCGATE_LIMITS__RATE", "fast")
    monkeypatch.setenv("KYCGATE_WAIVER", '[{"clause": "order.closed"}]')
    said = mistakes(tmp_path / "kycgate.toml")
    assert said[-1] == "line 1: strict must be true or false"
    assert "KYCGATE_LIMITS__RATE must be a number" in said
    assert "owner (KYCGATE_WAIVER 1) is missing" in said


def test_no_value_is_repeated(tmp_path: Path) -> None:
    (tmp_path / "kycgate.toml").write_text('[headers]\nA = "s3cret\\u0007"\n[credentials]\ncommand = {a = "s3cret"}\n')
    said = mistakes(tmp_path / "kycgate.toml")
    assert len(said) == 2
    assert "s3cret" not in str(said)


def test_a_policy_says_all_its_mistakes(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(
        'confidence = 2\n[[objective]]\nid = "a"\nkind = "latency"\nstep = "upload"\npercentil = 95\nlimit_ms = 1\n'
        '[[objective]]\nid = "b"\nkind = "speed"\n'
    )
    with pytest.raises(Mistakes) as wrong:
        load_policy(path)
    assert wrong.value.what == f"the policy {path} is wrong"
    assert list(wrong.value.mistakes) == [
        "line 1: confidence must be under 1",
        "line 2: percentile (objective 1) is missing",
        "line 6: unknown key percentil (objective 1): did you mean 'percentile'?",
        (
            "line 8: objective 2: kind must be one of 'availability', 'correctness', 'reading', 'latency', "
            "'throughput', 'max-latency', 'longest-outage', 'outage-count'"
        ),
    ]


def test_a_key_of_the_same_unit_that_is_missing_is_the_one_that_was_meant(tmp_path: Path) -> None:
    """Not the nearest spelling, which another kind of objective has."""
    path = tmp_path / "policy.toml"
    path.write_text(
        '[[objective]]\nid = "a"\nkind = "latency"\nstep = "upload"\npercentile = 95\nat_most_ms = 500\n'
        '[[objective]]\nid = "b"\nkind = "longest-outage"\nlimit_s = 60\n'
    )
    with pytest.raises(Mistakes) as wrong:
        load_policy(path)
    assert "line 6: unknown key at_most_ms (objective 1): did you mean 'limit_ms'?" in wrong.value.mistakes
    assert "line 10: unknown key limit_s (objective 2): did you mean 'at_most_s'?" in wrong.value.mistakes


def test_pins_say_all_their_mistakes(tmp_path: Path) -> None:
    path = tmp_path / "pins.toml"
    path.write_text('pinned = "soon"\nruns = 0\ncolour = 1\n[tokn]\n')
    with pytest.raises(Mistakes) as wrong:
        load_pins(path)
    assert list(wrong.value.mistakes) == [
        "line 1: pinned must be a date like 2026-12-31, without quotation marks",
        "line 2: runs must be at least 1",
        "line 3: unknown key colour",
        "line 4: unknown key tokn: did you mean 'token'?",
    ]


def test_lines_are_found_in_whatever_form_a_value_has() -> None:
    text = 'a = """\n[b]\nc = 1\n"""\r\nd = [\n  1,\n]\ne.f = { g = 1 }\n["h i".j]\nk = 1\n[[l]]\n[[l]]\n[l.m]\nn = 1\n'
    found = lines_of(text)
    assert ("b",) not in found
    assert {place: line for place, line in found.items() if place[-1] not in (0, 1)} == {
        ("a",): 1, ("d",): 5, ("e",): 8, ("e", "f"): 8, ("e", "f", "g"): 8, ("h i", "j"): 9, ("h i", "j", "k"): 10,
        ("l", 1, "m"): 13, ("l", 1, "m", "n"): 14,
    }  # fmt: skip
    assert (found["l", 0], found["l", 1]) == (11, 12)


def test_a_misspelt_case_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'approved-as-object'"):
        cases(only=["approved-as-objekt"])


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("KYCGATE_FLOW", "nationl-id", "KYCGATE_FLOW: none is named 'nationl-id': did you mean 'national-id'?"),
        ("KYCGATE_PATHS__UPLOD_FRONT", "/x", "paths: no endpoint is named 'uplod_front': did you mean 'upload_front'?"),
    ],
)
def test_a_name_from_the_environment_is_answered_with_the_nearest(
    name: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.argv", ["kycgate", "check", "--base-url", "http://127.0.0.1:1"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert said in capsys.readouterr().err
