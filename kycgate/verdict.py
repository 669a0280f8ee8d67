"""From the ledger to the run's verdict and exit code."""

from kycgate.errors import ExitCode
from kycgate.run import ClauseResult, ObjectiveResult, Verdict


def exit_code_of(
    clauses: list[ClauseResult], objectives: list[ObjectiveResult], *, strict: bool, cannot_judge: str = ""
) -> tuple[ExitCode, str]:
    """The exit code and one line of why.

    A breach of an expected clause warns, and fails under `strict` (API.md, the table of tags).
    """
    failing = [c for c in clauses if c.verdict is Verdict.BROKEN and not c.waived and (strict or c.level.fails_gate)]
    broken = [o for o in objectives if o.verdict == "broken"]
    if failing or broken:
        parts = [f"{len(failing)} clause{'s' * (len(failing) != 1)} broken"] if failing else []
        parts += [f"{len(broken)} objective{'s' * (len(broken) != 1)} broken"] if broken else []
        names = ", ".join([c.id for c in failing][:4] + [o.id for o in broken][:4])
        return ExitCode.BROKEN, f"{' and '.join(parts)}: {names}"
    if cannot_judge:
        return ExitCode.UNCLEAR, cannot_judge
    kept = [c for c in clauses if c.verdict is Verdict.KEPT]
    if clauses and not kept:
        return ExitCode.UNCLEAR, "no clause could be judged"
    open_objectives = [o for o in objectives if o.verdict == "not enough evidence"]
    if open_objectives:
        return ExitCode.UNCLEAR, f"not enough evidence for {', '.join(o.id for o in open_objectives)}"
    warned = [c.id for c in clauses if c.verdict is Verdict.BROKEN]
    said = f"{len(kept)} clauses kept" + (f", {len(objectives)} objectives hold" if objectives else "")
    return ExitCode.KEPT, f"{said}; warnings: {', '.join(warned)}" if warned else said


WORDS = {ExitCode.KEPT: "kept", ExitCode.BROKEN: "broken", ExitCode.USAGE: "unclear", ExitCode.UNCLEAR: "unclear"}
