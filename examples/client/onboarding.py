"""A small onboarding client, as a bank might write it. It has two real mistakes; `kycgate rehearse` finds both.

1. `read_back` takes `gender` for granted: a reading without it ends the app with a traceback.
2. `Client.call` sends a step again at once when the vendor answers 5xx, an approval too, which may already count.
"""

import base64
import json
import os
import sys
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import httpx

API = "/Onboarding/api/v1"
STEPS = f"{API}/onboarding/NationalIdKyc"
ATTEMPTS = 3
LONGEST_WAIT_S = 5


class TokenEndedError(Exception):
    """The token is good no more: the onboarding begins anew, with another one."""


class RefusedError(Exception):
    """The vendor refused a step; the message is for the user."""


class Client:
    """One onboarding: a token of its own, then the four steps."""

    def __init__(self, base_url: str, tenant_id: str, tenant_secret: str) -> None:
        self._http = httpx.Client(base_url=base_url, timeout=5.0)
        body = {"tenantId": tenant_id, "tenantSecret": tenant_secret}
        answer = self._post(f"{API}/Auth/GenerateKycOnboardingSessionToken", body)
        value = _json(answer)
        token = value.get("token") if isinstance(value, dict) else None
        if answer.status_code != 200 or not isinstance(token, str) or not token.isascii():
            raise RefusedError("No session could be opened.")
        self._http.headers["Authorization"] = f"Bearer {token}"

    def close(self) -> None:
        """Give up its connections."""
        self._http.close()

    def _post(self, path: str, body: dict[str, Any] | None) -> httpx.Response:
        try:
            return self._http.post(path, json=body)
        except httpx.HTTPError:
            raise RefusedError("The service does not answer. Try again later.") from None

    def call(self, step: str, body: dict[str, Any] | None) -> Any:
        """The answer's JSON value.

        Raises:
            TokenEndedError: the vendor takes the token no more.
            RefusedError: the vendor refuses the step.
        """
        for attempt in range(ATTEMPTS):
            answer = self._post(f"{STEPS}/{step}", body)
            if answer.status_code == 429:
                time.sleep(_wait(answer))
                continue
            # Mistake 2: an approval that may have been performed is sent again, and at once.
            if answer.status_code < 500 or attempt == ATTEMPTS - 1:
                break
        value = _json(answer)
        if answer.status_code == 401:
            raise TokenEndedError
        if answer.status_code != 200:
            message = value.get("message") if isinstance(value, dict) else None
            raise RefusedError(str(message or "The step was refused."))
        return value

    def upload(self, step: str, picture: bytes) -> dict[str, Any]:
        """What was read from one side."""
        result = self.call(step, {"image": base64.b64encode(picture).decode()})
        if not isinstance(result, dict) or result.get("isSuccess") is not True:
            message = result.get("message") if isinstance(result, dict) else None
            raise RefusedError(str(message or "The picture cannot be read."))
        data = result.get("customerData")
        if not isinstance(data, dict) or not isinstance(data.get("customerId"), str):
            raise RefusedError("The picture cannot be read.")
        return data


def _json(answer: httpx.Response) -> Any:
    try:
        return json.loads(answer.content)
    except (ValueError, RecursionError):
        return None


def _wait(answer: httpx.Response) -> float:
    """Seconds to wait after a 429; a user waits LONGEST_WAIT_S at most.

    Raises:
        RefusedError: the vendor asks for more than that.
    """
    asked = answer.headers.get("Retry-After", "")
    seconds = int(asked) if asked.isdecimal() and asked.isascii() else 1
    if seconds > LONGEST_WAIT_S:
        raise RefusedError("The service is busy. Try again later.")
    return seconds


def read_back(data: dict[str, Any]) -> str:
    """The line that the app shows of the card's back."""
    # Mistake 1: a vendor may fail to read the gender; that must not end the app.
    return f"{data['gender'].strip()}, {data.get('profession') or 'no profession'}"


def onboard(client: Client, front: bytes, back: bytes) -> str:
    """All four steps; returns the customer's id."""
    data = client.upload("UploadFrontImage", front)
    print(read_back(client.upload("UploadBackImage", back)))
    names = ("fullNameEn", "firstNameEn", "familyNameEn", "fullName", "idNumber", "documentNumber", "address", "state")
    approval = {name: data.get(name) for name in names}
    born = str(data.get("birthdate") or "")[:10].split("-")
    approval["birthdate"] = "/".join(reversed(born)) if len(born) == 3 else None
    if client.call("ApproveFrontImage", approval) is not True or client.call("ApproveBackImage", None) is not True:
        raise RefusedError("The approval failed.")
    return str(data["customerId"])


def main(folder: Path) -> int:
    """Onboard the person whose cards lie in `folder`; a refusal is shown to the user and is not a crash."""
    front, back = (next(iter(sorted(folder.glob(f"*-{side}.jpg")))) for side in ("front", "back"))
    names = ("KYCGATE_BASE_URL", "KYCGATE_TENANT_ID", "KYCGATE_TENANT_SECRET")
    try:
        for _ in range(2):
            with closing(Client(*(os.environ[name] for name in names))) as client, suppress(TokenEndedError):
                print("onboarded", onboard(client, front.read_bytes(), back.read_bytes()))
                return 0
        print("refused: No session could be opened.")
    except RefusedError as refused:
        print(f"refused: {refused}")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
