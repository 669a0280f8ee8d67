"""Nothing leaks: what is planted comes out nowhere, even from a vendor that says everything back."""

import itertools
import json
import re
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from pydantic import SecretStr

from kycgate.load import LoadPlan, run_load
from kycgate.sandbox import TENANT, SandboxSettings
from kycgate.settings.profile import Secrets
from kycgate.tests.suite.canary import (
    HOSTILE,
    WRITINGS,
    Canaries,
    Ran,
    all_leaks,
    cards_shown,
    echo_vendor,
    run_watched,
    unique_secret,
    written,
)

SEED = 41
KYCGATE = [sys.executable, "-m", "kycgate"]
ROOT = Path(__file__).resolve().parents[3]


def none(leaks: list[str]) -> bool:
    """Whether there are none; else says them."""
    if leaks:
        pytest.fail("\n".join([f"{len(leaks)} leaks", *leaks[:60]]))
    return True


@pytest.mark.parametrize("way", WRITINGS)
def test_the_search_finds_what_is_there(way: str) -> None:
    """Else zero occurrences would prove nothing."""
    secret = unique_secret("key")
    canaries = Canaries({"key": secret}, {"name": "محمد علي حسن", "number": "29901010123413"})
    assert canaries.leaks("x", f"before {written(way, secret)} behind".encode())
    assert canaries.leaks("x", f"before {written(way, '29901010123413')} behind".encode())
    assert canaries.leaks("x", f"before {written(way, 'محمد علي حسن')} behind".encode())
    assert not canaries.leaks("x", b"nothing of the kind")


@pytest.mark.whole
def test_verify_against_a_vendor_that_echoes(tmp_path: Path) -> None:
    """Check, load, reports, terminal, command lines."""
    secret = unique_secret("tenant")
    with echo_vendor(SandboxSettings(tenants={TENANT: secret})) as vendor:
        env = {"KYCGATE_TENANT_ID": TENANT, "KYCGATE_TENANT_SECRET": secret}
        command = [*KYCGATE, "verify", "--base-url", vendor.base_url, "--out", "run", "--seed", str(SEED)]
        ran = run_watched([*command, "--load-rate", "6", "--duration", "3"], cwd=tmp_path, env=env)
        tokens = {f"token {n}": token for n, token in enumerate(sorted(vendor.tokens))}
    assert ran.code == 1, ran.said.decode()[-2000:]
    assert (tmp_path / "run" / "report.html").exists()
    assert len(tokens) > 20
    canaries = cards_shown(SEED, 5)
    canaries.secrets = {"tenant secret": secret, **dict(list(tokens.items())[::20])}
    assert none(all_leaks(canaries, [("verify", ran)], tmp_path))


def test_a_load_hides_what_an_answer_to_an_approval_says_back(tmp_path: Path) -> None:
    """No picture went with it, and its body holds no reading: the person is known by the session alone."""
    secret = unique_secret("tenant")
    with echo_vendor(SandboxSettings(tenants={TENANT: secret}), breaks=False) as vendor:
        vendor.fails_at = "ApproveFront"
        plan = LoadPlan(base_url=vendor.base_url, seed=SEED, rate=5, duration_s=1)
        outcome = run_load(plan, Secrets(tenant_id=TENANT, tenant_secret=SecretStr(secret)), tmp_path)
    said = json.dumps([breach.finding.model_dump(mode="json") for breach in outcome.breaches], ensure_ascii=False)
    assert "X-Echo" in said
    assert none(cards_shown(SEED, 5).leaks("breaches", said.encode()))


def test_a_hostile_vendor_takes_nothing_over(tmp_path: Path) -> None:
    """Page, Markdown, JUnit, terminal and CI log of a run against a vendor whose every word is an attack."""
    secret = unique_secret("tenant")
    huge = HOSTILE * (1_500_000 // len(HOSTILE))
    ran = {}
    for name, text in (("hostile", HOSTILE), ("huge", huge)):
        with echo_vendor(SandboxSettings(tenants={TENANT: secret}), hostile=text) as vendor:
            command = [*KYCGATE, "check", "--base-url", vendor.base_url, "--out", name, "--seed", str(SEED)]
            env = {"KYCGATE_TENANT_ID": TENANT, "KYCGATE_TENANT_SECRET": secret}
            budget = ["--budget", "60", "--uploads", "20"]
            ran[name] = run_watched([*command, *budget], cwd=tmp_path, env=env)
        assert ran[name].code in (1, 3), ran[name].said.decode()[-2000:]
        said = ran[name].said.decode()
        folder = tmp_path / name
        texts = {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir() if path.suffix != ".hlog"}
        for where, shown in {"terminal": said, **texts}.items():
            assert len(shown) < 4_000_000, where
            assert not set("\x1b\x07\x00\u202e") & set(shown), where
            assert not re.search(r"^\s*(::|##\[)", shown, re.MULTILINE), where
        assert "<script>alert" not in texts["report.html"]
        assert texts["report.html"].count("<script") == 1  # the page's own
        assert "onerror=alert(1)>" not in texts["report.html"]
        assert "<script" not in texts["summary.md"]
        assert "[link](" not in texts["summary.md"]
        assert "@everyone" not in texts["summary.md"]
        suite = ET.fromstring(texts["junit.xml"])  # noqa: S314 - we wrote it
        run = json.loads(texts["run.json"])
        assert len(suite.findall(".//testcase")) == len(run["clauses"]) + len(run["objectives"])
        assert not suite.findall(".//testcase[@name='injected']")


CRASH = """
import sys
from kycgate.gate import gate
def crash(exchange):
    raise RuntimeError(f"{exchange!r} {exchange.answer_body!r} {exchange.request_headers!r}")
gate.judge_answer = crash
from kycgate.cli.main import main
main()
"""


@pytest.mark.whole
def test_fixed_keys_plain_pytest_and_crashes(tmp_path: Path) -> None:
    keys = [unique_secret("key"), unique_secret("key").swapcase()]
    env = {"KYCGATE_API_KEYS": ",".join(keys)}
    ran: list[tuple[str, Ran]] = []
    with echo_vendor(SandboxSettings(api_keys=tuple(keys))) as vendor:
        url = ["--base-url", vendor.base_url, "--seed", str(SEED)]
        check = ["check", *url, "--budget", "90", "--uploads", "30"]
        ran.append(("check", run_watched([*KYCGATE, *check, "--out", "run"], cwd=tmp_path, env=env)))
        crash = [sys.executable, "-c", CRASH, *check, "--out", "crashed"]
        ran.append(("crash", run_watched(crash, cwd=tmp_path, env=env)))
        pytest_ = [
            sys.executable,
            "-m",
            "pytest",
            str(ROOT / "tests/contract/test_credentials.py"),
            f"--rootdir={ROOT}",
        ]
        pytest_ += [
            "-c",
            str(ROOT / "pyproject.toml"),
            "-p",
            "no:cacheprovider",
            "-l",
            f"--junitxml={tmp_path / 'pytest.xml'}",
        ]
        # Its breaches come in turns; those before, some of them sent at once, were not counted the same each time.
        vendor.turns = itertools.count()
        ran.append(("pytest", run_watched([*pytest_, *url], cwd=tmp_path, env=env)))
    canaries = cards_shown(SEED, 5)
    canaries.secrets = {f"key {n}": key for n, key in enumerate(keys)}
    assert {name: one.code for name, one in ran}["pytest"] == 1
    assert none(all_leaks(canaries, ran, tmp_path))


def test_locust_with_its_page_and_tables(tmp_path: Path) -> None:
    secret = unique_secret("tenant")
    with echo_vendor(SandboxSettings(tenants={TENANT: secret})) as vendor:
        env = {"KYCGATE_TENANT_ID": TENANT, "KYCGATE_TENANT_SECRET": secret}
        command = [sys.executable, "-m", "locust", "-f", str(ROOT / "load/locustfile.py"), "--host", vendor.base_url]
        command += [
            "--headless",
            "-u",
            "9",
            "-r",
            "9",
            "-t",
            "9s",
            "--html",
            "page.html",
            "--csv",
            "table",
            "--json-file",
            "all",
        ]
        ran = run_watched(command, cwd=tmp_path, env=env)
        canaries = Canaries({"tenant secret": secret})
        canaries.secrets |= {f"token {n}": token for n, token in enumerate(sorted(vendor.tokens)[:5])}
    assert (tmp_path / "page.html").exists(), ran.said.decode()[-2000:]
    assert "NoAnswer" in (tmp_path / "page.html").read_text()
    assert none(all_leaks(canaries, [("locust", ran)], tmp_path))
