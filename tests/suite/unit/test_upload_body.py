"""The upload's JSON is put together from its parts, and is what a JSON library would have made of them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kycgate.target.requests import to_base64, upload_body

NAMES = st.text(max_size=5).filter(lambda name: name != "image")
MORE = st.dictionaries(NAMES, st.none() | st.text(max_size=5), max_size=3)


@pytest.mark.parametrize("wrapping", ["none", "lf", "crlf"])
@given(image=st.binary(max_size=300), more=MORE)
def test_an_upload_is_the_json_of_its_properties(wrapping: str, image: bytes, more: dict[str, str | None]) -> None:
    body = upload_body(image, wrapping, **more)
    text = to_base64(image, wrapping)
    assert body.decode("utf-8", "surrogatepass") == json.dumps({"image": text, **more}, ensure_ascii=False)
    end = {"none": "", "lf": "\n", "crlf": "\r\n"}[wrapping]
    assert all(len(line) <= 76 for line in text.split(end)) if end else len(text.splitlines()) <= 1
