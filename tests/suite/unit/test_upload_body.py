"""The upload's JSON is put together from its parts, and is what a JSON library would have made of them."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kycgate.target.requests import ESCAPED, LINES, to_base64, upload_body

NAMES = st.text(max_size=5).filter(lambda name: name != "image")
MORE = st.dictionaries(NAMES, st.none() | st.text(max_size=5), max_size=3)


@pytest.mark.parametrize("wrapping", ["none", *LINES])
@given(image=st.binary(max_size=300), more=MORE)
def test_an_upload_is_the_json_of_its_properties(wrapping: str, image: bytes, more: dict[str, str | None]) -> None:
    body = upload_body(image, wrapping, **more)
    text = to_base64(image, wrapping)
    assert body.decode("utf-8", "surrogatepass") == json.dumps({**more, "image": text}, ensure_ascii=False)
    end = LINES.get(wrapping, "")
    assert all(len(line) <= 76 for line in text.split(end)) if end else len(text.splitlines()) <= 1


@given(image=st.binary(max_size=300))
def test_an_escaped_one_says_the_same(image: bytes) -> None:
    body = upload_body(image, ESCAPED)
    assert json.loads(body) == {"image": to_base64(image)}
    assert re.search(rb"(?<!\\)[/+=]", body) is None
