"""The flow that a run was judged by, as run.json keeps it: what shows a run reads this, never the code's flow."""

from pydantic import Field

from kycgate.contracts.flow import Flow
from kycgate.runs.base import RunModel


def is_upload(step: str) -> bool:
    """Whether a step that was recorded by its name alone shows a picture: those are named `upload_…`."""
    return step.startswith("upload_") and not step.endswith("_unreadable")


class RecordedStep(RunModel):
    """One step."""

    id: str
    upload: bool = Field(description="Whether it shows a picture.")


class RecordedEdge(RunModel):
    """`first` must be done before `then`."""

    first: str
    then: str
    clause: str


class RecordedGroup(RunModel):
    """A name for a set of endpoints."""

    name: str
    endpoints: list[str]


class RecordedFlow(RunModel):
    """Steps in the documentation's order, edges, orders by clause, and names of endpoints for reports."""

    id: str
    steps: list[RecordedStep]
    edges: list[RecordedEdge]
    orders: dict[str, list[str]] = Field(default_factory=dict)
    groups: list[RecordedGroup] = Field(default_factory=list)

    @classmethod
    def of(cls, flow: Flow) -> "RecordedFlow":
        """What is recorded of a flow."""
        return cls(
            id=flow.id,
            steps=[RecordedStep(id=str(step), upload=step.is_upload) for step in flow.steps],
            edges=[RecordedEdge(first=str(e.first), then=str(e.then), clause=e.clause) for e in flow.edges],
            orders={clause: [str(step) for step in order] for clause, order in flow.orders.items()},
            groups=[
                RecordedGroup(name=name, endpoints=sorted(str(endpoint) for endpoint in endpoints))
                for name, endpoints in flow.groups
            ],
        )

    @property
    def uploads(self) -> list[str]:
        """The steps that show a picture."""
        return [step.id for step in self.steps if step.upload]

    def rank(self, step: str) -> int:
        """How many steps lie before it at least, on the longest way."""
        return max((1 + self.rank(edge.first) for edge in self.edges if edge.then == step), default=0)


def before_it_was_recorded() -> RecordedFlow:
    """The flow of runs that were made before run.json carried it: the same four steps, written down once."""
    front, back, approve_front, approve_back = "upload_front", "upload_back", "approve_front", "approve_back"
    steps = [front, back, approve_front, approve_back]
    named = {
        "All four steps": steps,
        "Both uploads": [front, back],
        "Both approvals": [approve_front, approve_back],
        "Steps with a body": [front, back, approve_front],
        **{step.replace("_", " ").capitalize(): [step] for step in steps},
        "The token": ["token"],
    }
    return RecordedFlow(
        id="national-id",
        steps=[RecordedStep(id=step, upload=step in (front, back)) for step in steps],
        edges=[
            RecordedEdge(first=front, then=back, clause="order.upload-back-after-upload-front"),
            RecordedEdge(first=front, then=approve_front, clause="order.approve-front-after-upload-front"),
            RecordedEdge(first=back, then=approve_back, clause="order.approve-back-after-upload-back"),
            RecordedEdge(first=approve_front, then=approve_back, clause="order.approve-back-after-approve-front"),
        ],
        orders={"order.page": steps, "order.client": [front, approve_front, back, approve_back]},
        groups=[RecordedGroup(name=name, endpoints=sorted(endpoints)) for name, endpoints in named.items()],
    )
