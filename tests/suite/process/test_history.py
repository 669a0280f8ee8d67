"""`kycgate history`: recorded runs and a store on one page, and each wrong call in one line."""

import json
from pathlib import Path

import pytest

from kycgate.cli.measured_answers import HistoryAnswer
from kycgate.runs.folder import RunFolder
from tests.suite.command_line import kycgate
from tests.suite.histories import FIRST, a_load, a_store, nightly


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve nights of which the last six are slower, and three months of probes."""
    folder = tmp_path_factory.mktemp("history")
    nightly(folder, 12, slower_from=6)
    a_store(folder / "probes.db", every_h=6)
    return folder


def nights(folder: Path) -> list[str]:
    return [path.name for path in sorted(folder.glob("night-*"))]


def test_runs_are_a_page_a_summary_and_a_document(folder: Path) -> None:
    done = kycgate("history", *nights(folder)[::-1], "-o", "runs.html", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    *_, verdict, page = done.stdout.splitlines()
    assert verdict.startswith("changed: worse since the run of 2026-06-07 02:00 UTC, with release 4.2: ")
    assert page == "page: runs.html"
    assert "12 runs, 2026-06-01 to 2026-06-12" in done.stdout
    assert "approve_back p50" in done.stdout
    assert (folder / "runs.html").read_text().startswith("<!doctype html>")
    done = kycgate("history", *nights(folder), "-o", "runs.html", "--json", cwd=folder)
    answer = HistoryAnswer.model_validate(json.loads(done.stdout))
    assert (answer.command, answer.verdict, answer.exit_code, answer.page) == ("history", "changed", 0, "runs.html")
    (group,) = answer.groups
    (change,) = group.changes
    assert (change.release, group.points[change.first_after].name) == ("4.2", "night-06")
    assert f"changed: {answer.reason}" == verdict
    quiet = kycgate("history", *nights(folder), "-o", "runs.html", "--quiet", cwd=folder)
    assert (quiet.stdout, quiet.stderr) == (f"{verdict}\n", "")


def test_a_run_is_named_by_its_folder_or_by_a_file_in_it(folder: Path) -> None:
    names = ["night-00", "night-01/run.json", "night-02/latency.hlog"]
    done = kycgate("history", *names, "-o", "three.html", "--json", cwd=folder)
    (group,) = json.loads(done.stdout)["groups"]
    assert [point["name"] for point in group["points"]] == ["night-00", "night-01", "night-02"]
    assert json.loads(done.stdout)["verdict"] == "too few runs"


def test_a_policy_judges_all_runs_and_months_alike(folder: Path) -> None:
    (folder / "policy.toml").write_text('[[objective]]\nid="up"\nkind="availability"\nat_least=0.97\nbursts_s=0\n')
    done = kycgate(
        "history", "probes.db", "night-00", "--policy", "policy.toml", "--released", "2026-07-20=5.0", "--json",
        "-o", "both.html", cwd=folder,
    )  # fmt: skip
    answer = HistoryAnswer.model_validate(json.loads(done.stdout))
    assert [(group.kind, len(group.points)) for group in answer.groups] == [("load", 1), ("month", 3), ("week", 13)]
    months = answer.groups[1]
    up = next(series for series in months.series if series.name == "up")
    assert [value.bound for value in up.values] == [0.97] * 3
    assert (months.points[1].outages, [mark.label for mark in months.releases]) == (1, ["5.0"])
    # The same month, as `kycgate sla` judges it, is the same number; given twice it counts once.
    judged = kycgate(
        "sla", "--policy", "policy.toml", "--period", "2026-07", "--store", "probes.db", "-o", "july", cwd=folder
    )
    assert judged.returncode in (0, 1, 3)
    (objective,) = RunFolder(folder / "july").read_run().objectives
    assert (up.values[1].value, up.values[1].low, up.values[1].high) == (
        objective.value, objective.low, objective.high,
    )  # fmt: skip
    done = kycgate("history", "july", "--json", "-o", "july.html", cwd=folder)
    july, weeks = HistoryAnswer.model_validate(json.loads(done.stdout)).groups
    assert july.points[0].verdict == RunFolder(folder / "july").read_run().verdict
    assert [point.name for point in weeks.points] == ["2026-W28", "2026-W29", "2026-W30"]
    twice = kycgate("history", "july", "probes.db", "-o", "july.html", cwd=folder)
    assert (twice.returncode, twice.stdout) == (2, "")
    assert "2026-07 of https://vendor.example is given twice" in twice.stderr


def test_what_is_no_run_of_load_is_left_out_and_said(folder: Path, tmp_path: Path) -> None:
    run = RunFolder(folder / "night-00").read_run()
    run.load, run.objectives, run.command = None, [], "check"
    RunFolder.create(tmp_path / "check", "check").write_run(run)
    a_load(tmp_path / "undated", FIRST, seed=77, started_at="")
    for path in nights(folder)[:2]:
        (tmp_path / path).symlink_to(folder / path)
    done = kycgate("history", "check", "undated", *nights(folder)[:2], "-o", "h.html", cwd=tmp_path)
    assert done.returncode == 0
    assert "note: 1 run without a load or a month left out: check" in done.stdout
    assert "note: undated left out: it does not say when it began" in done.stdout
    alone = kycgate("history", "check", "-o", "h.html", cwd=tmp_path)
    assert (alone.returncode, alone.stdout) == (2, "")
    assert "nothing is left to show: 1 run without a load" in alone.stderr


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("nowhere", "nowhere is neither the folder of a run nor a store of probes"),
        ("empty", "empty holds no run.json"),
        ("text.txt", "text.txt is neither the folder of a run nor a store"),
        ("damaged", "run.json is damaged: it is not JSON"),
        ("night-00 night-00", "night-00 and night-00 are the same run: it counts once"),
        ("night-00 --target x", "--target and --every go with a store of probes"),
        ("probes.db --target x", "probes.db has no probe of x: it has probes of https://vendor.example"),
        ("probes.db probes.db", "name one store"),
        ("night-00 --released 2026-13-01=x", "--released '2026-13-01=x': write a day, or a time, and a label"),
        ("night-00 --released 2026-11-01", "--released '2026-11-01': write a day"),
        ("night-00 --out page.pdf", "--out page.pdf: the page's file ends in .html"),
        ("night-00 --out no/page.html", "--out no/page.html: there is no folder no"),
        ("night-00 --policy none.toml", "cannot read the policy none.toml"),
        ("", "Missing argument 'STORE|RUNS...'"),
    ],
)
def test_a_wrong_call_is_one_line_and_exit_code_2(call: str, said: str, folder: Path) -> None:
    (folder / "empty").mkdir(exist_ok=True)
    (folder / "damaged").mkdir(exist_ok=True)
    (folder / "damaged" / "run.json").write_text("{")
    (folder / "text.txt").write_text("text")
    done = kycgate("history", *call.split(), cwd=folder)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert said in done.stderr
    assert not (folder / "kycgate-history.html").exists()


def test_a_load_records_its_release_and_what_makes_it_comparable(folder: Path) -> None:
    done = kycgate(
        "load", "--sandbox", "-r", "20", "-d", "1", "--sizes", "300,600", "--release", "4.3", "-o", "load", cwd=folder
    )
    run = RunFolder(folder / "load").read_run()
    assert (run.release, run.exit_code) == ("4.3", done.returncode)
    assert run.options["workload"]["sizes"] == [300_000, 600_000]
    assert "<dt>Release</dt><dd>4.3</dd>" in (folder / "load" / "report.html").read_text()
    shown = json.loads(kycgate("history", "load", "--json", "-o", "h.html", cwd=folder).stdout)
    (group,) = shown["groups"]
    assert (group["points"][0]["release"], group["pictures"]) == ("4.3", "pictures of 300, 600 kB")
    wrong = kycgate("load", "--sandbox", "--release", "x" * 61, cwd=folder)
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "a release's label has at most 60 characters" in wrong.stderr
