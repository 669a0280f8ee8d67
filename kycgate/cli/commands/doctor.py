"""`kycgate doctor`: whether the set-up is fit for a gate, one line for each thing looked at."""

import typer

from kycgate.cli.options import BaseUrlOption, ProfileOption, RateOption, SandboxOption, SpecimensOption, target_of


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor")(doctor)


def doctor(
    base_url: BaseUrlOption = None,
    sandbox: SandboxOption = False,
    profile: ProfileOption = None,
    specimens: SpecimensOption = None,
    rate: RateOption = None,
) -> None:
    """Check the set-up with at most 10 requests: network, TLS, clock, credentials, cards, rate limit."""
    from contextlib import ExitStack

    from kycgate import specimens as cards
    from kycgate.check.embedded import embedded_sandbox
    from kycgate.cli.examine import State, examine
    from kycgate.errors import ExitCode
    from kycgate.settings.profile import find_profile, load_secrets
    from kycgate.text import one_line

    chosen = target_of(
        find_profile(profile), sandbox=sandbox, base_url=base_url, specimens=specimens, limits__rate=rate
    )
    if chosen.specimens is not None:
        cards.load_directory(chosen.specimens)
    with ExitStack() as stack:
        if chosen.base_url is None:
            print("target: the embedded sandbox")
            embedded = stack.enter_context(embedded_sandbox(chosen))
            chosen, secrets = embedded.profile, embedded.secrets
        else:
            secrets = load_secrets(chosen.environment, chosen.credentials)
        failed = 0
        for symptom in examine(chosen, secrets):
            print(one_line(str(symptom), 400), flush=True)
            failed += symptom.state is State.FAILED
    raise typer.Exit(int(ExitCode.UNCLEAR if failed else ExitCode.KEPT))
