"""An error about what was typed names the option, and comes before any other line."""

import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kycgate.cli.main import app
from kycgate.errors import UsageError
from tests.suite.command_line import kycgate
from tests.suite.conftest import Call


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("check --base-url vendor", "the call: --base-url: 'vendor' is not a URL of a host"),
        ("check --sandbox --rate nan", "the call: --rate must be a finite number"),
        ("check --sandbox --budget 0 --uploads 0", "--budget must be at least 1; --uploads must be at least 1"),
        ("check --sandbox --time-limit -1", "--time-limit must be over 0"),
        ("load --sandbox --think slow", "--think: 'slow' is not a pause"),
        ("load --sandbox --sizes 1", "--sizes: picture sizes lie between"),
        ("load --sandbox --degrade fog", "--degrade: 'fog' is not a degradation"),
        ("sandbox --latency base=3", "--latency base: there is no such parameter: did you mean 'base_ms'?"),
        (
            "sandbox --latency base_ms=slow,sigma=-1",
            "--latency base_ms: a number is wanted; sigma: it must be at least",
        ),
        ("sandbox --host 0.0.0.0", "--host 0.0.0.0 can be reached from elsewhere"),
        ("sandbox --host 203.0.113.7 --allow-remote", "--host 203.0.113.7: cannot listen on"),
        ("sandbox --control --host 0.0.0.0", "--control serves 127.0.0.1 alone"),
    ],
)
def test_an_error_names_the_option(call: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    done = CliRunner().invoke(app, call.split())
    assert isinstance(done.exception, UsageError), done.output
    assert said in str(done.exception)
    assert done.output == capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("sla --policy x --every 0", "'--every': it must be at least 1"),
        ("check --rate fast", "'--rate': a number is wanted"),
        ("check --jobs 99", "'--jobs' / '-j': it must be at most 32"),
        ("check --format round", "'--format': 'round' is not one of 'text', 'github'"),
    ],
)
def test_a_wrong_value_is_answered_in_our_words(call: str, said: str, tmp_path: Path) -> None:
    done = kycgate(*call.split(), cwd=tmp_path)
    assert done.returncode == 2
    assert f"kycgate: Invalid value for {said}" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            "check -u x --fault moved",
            "kycgate check has no option --fault: start `kycgate sandbox --fault moved`, export what it prints, and",
        ),
        ("load --fault=moved", "kycgate load has no option --fault: start `kycgate sandbox --fault moved`, export"),
        ("check --fault", "kycgate check has no option --fault: start `kycgate sandbox --fault NAME`, export"),
        ("clauses --fault x", "kycgate clauses has no option --fault: `kycgate sandbox` has it"),
        ("check --people 3", "kycgate check has no option --people: `kycgate load` has it"),
        (
            "schema --rate 1",
            "kycgate schema has no option --rate: `kycgate doctor`, `kycgate check`, `kycgate load` and ",
        ),
        ("check --xyzzy x", "kycgate check has no option --xyzzy: see `kycgate check --help`"),
        ("check --tim-limit 3", "kycgate check has no option --tim-limit: did you mean '--time-limit'?"),
        ("--fault x", "kycgate has no option --fault: `kycgate sandbox` has it"),
    ],
)
def test_an_option_that_a_command_lacks_is_answered_with_the_way(words: str, said: str, call: Call) -> None:
    code, out, err = call(*words.split())
    assert (code, out) == (2, "")
    assert err.startswith(f"kycgate: {said}")


@pytest.mark.parametrize("command", ["sandbox", "sandbox --fault approved-as-object", "chaos closed"])
def test_a_port_that_is_taken_is_said_before_the_banner(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = CliRunner().invoke(app, [*command.split(), "--port", str(port)])
    assert str(done.exception).startswith(f"--port {port}: cannot listen")
    assert done.output == capsys.readouterr().err == ""
