"""An onboarding written on a client that openapi-python-client made from `kycgate openapi`, as its README shows.

The package `vendor_client` is the generated one; `benchmarks/generated_client.py` makes it and rehearses this file.
"""

import base64
import os
import sys
from pathlib import Path

from vendor_client import AuthenticatedClient, Client
from vendor_client.api.national_id import approve_back_image, approve_front_image, upload_back_image, upload_front_image
from vendor_client.api.token import generate_kyc_onboarding_session_token
from vendor_client.models import ApproveFrontRequest, TokenAnswer, TokenRequest, UploadRequest, UploadResult
from vendor_client.models.customer_data import CustomerData


def picture(folder: Path, side: str) -> UploadRequest:
    """The body of an upload."""
    return UploadRequest(image=base64.b64encode(next(iter(sorted(folder.glob(f"*-{side}.jpg")))).read_bytes()).decode())


def read(result: object) -> CustomerData | None:
    """What was read; None, and the message shown, where the vendor refuses the picture."""
    if isinstance(result, UploadResult) and isinstance(result.customer_data, CustomerData):
        return result.customer_data
    print("refused:", getattr(result, "message", None) or "no usable answer")
    return None


def main(folder: Path) -> int:
    """Onboard the person whose cards lie in `folder`."""
    base_url = os.environ["KYCGATE_BASE_URL"]
    secret = os.environ["KYCGATE_TENANT_SECRET"]
    asked = TokenRequest(tenant_id=os.environ["KYCGATE_TENANT_ID"], tenant_secret=secret)
    token = generate_kyc_onboarding_session_token.sync(client=Client(base_url=base_url), body=asked)
    if not isinstance(token, TokenAnswer):
        print("refused: no session could be opened")
        return 0
    with AuthenticatedClient(base_url=base_url, token=token.token) as client:
        front = read(upload_front_image.sync(client=client, body=picture(folder, "front")))
        if front is None or read(upload_back_image.sync(client=client, body=picture(folder, "back"))) is None:
            return 0
        approval = ApproveFrontRequest(
            full_name_en=front.full_name_en, first_name_en=front.first_name_en, family_name_en=front.family_name_en,
            full_name=front.full_name, id_number=front.id_number, document_number=front.document_number,
            address=front.address, state=front.state,
            birthdate="/".join(reversed(front.birthdate[:10].split("-"))) if front.birthdate else None,
        )  # fmt: skip
        if approve_front_image.sync(client=client, body=approval) is not True:
            print("refused: the front was not approved")
        elif approve_back_image.sync(client=client) is not True:
            print("refused: the back was not approved")
        else:
            print("onboarded", front.customer_id)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
