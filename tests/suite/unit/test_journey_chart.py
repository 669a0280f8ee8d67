"""The journey's picture: every edge of the flow with its verdict, and nothing of the extra `load` for it."""

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

from kycgate.reports.journey import journey
from kycgate.runs.folder import RunFolder

BROKEN = Path(__file__).parents[1] / "recorded" / "v1-check-broken"


def test_every_step_and_every_edge_is_drawn_and_named() -> None:
    run = RunFolder(BROKEN).read_run()
    svg = ET.fromstring(str(journey(run)).replace("<svg ", '<svg xmlns="x" ', 1))  # noqa: S314 - ours
    said = [text.text for text in svg.iter("{x}text")]
    assert said[-len(run.flow.steps) :] == [step.id.replace("_", " ") for step in run.flow.steps]
    assert sorted(word for word in said[: len(run.flow.edges)] if word) == ["broken", "kept", "kept", "kept"]
    lines = [path.get("stroke-dasharray") is not None for path in svg.iter("{x}path")]
    assert sorted(lines) == [False, False, False, True], "what is not kept is told by more than its colour"
    _, _, width, height = (float(part) for part in svg.attrib["viewBox"].split())
    for box in svg.iter("{x}rect"):
        assert 0 <= float(box.attrib["x"]) <= width - float(box.attrib["width"])
        assert 0 <= float(box.attrib["y"]) <= height - float(box.attrib["height"])


def test_the_report_of_a_check_loads_nothing_of_the_extra_load() -> None:
    code = (
        "import sys; from pathlib import Path; from kycgate.extras import LOAD;"
        "from kycgate.reports.html import render_html;"
        "from kycgate.runs.folder import RunFolder;"
        f"page = render_html(RunFolder(Path({str(BROKEN)!r})).read_run());"
        "assert 'The journey' in page; print(sorted({*LOAD} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
