# SPDX-License-Identifier: Apache-2.0
"""The parser of requests alone: any split of the bytes reads the same, forms as every browser writes them, no byte
string does harm. The same file runs on the box; what MicroPython does with it is tested over sockets in
test_server.py.
"""

import os
import re
import urllib.parse

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kiezbox.portal.request import BODY_MAX, HEAD_MAX, BadRequest, Request

EXAMPLES = 20_000 if os.environ.get("KIEZBOX_LONG") else 200
HOST = b"Host: 192.168.4.1\r\n"
KEPT_MAX = 1600


def read(wire: bytes, step: int = 1 << 20) -> Request | int:
    """The request as a box sees it, or the status it answers."""
    request = Request()
    try:
        for at in range(0, len(wire), step):
            request.feed(memoryview(wire)[at : at + step])
    except BadRequest as bad:
        return bad.status
    return request


def state(read_: Request | int) -> object:
    if isinstance(read_, int):
        return read_
    return {name: getattr(read_, name) for name in ("complete", "method", "path", "host", "form", "unreadable")}


def post(body: bytes, more: bytes = b"") -> bytes:
    return b"POST /de/call HTTP/1.1\r\n" + HOST + more + b"Content-Length: %d\r\n\r\n" % len(body) + body


REQUESTS = [
    b"GET / HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET /ar/help?utm_source=x HTTP/1.0\r\n\r\n",
    b"HEAD http://captive.apple.com/hotspot-detect.html HTTP/1.1\r\nHost: captive.apple.com\r\n\r\n",
    post(b"text=Hilfe+%F0%9F%9A%91%0D%0A&category=1&name=%C3%84&x"),
    post("text=Straße&place=قبو".encode(), b"Content-Type: application/x-www-form-urlencoded; charset=UTF-8\r\n"),
    b"\r\n\nGET / HTTP/1.1\nHost: a\nAccept-Language: vi,en;q=0.5\nX-Long: " + b"y" * 4000 + b"\n\n",
]


@pytest.mark.parametrize("wire", REQUESTS, ids=range(len(REQUESTS)))
def test_every_split_reads_the_same(wire: bytes) -> None:
    whole = state(read(wire))
    assert isinstance(whole, dict) and whole["complete"]
    for step in range(1, 40):
        assert state(read(wire, step)) == whole
    for cut in range(len(wire)):
        cut_off = read(wire[:cut])
        assert isinstance(cut_off, Request) and not cut_off.complete


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.dictionaries(st.sampled_from(["text", "place", "people", "name", "mode"]), st.text(max_size=60)))
@example({"text": "\u202e\ufeff\ufffd🚑\x85\u2028"})
def test_a_form_arrives_as_a_browser_writes_it(form: dict[str, str]) -> None:
    found = read(post(urllib.parse.urlencode(form).encode()), 7)
    assert isinstance(found, Request)
    assert set(found.form) == set(form)
    for name, value in form.items():
        # Carriage returns are a browser's line ends; other control characters are told to the person.
        plain = re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", "", value.replace("\r", ""))
        assert found.form[name] == plain.strip()
    assert found.unreadable == any(re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", value) for value in form.values())


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.binary(max_size=300), st.integers(1, 300))
def test_any_bytes_in_a_form_become_text_or_are_told(raw: bytes, step: int) -> None:
    body = b"text=" + b"".join(b"%%%02x" % byte for byte in raw)
    found = read(post(body), step)
    assert isinstance(found, Request) and found.complete
    text = found.form["text"]
    assert text.encode("utf-8").decode("utf-8") == text
    try:
        expected = raw.decode("utf-8")
    except UnicodeDecodeError:
        assert found.unreadable
    else:
        if not found.unreadable:
            assert text == expected.replace("\r", "").strip()


INVALID = ["ff", "c080", "eda080", "f5808080", "f4908080", "e28c", "f09f9a", "c3", "80", "e08080", "f0808080"]


@pytest.mark.parametrize("raw", INVALID)
def test_what_is_no_utf_8_is_left_out_and_told(raw: str) -> None:
    found = read(post(b"text=vor" + re.sub(r"(..)", r"%\1", raw).encode() + b"nach&place=x"))
    assert isinstance(found, Request)
    assert (found.form["text"], found.form["place"], found.unreadable) == ("vornach", "x", True)


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=40),
            st.sampled_from([b"GET ", b"POST ", b"/", b" HTTP/1.1", b"\r\n", b"\n", HOST, b"Content-Length: 9", b"%"]),
        ),
        max_size=30,
    ),
    st.integers(1, 60),
)
def test_any_bytes_at_all_do_no_harm(parts: list[bytes], step: int) -> None:
    found = read(b"".join(parts), step)
    if isinstance(found, Request):
        assert found.path.startswith("/")
        assert held(found) < 2 * KEPT_MAX
    else:
        assert 400 <= found < 506


def held(request: Request) -> int:
    """Bytes that one client makes the box keep."""
    kept = sum(len(name) + len(value.encode()) for name, value in request.form.items())
    return kept + len(request._line) + len(request._value or b"") + len(request.language) + len(request.host)


@pytest.mark.parametrize(
    "endless",
    [b"A", b"GET ", b"GET / HTTP/1.1\r\nX: ", b"GET / HTTP/1.1\r\nHost: a\r\nX", b"\r\n", b"GET / HTTP/1.1\r\n" + HOST],
)
def test_an_endless_head_is_cut_off_and_keeps_little(endless: bytes) -> None:
    request = Request()
    request.feed(endless)
    with pytest.raises(BadRequest) as raised:
        for _ in range(HEAD_MAX):
            request.feed(b"X: y\r\n" if endless.endswith(HOST) else b"ab")
            assert held(request) < 400
    assert raised.value.status in (400, 431)


def test_a_large_form_is_refused_before_it_is_read_and_a_full_one_keeps_little() -> None:
    assert read(post(b"")[:-5] + b"%d\r\n\r\n" % (BODY_MAX + 1)) in (400, 413)
    full = read(post(b"text=" + b"x" * (BODY_MAX - 5)), 512)
    assert isinstance(full, Request) and full.complete and full.overlong
    assert held(full) < KEPT_MAX + 100
    many = read(post(b"&".join(b"f%d=%d" % (number, number) for number in range(500))), 512)
    assert isinstance(many, Request)
    assert len(many.form) == 12


def test_every_field_as_long_as_the_page_allows_fits() -> None:
    form = {"text": "ế" * 240, "place": "ế" * 60, "name": "ế" * 60, "contact": "ế" * 60, "people": "9999"}
    body = urllib.parse.urlencode({"mode": "emergency", "category": "6"} | form).encode()
    assert len(body) <= BODY_MAX
    found = read(post(body), 512)
    assert isinstance(found, Request)
    assert not found.overlong
    assert {name: found.form[name] for name in form} == form


def test_a_field_given_twice_counts_once() -> None:
    found = read(post(b"text=a&text=b&=c&verylongfieldname=d"))
    assert isinstance(found, Request)
    assert found.form == {"text": "a"}
