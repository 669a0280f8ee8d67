"""Our percentiles beside Locust's own statistics, which round: at /kycgate of its page, and at its end in the terminal.

Workers send what they recorded with each of Locust's reports; the master, or the only process, adds up.
"""

import html
import time
from collections.abc import Callable
from typing import Any

import gevent
from locust.env import Environment
from locust.runners import MasterRunner, WorkerRunner

from kycgate.load.clocks import Recorder
from kycgate.load.collect import CLOCKS, Second
from kycgate.load.interval import Interval
from kycgate.runs.percentile import percentiles_us

KEY = "kycgate"
PERCENTILES = (50.0, 90.0, 95.0, 99.0, 99.9, 100.0)
EVERY_S = 1.0
PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>kycgate: percentiles</title>
<meta http-equiv="refresh" content="5"><style>body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem; }}
table {{ border-collapse: collapse; }} td, th {{ padding: .2rem .9rem .2rem 0; border-bottom: 1px solid #ccc;
text-align: right; font-variant-numeric: tabular-nums; }} td:nth-child(-n+2), th:nth-child(-n+2)
{{ text-align: left; }}</style></head><body><h1>Percentiles in milliseconds</h1>
<p>From HdrHistograms of three digits, added up exactly over all workers; response times count from when a request was
due. <a href="kycgate.json">As JSON</a>.</p><table><thead><tr><th>step</th><th>clock</th><th>n</th>{heads}
</tr></thead><tbody>{rows}</tbody></table></body></html>"""


def listen(hook: Any, listener: Callable[..., None]) -> None:
    """Locust's hooks carry no types."""
    hook.add_listener(listener)


class Page:
    """Everything one Locust process knows of the run."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self.recorder = Recorder()
        self._totals = Second(0)
        runner = environment.runner
        if isinstance(runner, WorkerRunner):
            listen(environment.events.report_to_master, self._send)
            return
        if isinstance(runner, MasterRunner):
            listen(environment.events.worker_report, self._receive)
        else:
            gevent.spawn(self._fold)
        # The master's workers send their last report on the way out: only then is all there.
        listen(environment.events.quitting, self._print)
        if environment.web_ui is not None and environment.web_ui.app is not None:
            environment.web_ui.app.add_url_rule("/kycgate", "kycgate", self._page)
            environment.web_ui.app.add_url_rule("/kycgate.json", "kycgate_json", self.rows)

    def _send(self, client_id: str, data: dict[str, Any]) -> None:
        data[KEY] = self.recorder.cut(int(time.monotonic())).model_dump_json(exclude_defaults=True)

    def _receive(self, client_id: str, data: dict[str, Any]) -> None:
        if KEY in data:
            self._totals.add(Interval.model_validate_json(data[KEY]))

    def _fold(self) -> None:
        while True:
            gevent.sleep(EVERY_S)
            self._totals.add(self.recorder.cut(0))

    def rows(self) -> list[dict[str, Any]]:
        """One for each step and clock; milliseconds."""
        found = []
        for step in sorted({step for step, _ in self._totals.histograms}):
            for clock in CLOCKS:
                histogram = self._totals.histograms.get((step, clock))
                if histogram is not None:
                    found_us = percentiles_us(histogram, PERCENTILES)
                    values = {f"p{p:g}": us / 1e3 for p, us in zip(PERCENTILES, found_us, strict=True)}
                    found.append({"step": step, "clock": clock, "count": histogram.get_total_count(), **values})
        return found

    def _page(self) -> str:
        names = [f"p{p:g}" for p in PERCENTILES]
        rows = "".join(
            f"<tr><td>{html.escape(row['step'])}</td><td>{row['clock']}</td><td>{row['count']}</td>"
            + "".join(f"<td>{row[name]:.2f}</td>" for name in names)
            + "</tr>"
            for row in self.rows()
        )
        return PAGE.format(heads="".join(f"<th>{name}</th>" for name in names), rows=rows)

    def _print(self, **_: Any) -> None:
        self._totals.add(self.recorder.cut(0))
        print("kycgate: response times in ms from due (three digits)")  # noqa: T201 - Locust's own goes there too
        for row in self.rows():
            if row["clock"] == "response":
                figures = "  ".join(f"p{p:g} {row[f'p{p:g}']:.2f}" for p in PERCENTILES)
                print(f"kycgate: {row['step']}  n {row['count']}  {figures}")  # noqa: T201
