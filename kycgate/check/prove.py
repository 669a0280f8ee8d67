"""Proves the check: every fault of the sandbox must be found, no faithful variant accused."""

import json
import multiprocessing
import os
import platform
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

import kycgate
from kycgate.check.embedded import embedded_sandbox
from kycgate.check.runner import run_contract_tests
from kycgate.check.trial import KEY_VARIANTS, Kind, Trial
from kycgate.check.under_load import FAITHFUL, trial_under_load
from kycgate.contracts.clauses import CORE
from kycgate.contracts.flows import Choice, choice, choose, flow
from kycgate.errors import CannotJudge, UsageError
from kycgate.files import write_atomically
from kycgate.gate.gate import Gate
from kycgate.processes import collect_seldom, end_with_parent
from kycgate.runs.clause import Verdict
from kycgate.runs.verdict import exit_code_of
from kycgate.sandbox import FAULTS, LOAD_FAULTS, SandboxSettings, variants
from kycgate.sandbox.variants import LIBERTIES
from kycgate.settings.profile import Limits, Profile
from kycgate.text import nearest

SEED = 7


def trial(kind: Kind, name: str, *, quick: bool = False) -> Trial:
    """Check one sandbox in this process, or let a load meet it.

    When `quick`, a fault is first looked for by the tests of its own clause alone; a rare one may take the whole check.
    """
    if kind == "load":
        return trial_under_load(name)
    if quick and kind == "fault":
        found = _trial(kind, name, {FAULTS.load()[name].clause})
        if found.passed:
            return found
    return _trial(kind, name, ())


class Checked(NamedTuple):
    """The gate after a strict check: what was not tried, by clause, why it ended early, and its seconds."""

    gate: Gate
    not_tried: dict[str, str]
    cannot: str
    seconds: float


def checked(
    settings: SandboxSettings | None = None, faults: tuple[str, ...] = (), *, keys: int = 0, only: Collection[str] = ()
) -> Checked:
    """Check a sandbox of this process, as far as its faults leave it possible."""
    profile = Profile(limits=Limits().within_flow(flow()))
    with embedded_sandbox(profile, settings, faults, keys=keys) as embedded:
        gate = Gate(embedded.profile, embedded.secrets, seed=SEED, expired_token=embedded.expired_token)
        cannot, not_tried = "", dict[str, str]()
        begun = time.monotonic()
        try:
            gate.preflight()
            not_tried = run_contract_tests(gate, strict=True, only=only).not_tried
        except CannotJudge as error:
            cannot = str(error)
        finally:
            cannot = gate.settle() or cannot
            gate.close()
        return Checked(gate, not_tried, cannot, time.monotonic() - begun)


def _trial(kind: Kind, name: str, only: Collection[str]) -> Trial:
    fault = FAULTS.load()[name] if kind == "fault" else None
    keys = 3 if name in KEY_VARIANTS else 0
    settings = None if fault else (variants() | KEY_VARIANTS)[name]
    gate, not_tried, cannot, seconds = checked(settings, (name,) if fault else (), keys=keys, only=only)
    results = gate.ledger.results(not_tried)
    code, reason = exit_code_of(results, [], strict=True, cannot_judge=cannot, demanded=CORE)
    own = next((r for r in results if fault and r.id == fault.clause and r.findings), None)
    numbers = [f.exchange.number for f in own.findings if f.exchange] if own else []
    return Trial(
        kind=kind,
        name=name,
        clause=fault.clause if fault else "",
        exit_code=int(code),
        broken=[r.id for r in results if r.verdict is Verdict.BROKEN],
        findings=[r.id for r in results if r.verdict is Verdict.BROKEN and not r.cause],
        not_tried=[r.id for r in results if r.verdict is Verdict.NOT_TRIED],
        by_test=own.findings[0].test if own else "",
        after=min(numbers, default=0),
        requests=gate.budget.requests_sent,
        uploads=gate.budget.uploads_sent,
        seconds=round(seconds, 2),
        reason=reason,
    )


def prove(
    out: Path, only: Sequence[str], *, resume: bool, quick: bool = False, say: Callable[[str], None]
) -> list[Trial]:
    """Run all trials; write prove.json after each and prove.md at the end. `quick` is that of `trial`.

    Returns their results, in the order of their kinds and names.

    Raises:
        UsageError: a name is unknown, or the folder or its prove.json cannot be used.
    """
    jobs = trials_named(only)
    # A fault or a variant that there is no more is left out of what a resumed proof says.
    known = {f"{kind} {name}" for kind, name in trials_named(())}
    done = {name: kept for name, kept in _load(out / "prove.json").items() if name in known} if resume else {}
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot write to {out}: {error.strerror}") from None
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), mp_context=context, initializer=_begin, initargs=(choice(),)) as pool:
        futures = [pool.submit(trial, kind, name, quick=quick) for kind, name in jobs if f"{kind} {name}" not in done]
        for future in as_completed(futures):
            result = future.result()
            done[f"{result.kind} {result.name}"] = result
            say(f"{'ok  ' if result.passed else 'FAIL'} {result.kind} {result.name}: {result.reason}")
            write_atomically(out / "prove.json", json.dumps([t.model_dump() for t in done.values()], indent=1))
    results = sorted(done.values(), key=lambda t: (t.kind, t.name))
    write_atomically(out / "prove.md", _markdown(results, quick=quick))
    faults = [t for t in results if t.kind == "fault"]
    faithful = [t for t in results if t.kind == "variant"]
    under_load = [t for t in results if t.kind == "load"]
    say(
        f"{sum(t.passed for t in faults)} of {len(faults)} faults found, "
        f"{sum(t.exit_code != 0 for t in faithful)} false alarms in {len(faithful)} faithful variants, "
        f"{sum(t.passed for t in under_load)} of {len(under_load)} loads as they should be"
    )
    return results


def _begin(chosen: Choice) -> None:
    """One process begins: it ends with its parent, and judges by the same flow."""
    end_with_parent()
    collect_seldom()
    choose(chosen)


def trials_named(only: Sequence[str]) -> list[tuple[Kind, str]]:
    """The trials, or those of these names.

    Raises:
        UsageError: no fault or variant has this name.
    """
    jobs: list[tuple[Kind, str]] = [("fault", name) for name in FAULTS.load()]
    jobs += [("variant", name) for name in variants() | KEY_VARIANTS]
    jobs += [("load", name) for name in (FAITHFUL, *LOAD_FAULTS)]
    unknown = set(only) - {name for _, name in jobs}
    if unknown:
        name = min(unknown)
        raise UsageError(f"no fault or variant is named {name!r}{nearest(name, [known for _, known in jobs])}")
    return [job for job in jobs if not only or job[1] in only]


def _load(path: Path) -> dict[str, Trial]:
    if not path.exists():
        return {}
    try:
        return {
            f"{t.kind} {t.name}": t for t in map(Trial.model_validate, json.loads(path.read_text(encoding="utf-8")))
        }
    except (OSError, ValueError, TypeError, ValidationError):
        raise UsageError(f"{path} is damaged: delete it, or run without --resume") from None


def versions() -> str:
    """When the trials ran, and by which versions."""
    return f"{datetime.now(UTC):%Y-%m-%d}, kycgate {kycgate.__version__}, Python {platform.python_version()}."


def _markdown(results: Sequence[Trial], *, quick: bool) -> str:
    how = "--quick: each fault by the tests of its own clause first; " if quick else ""
    faults = [t for t in results if t.kind == "fault"]
    faithful = [t for t in results if t.kind == "variant"]
    lines = [
        "# What the check finds",
        "",
        f"Printed by `kycgate prove` ({how}strict, default budget). {versions()}",
        "",
        f"{sum(t.passed for t in faults)} of {len(faults)} faults found at their own clause;",
        f"{sum(t.exit_code != 0 for t in faithful)} false alarms in {len(faithful)} faithful variants.",
        f"{sum(len(t.findings) == 1 for t in faults)} of the faults are one finding (a cause, and what it touches).",
        "",
        "| fault | clause | found | by test | at request | requests | findings | also broken |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for t in faults:
        found = "yes" if t.passed else "no"
        where = f"{t.by_test} | {t.after} | {t.requests}"
        lines.append(f"| {t.name} | {t.clause} | {found} | {where} | {len(t.findings)} | {t.also} |")
    lines += ["", "| faithful variant | exit code | requests | uploads |", "| --- | --- | --- | --- |"]
    lines += [f"| {t.name} | {t.exit_code} | {t.requests} | {t.uploads} |" for t in faithful]
    if under_load := [t for t in results if t.kind == "load"]:
        lines += ["", "| only under load | clause | found | also broken |", "| --- | --- | --- | --- |"]
        for t in under_load:
            found = ("found" if t.passed else "no") if t.clause else "not accused" if t.passed else "accused"
            lines.append(f"| {t.name} | {t.clause} | {found} | {t.also} |")
    codes = {t.name: t.exit_code for t in faithful}
    lines += ["", "| what the sources leave open | taken by | accused |", "| --- | --- | --- |"]
    for what, names in LIBERTIES.items():
        if tried := [name for name in names if name in codes]:
            accused = ", ".join(name for name in tried if codes[name]) or "none"
            lines.append(f"| {what} | {', '.join(tried)} | {accused} |")
    return "\n".join(lines) + "\n"
