"""junit.xml: one case a clause, so that CI systems show the promises by name."""

import xml.etree.ElementTree as ET

from kycgate.reports.status import decided_by, fails, status, touched
from kycgate.runs.clause import ClauseResult, Verdict
from kycgate.runs.model import Run
from kycgate.text import xml


def render_junit(run: Run) -> str:
    """A breach that fails the gate is a failure, a warning or a waived one passes with a system-out.

    What was not judged is skipped.
    """
    failures = sum(fails(run, clause) for clause in run.clauses) + sum(o.verdict == "broken" for o in run.objectives)
    skipped = sum(clause.verdict in (Verdict.UNCLEAR, Verdict.NOT_TRIED) for clause in run.clauses)
    skipped += sum(bool(clause.cause) for clause in run.clauses)
    skipped += sum(objective.verdict == "not enough evidence" for objective in run.objectives)
    total = len(run.clauses) + len(run.objectives)
    suite = ET.Element(
        "testsuite",
        name=xml(f"kycgate {run.command} of {run.target_words}"),
        tests=str(total),
        failures=str(failures),
        skipped=str(skipped),
        errors="0",
        timestamp=run.started_at,
    )
    if run.notes:
        properties = ET.SubElement(suite, "properties")
        for note in run.notes:
            ET.SubElement(properties, "property", name="note", value=xml(note))
    trials = {trial.case: trial for trial in run.rehearsal}
    for clause in run.clauses:
        case = ET.SubElement(suite, "testcase", classname=f"kycgate.{_family(clause)}", name=clause.id)
        if (trial := trials.get(clause.id)) is not None:
            case.set("time", f"{trial.seconds:.3f}")
        if clause.cause:
            ET.SubElement(case, "skipped", message=xml(f"touched: see {clause.cause}, which the same answers break"))
        elif clause.verdict is Verdict.BROKEN:
            text = "\n".join(
                f"{f'{finding.where}: ' if finding.where else ''}required {finding.required}; came {finding.actual}"
                f"\n{finding.curl}"
                for finding in clause.findings
            )
            why = decided_by(clause)
            parts = (
                f"{clause.sentence} Broken {clause.how_often}.",
                clause.change,
                f"({why})" if why else "",
                f"{touched(clause)}." if clause.touches else "",
            )
            message = " ".join(filter(None, parts))
            if fails(run, clause):
                ET.SubElement(case, "failure", message=xml(message), type=clause.level).text = xml(text)
            else:
                ET.SubElement(case, "system-out").text = xml(f"{status(run, clause)}: {message}\n{text}")
        elif clause.verdict is not Verdict.KEPT:
            ET.SubElement(case, "skipped", message=xml(f"{clause.verdict}: {clause.reason}"))
        if trial is not None and trial.output:
            ET.SubElement(case, "system-out").text = xml(trial.output)
    for objective in run.objectives:
        case = ET.SubElement(suite, "testcase", classname="kycgate.sla", name=objective.id)
        said = xml(f"{objective.sentence} Measured {objective.measured}, limit {objective.limit}.")
        if objective.verdict == "broken":
            ET.SubElement(case, "failure", message=said, type="objective")
        elif objective.verdict == "not enough evidence":
            ET.SubElement(case, "skipped", message=xml(f"Not enough evidence: {objective.condition}. {said}"))
    ET.indent(suite)
    return ET.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def _family(clause: ClauseResult) -> str:
    """The first endpoint, so that CI systems group by it."""
    return clause.endpoints[0] if clause.endpoints else "contract"
