"""What the models of run.json share."""

from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


def _check_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (OSError, ValueError, KeyError):  # an unknown key, a folder of the zone database, a path that leaves it
        raise ValueError(f"there is no time zone {name!r}: write an IANA name such as Africa/Cairo") from None
    return name


Zone = Annotated[str, AfterValidator(_check_zone)]
"""An IANA time zone."""


class RunModel(BaseModel):
    """A part of run.json. Keys that a newer kycgate added are passed over."""

    model_config = ConfigDict(extra="ignore")


Plain = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.,:()/+ -]{0,200}$")]
"""An id, a command or a time as kycgate writes them: a recorded file may be anyone's, and these are shown raw."""
