"""The documentation: its examples run, its links lead somewhere, its reference is the code's."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from kycgate.cli.main import app
from kycgate.contracts.clauses import CATALOGUE
from kycgate.errors import ExitCode
from kycgate.tests.suite.conftest import Shared

ROOT = Path(__file__).resolve().parents[3]
DOCS = ROOT / "docs"
BIN = Path(sys.executable).parent
BLOCK = re.compile(r"<!-- run(?:: exit (\d))? -->\n```sh\n(.*?)```", re.DOTALL)
PAGES = sorted(
    str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md") if BLOCK.search(path.read_text(encoding="utf-8"))
)


@pytest.fixture(scope="module")
def site(shared: Shared) -> Path:
    """The site, built strictly: a page outside the navigation, or a link or anchor to nowhere, is an error."""
    return shared("site", build_site)


def build_site(out: Path) -> None:
    done = subprocess.run(
        [sys.executable, DOCS / "build.py", "--out", out],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_examples_are_marked_to_be_run() -> None:
    assert {"tutorial.md", "how-to/drift.md", "how-to/load.md", "how-to/ci.md"} <= set(PAGES)


@pytest.mark.parametrize("page", PAGES)
def test_examples_run(page: str, tmp_path: Path) -> None:
    """One shell for a page, as a reader has; fewer requests than a reader would send."""
    script = ["set -eu"]
    for code, block in BLOCK.findall((DOCS / page).read_text(encoding="utf-8")):
        script += [f"( set +e; {block})\n[ $? -eq {code} ]".join(("set +e\n", "\nset -e"))] if code else [block]
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("KYCGATE_", "PYTEST_"))}
    few = {"KYCGATE_LIMITS__REQUESTS": "90", "KYCGATE_LIMITS__UPLOADS": "30"}
    done = subprocess.run(
        ["bash", "-c", "\n".join(script)], cwd=tmp_path, env=clean | few | {"PATH": f"{BIN}:{os.environ['PATH']}"},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    if page == "tutorial.md":
        # What the text says that one sees.
        assert "broken: 1 clause broken: approve.true" in done.stdout
        assert re.search(r"kept: \d+ clauses kept, \d+ not tried(, \d+ unclear)?; waived: approve\.true", done.stdout)
        assert re.search(r"Since the pins of [\d-]+: nothing changed", done.stdout)


def test_the_reference_holds_everything_that_the_code_has(site: Path) -> None:
    from typer.main import get_command

    from kycgate.cli.measured_answers import ANSWERS
    from kycgate.settings.template import keys

    def page(name: str) -> str:
        return (site / "reference" / f"{name}.html").read_text(encoding="utf-8")

    assert all(f"<code>{promise.id}</code>" in page("clauses") for promise in CATALOGUE)
    assert all(f"<code>{key.name}</code>" in page("profile") for key in keys())
    assert all(code.meaning in page("exit-codes") for code in ExitCode)
    for name, command in get_command(app).commands.items():  # type: ignore[attr-defined]
        assert f"<code>kycgate {name}</code>" in page("commands")
        assert all(parameter.opts[0] in page("commands") for parameter in command.params)
    assert "schema_version" in page("run-json")
    assert all(f">{call}<" in page("json") for call in ANSWERS)
    assert "limit_ms" in page("policy")


def test_the_site_fetches_nothing(site: Path) -> None:
    """It is read offline too: no page loads a script, a style, a font or a picture from elsewhere."""
    for path in site.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        loaded = re.findall(r'<(?:script|img|iframe)[^>]+src="(https?:[^"]+)"', text)
        loaded += re.findall(r'<link[^>]+rel="(?:stylesheet|preload|preconnect|icon)"[^>]+href="(https?:[^"]+)"', text)
        assert not loaded, path


@pytest.mark.parametrize("name", sorted(path.name for path in ROOT.glob("*.md")))
def test_links_at_the_top_of_the_repository_lead_somewhere(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        if not target.startswith(("http:", "https:", "mailto:")):
            assert (ROOT / target).exists(), target


def test_the_readme_is_one_page_and_says_the_exit_codes_as_the_code_does() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 120
    assert all(f"| {int(code)} | {code.meaning} |" in text for code in ExitCode)
