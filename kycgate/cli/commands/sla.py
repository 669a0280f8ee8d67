"""`kycgate sla`: recorded runs, or a month of probes, against a policy."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kycgate.cli.groups import grouped
from kycgate.cli.options import EveryOption, OutOption, ProbedOption
from kycgate.cli.output import Output
from kycgate.errors import ExitCode, UsageError
from kycgate.text import counted

if TYPE_CHECKING:
    from pydantic import BaseModel

    from kycgate.runs.model import ObjectiveResult
    from kycgate.runs.period import PeriodResult
    from kycgate.sla.budget import Budget
    from kycgate.sla.policy import Policy


def register(app: typer.Typer) -> None:
    app.command()(sla)


@dataclass(frozen=True, slots=True)
class MonthOptions:
    """Which period of probes is judged, instead of runs."""

    period: Annotated[
        str | None,
        typer.Option("--period", help="Judge probes of a month (2026-11), quarter (2026-Q4) or year, not runs."),
    ] = None
    store: Annotated[str | None, typer.Option("--store", envvar="KYCGATE_STORE", help="Where the probes are kept.")] = (
        None
    )
    target: ProbedOption = None
    every: EveryOption = None
    alert: Annotated[
        bool,
        typer.Option("--alert", help="With --period: exit code 1 when the error budget burns too fast, else 0."),
    ] = False


@grouped
def sla(
    policy: Annotated[Path, typer.Option("--policy", help="An SLA policy (TOML).")],
    runs: Annotated[list[Path] | None, typer.Argument(help="The folders of recorded load runs.")] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Say what samples and seconds each objective needs.")] = False,
    rate: Annotated[
        float | None, typer.Option("--rate", min=0.001, help="With --plan: onboardings a second of the load.")
    ] = None,
    anytime: Annotated[
        bool, typer.Option("--anytime", help="Judge so that you may look, add runs, and look again.")
    ] = False,
    *,
    month: MonthOptions,
    openslo: Annotated[
        bool, typer.Option("--openslo", help="Print the policy as OpenSLO v1, as far as it means the same there.")
    ] = False,
    out: OutOption = None,
    output: Output,
) -> None:
    """Judge recorded runs, or a month of probes, against a policy: holds, broken, or not enough evidence."""
    from kycgate.extras import demand_load
    from kycgate.sla.policy import load_policy

    demand_load("sla")
    chosen = load_policy(policy)
    if openslo:
        if runs or month.period is not None or plan or output.json:
            raise UsageError("--openslo prints the policy, and takes neither runs nor --period, --plan or --json")
        _print_openslo(chosen, output)
    elif plan:
        _print_needs(chosen, rate, output)
    elif month.period is not None:
        if runs or anytime:
            raise UsageError("--period judges the probes of a store, and takes neither runs nor --anytime")
        _judge_month(chosen, month.period, month, output, out=out)
    elif runs:
        _judge_runs(chosen, runs, output, anytime=anytime)
    else:
        raise UsageError("name the folders of the runs to judge, or --period, --plan or --openslo")


def _print_openslo(policy: "Policy", output: Output) -> None:
    from kycgate.sla.openslo import to_openslo

    exported = to_openslo(policy)
    print(exported.text, end="", flush=True)
    for line in exported.left_out:
        output.tell(f"left out: {line}")


def _judge_runs(policy: "Policy", runs: list[Path], output: Output, *, anytime: bool) -> None:
    from kycgate.runs.folder import RunFolder
    from kycgate.runs.verdict import exit_code_of
    from kycgate.sla.judge import judge, not_of_runs
    from kycgate.sla.recording import Recording

    recorded = [Recording.read(RunFolder(path)) for path in runs]
    voids = [recording.load.health.void for recording in recorded if recording.load.health.void]
    objectives = judge(policy, recorded, anytime=anytime)
    if not objectives:
        raise UsageError("no objective of this policy is about load runs: --period judges a month of probes by it")
    _print_objectives(objectives, policy, output)
    notes = not_of_runs(policy)
    if policy.period.measure not in (None, "run"):
        said = f"the policy is about {policy.period.measure}s"
        notes.append(f"{said}: what a run shows owes no credit (--period judges one)")
    for note in notes:
        output.note(note)
    code, reason = exit_code_of([], objectives, strict=False, cannot_judge=f"void: {voids[0]}" if voids else "")
    said = reason if code else _hold(objectives)
    output.verdict(said)
    _print_document(output, policy, code, said, objectives, notes=notes)
    raise typer.Exit(int(code))


def _judge_month(policy: "Policy", text: str, options: MonthOptions, output: Output, *, out: Path | None) -> None:
    import kycgate
    from kycgate.cli.reporting import write_reports
    from kycgate.probing import open_store
    from kycgate.runs.folder import RunFolder
    from kycgate.runs.model import Run
    from kycgate.runs.verdict import exit_code_of
    from kycgate.sla.month import BEYOND, judge_month, write_evidence
    from kycgate.sla.spans import days_of, parse_span

    span = parse_span(text)
    if options.store is None:
        raise UsageError("--period takes a --store: `kycgate probe` makes one")
    if policy.period.measure not in (None, span.measure):
        raise UsageError(
            f"the policy measures a {policy.period.measure}, and {span.name} is a {span.measure}: "
            f'write measure = "{span.measure}" into its [period]'
        )
    days = days_of(span, policy.period.zone)
    now = datetime.now(UTC)
    with open_store(options.store) as store:
        chosen = target_of_store(store.targets(), options.target, store.name)
        # The probes next to the period say whether an outage at its border began, or ends, in another one.
        probes = store.probes(chosen, days[0].start - BEYOND, days[-1].end + BEYOND)
        name = store.name
    judged = judge_month(policy, span, probes, target=chosen, now=now, every_s=options.every)
    judged.period.store = name
    code, reason = exit_code_of([], judged.objectives, strict=False)
    run = Run(
        command="sla", verdict=code.word, exit_code=int(code), reason=reason, kycgate_version=kycgate.__version__,
        requests_sent=judged.sent[0], uploads_sent=judged.sent[1],
        target=chosen, profile=policy.name, started_at=now.isoformat(timespec="seconds"),
        finished_at=now.isoformat(timespec="seconds"), objectives=judged.objectives, period=judged.period,
        policy=policy.model_dump(mode="json"), notes=judged.notes,
    )  # fmt: skip
    folder = RunFolder.create(out, "sla")
    write_evidence(folder.path, judged, probes)
    folder.write_run(run)
    code = write_reports(folder, run, code)
    _print_month(judged.period, output)
    _print_objectives(judged.objectives, policy, output)
    for budget in judged.budgets:
        _print_budget(budget, output)
    for note in run.notes:
        output.line(f"note: {note}")
    said = reason if code else _hold(judged.objectives)
    output.verdict(said)
    output.note(f"report: {folder.path / 'report.html'}")
    alerts = any(burn.alerts for budget in judged.budgets for burn in budget.burns)
    _print_document(
        output, policy, code, said, judged.objectives,
        period=judged.period, budgets=judged.period.budgets, alerts=alerts, notes=run.notes,
    )  # fmt: skip
    if options.alert:
        raise typer.Exit(int(alerts))
    raise typer.Exit(int(code))


def _hold(objectives: "list[ObjectiveResult]") -> str:
    return f"{counted(len(objectives), 'objective')} hold{'s' * (len(objectives) == 1)}"


def _print_document(
    output: Output, policy: "Policy", code: ExitCode, reason: str, objectives: "list[ObjectiveResult]", **more: Any
) -> None:
    def answer() -> "BaseModel":
        from kycgate.cli.measured_answers import SlaAnswer

        return SlaAnswer.model_validate(
            {
                "verdict": code.word, "exit_code": int(code), "reason": reason, "policy": policy.name,
                "confidence": policy.confidence, "objectives": objectives, **more,
            }
        )  # fmt: skip

    output.document(answer)


def target_of_store(targets: dict[str, int], wanted: str | None, store: str) -> str:
    if wanted is not None:
        wanted = wanted.rstrip("/")
    if wanted in targets:
        return wanted
    known = ", ".join(targets) or "none"
    if wanted is None and len(targets) == 1:
        return next(iter(targets))
    if wanted is None and targets:
        raise UsageError(f"{store} has probes of several targets: say --target, one of {known}")
    raise UsageError(f"{store} has no probe of {wanted or 'any target'}: it has probes of {known}")


def _print_month(period: "PeriodResult", output: Output) -> None:
    every = f"{period.every_s:g} s ({'learned' if period.every_learned else 'as said'})"
    output.line(f"{period.name} ({period.zone}), {period.target}: {period.counted:,} probes count, one every {every}")
    if period.hours:
        output.line(f"only these hours count: {period.hours}")
    closed = f"{period.closed_s / 3600:.1f} h outside the hours that count, " if period.closed_s else ""
    hours = f"{closed}{period.excluded_s / 3600:.1f} h left out, {period.gap_s / 3600:.1f} h not watched"
    more = f", {period.to_come_s / 3600:.1f} h to come" if period.to_come_s else ""
    output.line(f"{period.total_s / 3600:.1f} h count, {hours}{more}")
    for outage in period.outages:
        least, most = (timedelta(seconds=round(seconds)) for seconds in (outage.at_least_s, outage.at_most_s))
        kinds = ", ".join(f"{kind} ({count})" for kind, count in outage.failures.items())
        output.line(
            f"outage  {outage.first_bad:%Y-%m-%d %H:%M:%S} UTC  {least} to {most}, {outage.probes} probes: {kinds}"
        )
    if period.single_failures:
        output.line(f"and {period.single_failures} failed probes that are part of no outage")
    for credit in period.credits_owed:
        output.line(f"credit  {credit.objective}  {credit.shown:g}% proven; {credit.percent:g}% by {credit.measured}")
    if period.credits_owed:
        by = f"{period.credit_percent:g}% by what was measured"
        output.line(f"credits owed: {period.credit_shown:g}% of the fee, as proven; {by}")


def _print_budget(budget: "Budget", output: Output) -> None:
    used, allowed = (timedelta(seconds=round(seconds)) for seconds in (budget.used_s, budget.allowed_s))
    ends = f"; at the rate of the last three days it ends {budget.ends_at:%Y-%m-%d %H:%M} UTC" if budget.ends_at else ""
    left = f"{budget.left:.0%} left{ends}" if budget.left > 0 else "all of it is spent"
    output.line(f"error budget  {budget.objective}  {used} used of {allowed}, {left}")
    for burn in budget.burns:
        if burn.alerts:
            hours, rates = f"{burn.long_s / 3600:g} h", f"{burn.rate:.3g} and {burn.short_rate:.3g}"
            output.line(
                f"alert  {budget.objective}  burns {rates} times too fast over {hours} and {burn.short_s / 60:g} min"
            )


def _print_objectives(objectives: "list[ObjectiveResult]", policy: "Policy", output: Output) -> None:
    for o in objectives:
        output.line(f"{o.verdict}  {o.id}{f': {o.condition}' if o.condition else ''}")
        output.line(f"    {o.sentence}")
        output.line(f"    {o.measured}, limit {o.limit}; {o.interval}, n = {o.samples:,}")
        stands = f" It would stand up to disturbances of {o.stands_s:g} s." if o.stands_s else ""
        method = f"{o.method} ({o.source})" if o.source else o.method
        output.line(f"    {method}. {o.note}{stands}".rstrip())
    correction = next((o.correction for o in objectives if o.confidence < 1), "")
    if correction:
        output.line(f"confidence of all together: {policy.confidence:.0%} ({correction})")


def _print_needs(policy: "Policy", rate: float | None, output: Output) -> None:
    from kycgate.sla.needs import beside, plan, unstated
    from kycgate.sla.objectives import MOST_SAMPLES

    def count(n: int | None) -> str:
        return f"{n:,}" if n else f"over {MOST_SAMPLES:,}"

    needs = plan(policy)
    for need in needs:
        early = f"; with --until-decided {count(need.early_at_best)}, and {count(need.early)} on average"
        output.line(
            f"{need.objective}: {count(need.at_best)} {need.what} if none fails, {count(need.usually)} if half as many "
            f"as may do{early if need.stops else ''}"
        )
        if math.isinf(need.seconds):
            output.line(f"    no run shows it: {unstated(need.at_best)}")
        elif need.seconds:
            output.line(f"    and at least {need.seconds:,.0f} s, at whatever rate")
        if rate is not None and math.isfinite(need.seconds):
            output.line(f"    at {rate:g} onboardings/s a run of {math.ceil(need.lasts_s(rate)):,} s, if none fails")
    for name, said in beside(policy).items():
        output.line(f"{name}: {said}")
    if needs and all(need.stops for need in needs):
        most = max(math.ceil((need.early or MOST_SAMPLES) / need.per_onboarding) for need in needs)
        output.line(
            f"all of them with --until-decided, if half as many fail as may: about {most:,} onboardings, 2 uploads each"
        )
    elif needs:
        named = ", ".join(need.objective for need in needs if not need.stops)
        output.line(f"--until-decided takes no availability of one step ({named}): it is counted after the run")
    if rate is not None and needs and all(math.isfinite(need.seconds) for need in needs):
        longest = max(need.lasts_s(rate) for need in needs)
        output.line(f"all of them, if none fails: kycgate load --rate {rate:g} --duration {math.ceil(longest)}")
    if needs:
        alike = "where a run shows that they hang together, it takes more"
        output.line(f"samples are counted as independent answers: {alike}")

    def answer() -> "BaseModel":
        from kycgate.cli.measured_answers import SlaPlan

        return SlaPlan.model_validate({"needs": needs, "beside": beside(policy)})

    output.document(answer)
