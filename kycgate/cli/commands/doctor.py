"""`kycgate doctor`: whether the set-up is fit for a gate, one line for each thing looked at."""

from typing import TYPE_CHECKING, Literal

import typer

from kycgate.cli.groups import grouped
from kycgate.cli.options import RateOption, SpecimensOption, TargetOptions, target_of
from kycgate.cli.output import Output

if TYPE_CHECKING:
    from pydantic import BaseModel

    from kycgate.cli.examine import Symptom

EMBEDDED = "the embedded sandbox"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor")(doctor)


@grouped
def doctor(
    target: TargetOptions, specimens: SpecimensOption = None, rate: RateOption = None, *, output: Output
) -> None:
    """Check the set-up with at most 10 requests: network, TLS, clock, credentials, cards, rate limit."""
    from contextlib import ExitStack

    from kycgate import specimens as cards
    from kycgate.check.embedded import embedded_sandbox
    from kycgate.cli.examine import State, examine
    from kycgate.errors import ExitCode
    from kycgate.settings.profile import load_secrets
    from kycgate.text import counted, one_line

    chosen = target_of(target, quiet=output.quiet, specimens=specimens, limits__rate=rate)
    if chosen.specimens is not None:
        cards.load_directory(chosen.specimens)
    with ExitStack() as stack:
        if chosen.base_url is None:
            name = EMBEDDED
            output.note(f"target: {name}")
            embedded = stack.enter_context(embedded_sandbox(chosen))
            chosen, secrets = embedded.profile, embedded.secrets
        else:
            name = chosen.base_url
            secrets = load_secrets(chosen.environment, chosen.credentials)
        symptoms: list[Symptom] = []
        for symptom in examine(chosen, secrets):
            output.line(one_line(str(symptom), 400))
            symptoms.append(symptom)
    failed = [symptom.what for symptom in symptoms if symptom.state is State.FAILED]
    warnings = [symptom.what for symptom in symptoms if symptom.state is State.WARNING]
    code = ExitCode.UNCLEAR if failed else ExitCode.KEPT
    verdict: Literal["ready", "not ready"] = "not ready" if failed else "ready"
    warned = f"{counted(len(warnings), 'warning')} ({', '.join(warnings)})" if warnings else "no warning"
    reason = f"{', '.join(failed)} failed" if failed else f"nothing failed, {warned}"
    output.verdict(f"{verdict}: {reason}")

    def answer() -> "BaseModel":
        from kycgate.cli.answers import DoctorAnswer

        return DoctorAnswer(verdict=verdict, exit_code=int(code), reason=reason, target=name, symptoms=symptoms)

    output.document(answer)
    raise typer.Exit(int(code))
