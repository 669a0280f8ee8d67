"""Makes docs/example/report.html and docs/report.png: what a gate says of a vendor that broke a few things overnight.

    uv run python docs/make_example.py

Two runs against the sandbox, with fixed seeds: last week's vendor with one known fault, and today's, which has others
and writes dates in another way. The second is compared with the first, has a waiver and pins. Verdicts are the same
each time; latencies are this machine's. The picture takes Debian's chromium (or the one that KYCGATE_BROWSER names).
"""

import os
import shutil
import tempfile
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from playwright.sync_api import sync_playwright

from kycgate.check.embedded import embedded_sandbox
from kycgate.cli.execute import execute
from kycgate.cli.load_part import LoadOptions
from kycgate.cli.spec import RunSpec
from kycgate.judging.drift import pins_of, save_pins
from kycgate.load import LoadPlan
from kycgate.runs.folder import RunFolder
from kycgate.runs.model import Run
from kycgate.sandbox import TENANT, TENANT_SECRET, LatencyModel, SandboxSettings
from kycgate.settings.profile import Profile
from kycgate.settings.severity import Waiver

DOCS = Path(__file__).parent
SLOW = LatencyModel(base_ms=60, ms_per_mb=45, sigma=0.35, seed=3)
BEFORE = ("refusal-shows-sql", "age-below-zero")
TODAY = (
    "refusal-shows-sql",
    "sometimes-age-in-words",
    "loose-upload-back-approve-back",
    "crash-on-quote",
    "order-is-409",
)
BLURRED = (("none", 0.0), ("blur", 0.15), ("low-light", 0.3))
SIZES = (300_000, 1_000_000, 2_000_000, 3_000_000)
LOAD = LoadOptions(
    LoadPlan(base_url="http://127.0.0.1", rate=6, duration_s=40, shape="ramp", sizes=SIZES, degradations=BLURRED)
)


ATTEMPTS = 5
"""Runs until one is not void: a busy machine voids a load, and an example shows none that is."""


def run(
    name: str, folder: Path, profile: Profile, settings: SandboxSettings, faults: tuple[str, ...], earlier: Run | None
) -> tuple[Run, RunFolder]:
    """One `kycgate verify` against a sandbox with these faults."""
    with embedded_sandbox(profile, settings.model_copy(update={"latency": SLOW}), faults) as sandbox:
        spec = RunSpec(
            command="verify", profile=sandbox.profile, out=folder / name, seed=20, check=True,
            load=LOAD if earlier else None, baseline=("last-week", earlier) if earlier else None,
        )  # fmt: skip
        return execute(spec, say=print)


def main() -> None:
    os.environ |= {"KYCGATE_TENANT_ID": TENANT, "KYCGATE_TENANT_SECRET": TENANT_SECRET}
    waiver = Waiver(
        clause="refusal.order-status", reason="409 until release 5, ticket 1207", owner="integration team",
        expires=datetime.now(UTC).date() + timedelta(days=30),
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        earlier, _ = run("last-week", folder, Profile(name="vendor sandbox"), SandboxSettings(), BEFORE, None)
        save_pins(pins_of([earlier], pinned=date.fromisoformat(earlier.started_at[:10])), folder / "pins.toml")
        profile = Profile(name="vendor sandbox", pins=folder / "pins.toml", waiver=(waiver,))
        for attempt in range(ATTEMPTS):
            settings = SandboxSettings(date_times="offset")
            found, made = run(f"today-{attempt}", folder, profile, settings, TODAY, earlier)
            if found.load is not None and not found.load.health.void:
                break
        else:
            raise SystemExit("the machine was too busy for a load: make the example again later")
        (DOCS / "example").mkdir(exist_ok=True)
        report = DOCS / "example" / "report.html"
        shutil.copyfile(made.path / "report.html", report)
    browser = os.environ.get("KYCGATE_BROWSER") or shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        page = playwright.chromium.launch(executable_path=browser).new_page(viewport={"width": 1120, "height": 792})
        page.goto(report.as_uri())
        page.screenshot(path=DOCS / "report.png")
    for path in (report, DOCS / "report.png"):
        print(f"{path.relative_to(DOCS.parent)}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
