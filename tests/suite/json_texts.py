"""JSON texts, legal and not (RFC 8259), made here: what the judge must read, and what it must refuse.

The one text that is legal by the letter and refused is an object that names a property twice: the client's parser keeps
one of the two values, and which one is not promised.
"""

from typing import NamedTuple


class Text(NamedTuple):
    """One body, and whether it is one legal JSON text in UTF-8 without a byte order mark."""

    name: str
    body: bytes
    legal: bool


def _nested(opening: bytes, closing: bytes, depth: int, inner: bytes = b"") -> bytes:
    return opening * depth + inner + closing * depth


_ESCAPES = b'"\\" \\\\ \\/ \\b \\f \\n \\r \\t \\u0627"'
LEGAL = {
    "nothing in an array": b"[]",
    "nothing in an object": b"{}",
    "white space of each kind": b" \t\r\n[ \t\r\n1 \t\r\n, \t\r\n2 \t\r\n] \t\r\n",
    "a number alone": b"42",
    "a text alone": b'"a"',
    "true alone": b"true",
    "null alone": b"null",
    "nought": b"[0]",
    "minus nought": b"[-0]",
    "a fraction": b"[0.1]",
    "a whole fraction": b"[31.0]",
    "an exponent": b"[1e3, 1E3, 1e+3, 1e-3, 0e1, 1.5e10]",
    "an exponent beyond any double": b"[1e400, -1e400]",
    "an exponent below any double": b"[1e-400]",
    "many digits": b"[" + b"1" * 5_000 + b"]",
    "many digits of a fraction": b"[0." + b"3" * 5_000 + b"]",
    "every escape": _ESCAPES,
    "a pair of surrogates": b'"\\ud83d\\ude00"',
    "a surrogate alone": b'"\\ud83d"',
    "surrogates the other way round": b'"\\ude00\\ud83d"',
    "an escaped NUL": b'"a\\u0000b"',
    "no character": b'"\\uffff \\ufdd0"',
    "DEL": b'"a\x7fb"',
    "line separators": '"\u2028\u2029"'.encode(),
    "Arabic": '"محمد"'.encode(),
    "Arabic, escaped": b'"\\u0645\\u062d"',
    "four bytes a character": '"😀"'.encode(),
    "an empty name": b'{"": 1}',
    "an escaped name": b'{"\\u0061": 1}',
    "a name with a NUL": b'{"a\\u0000b": 1}',
    "100 deep": _nested(b"[", b"]", 100),
    "300 deep": _nested(b"[", b"]", 300),
    "objects 300 deep": _nested(b'{"a":', b"}", 300, b"1"),
    "10,000 wide": b"[" + b"1," * 9_999 + b"1]",
    "10,000 names": b"{" + b",".join(b'"a%d":1' % number for number in range(10_000)) + b"}",
    "a text of 100 kB": b'"' + b"a" * 100_000 + b'"',
}
ILLEGAL = {
    "nothing": b"",
    "white space alone": b" \n",
    "a byte order mark": b"\xef\xbb\xbf[]",
    "UTF-16 with its mark": "[]".encode("utf-16"),
    "UTF-16 without its mark": "[]".encode("utf-16-le"),
    "Latin-1": b'"\xe9"',
    "an overlong NUL": b'"\xc0\x80"',
    "a surrogate in UTF-8": b'"\xed\xa0\x80"',
    "beyond the last character": b'"\xf4\x90\x80\x80"',
    "a cut character": b'"\xd9"',
    "NaN": b"[NaN]",
    "Infinity": b"[Infinity]",
    "minus Infinity": b"[-Infinity]",
    "a plus": b"[+1]",
    "a leading nought": b"[01]",
    "minus and a leading nought": b"[-01]",
    "no digit before the point": b"[.5]",
    "no digit after the point": b"[1.]",
    "no digit in the exponent": b"[1e]",
    "two points": b"[1.2.3]",
    "a hexadecimal number": b"[0x10]",
    "Arabic digits": "[٣]".encode(),
    "full-width digits": "[１]".encode(),
    "an underscore in a number": b"[1_000]",
    "True": b"[True]",
    "nil": b"[nil]",
    "undefined": b"[undefined]",
    "a comma at the end": b"[1,]",
    "a comma at the beginning": b"[,1]",
    "two commas": b"[1,,2]",
    "a comma at an object's end": b'{"a":1,}',
    "no comma": b"[1 2]",
    "no colon": b'{"a" 1}',
    "a colon in an array": b'["a": 1]',
    "a name without quotes": b"{a: 1}",
    "a name in single quotes": b"{'a': 1}",
    "a number for a name": b"{1: 1}",
    "a text in single quotes": b"['a']",
    "a comment": b"[1 /* one */]",
    "a comment to the line's end": b"[1] // one",
    "a hash comment": b"# one\n[1]",
    "a tab in a text": b'"a\tb"',
    "a line break in a text": b'"a\nb"',
    "a NUL in a text": b'"a\x00b"',
    "a NUL behind it": b"[]\x00",
    "an unknown escape": b'"\\x41"',
    "half an escape": b'"\\u00"',
    "an escape of no digits": b'"\\uzzzz"',
    "an escaped quote at the end": b'"\\"',
    "a text without its end": b'"abc',
    "an array without its end": b"[1",
    "an object without its end": b'{"a": 1',
    "a bracket too many": b"[1]]",
    "the other bracket": b"[1}",
    "two texts": b"{} {}",
    "one text a line": b"{}\n{}\n",
    "JSONP": b"callback({})",
    "a guard before it": b")]}',\n{}",
    "a no-break space": b"[\xc2\xa01]",
    "a form feed": b"[\x0c1]",
    "a vertical tab": b"[\x0b1]",
    "100,000 deep, without an end": b"[" * 100_000,
    "100,000 deep": _nested(b"[", b"]", 100_000),
    "a property named twice": b'{"a":1,"a":2}',
    "a property named twice, once escaped": b'{"a":1,"\\u0061":2}',
    "a page": b"<html></html>",
    "a form": b"isSuccess=true",
}
TEXTS = tuple(
    Text(name, body, legal) for legal, table in ((True, LEGAL), (False, ILLEGAL)) for name, body in table.items()
)
