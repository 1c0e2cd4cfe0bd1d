"""Who is let into the console, with what a browser would not do: cookies, forged forms, guessing, refusals."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from threading import BoundedSemaphore

import pytest
from asking import Asker, Told, as_
from conftest import PASSWORD, House, house_in

from hauberk.access import totp
from hauberk.access.identities import add, set_disabled
from hauberk.core.clock import now
from hauberk.serving.address import Address
from hauberk.serving.console import arriving, live
from hauberk.serving.console.forms import safe_next
from hauberk.serving.console.opening import console_of
from hauberk.serving.metrics import Metrics
from hauberk.serving.rack import Rack


@pytest.fixture(scope="module")
def own_house(tmp_path_factory: pytest.TempPathFactory, nets: tuple[Path, Path]) -> Iterator[House]:
    """One in which guessing from this address may be counted."""
    with house_in(tmp_path_factory.mktemp("own"), nets) as found:
        yield found


def enrolled(house: House, name: str) -> tuple[bytes, tuple[str, ...]]:
    """Somebody with a password and a second factor: its secret, and recovery codes."""
    import base64
    from urllib.parse import parse_qs, urlsplit

    add(house.vault.database, name)
    house.access.accounts.set_password(name, PASSWORD)
    made = house.access.accounts.enrol(name)
    text = parse_qs(urlsplit(made.address).query)["secret"][0]
    return base64.b32decode(text + "=" * (-len(text) % 8)), made.recovery


def signed_in(house: House, name: str, code: str, password: str = PASSWORD, **more: str) -> Told:
    return as_(house, None).post("/sign-in", {"name": name, "password": password, "code": code, **more})


def test_nobody_sees_a_page_without_a_session(house: House) -> None:
    stranger = as_(house, None)
    told = stranger.get("/access?x=1")
    assert told.status == 303
    assert told.headers["location"] == "/console/sign-in?next=%2Fconsole%2Faccess%3Fx%3D1"
    assert stranger.post("/access", {"do": "add", "name": "x", "kind": "person"}).status == 401
    assert stranger.get("/access", x_hauberk_live="none").status == 401
    for wrong in ("x", "a" * 43, "a" * 5000):
        assert Asker(house, wrong).get("/").status == 303


def test_name_password_and_code_let_in_and_the_cookie_is_for_nobody_else(own_house: House) -> None:
    secret, recovery = enrolled(own_house, "iris")
    code = totp.code(secret, totp.step_at(now().timestamp()))
    told = signed_in(own_house, "iris", f"{code[:3]} {code[3:]}", next="/console/trail")
    assert told.status == 303, told.text
    assert told.headers["location"] == "/console/trail"
    cookie = told.headers["set-cookie"]
    assert re.fullmatch(
        r"hauberk-session=[A-Za-z0-9_-]{43}; HttpOnly; Max-Age=43200; Path=/; SameSite=strict", cookie
    )
    iris = Asker(own_house, cookie.partition("=")[2].partition(";")[0])
    assert iris.get("/").status == 200
    assert [line.allowed for line in own_house.lines(who="iris", action="enter")] == [True]
    assert signed_in(own_house, "iris", code).status == 403, "a code is good once"
    again = iris.post("/sign-in", {"name": "iris", "password": PASSWORD, "code": recovery[0]})
    assert again.status == 303
    assert iris.get("/").status == 303, "signing in anew ended the session of before"
    assert signed_in(own_house, "iris", recovery[0]).status == 403


def test_whatever_is_wrong_is_refused_in_the_same_words(own_house: House) -> None:
    _secret, recovery = enrolled(own_house, "ines")
    add(own_house.vault.database, "ivo")
    own_house.access.accounts.set_password("ivo", PASSWORD)
    with own_house.vault.database.write() as connection:
        connection.exec_driver_sql("DELETE FROM access_failures")
    pages = set()
    for name, password, code in (
        ("ines", "wrong horse battery", recovery[0]),
        ("ines", PASSWORD, "000000"),
        ("ines", PASSWORD, ""),
        ("ivo", PASSWORD, ""),  # who has no second factor
    ):
        told = signed_in(own_house, name, code, password)
        assert told.status == 403
        assert password not in told.text
        pages.add(told.text.replace(f'value="{name}"', ""))
    told = signed_in(own_house, "nobody-of-that-name", "123456")
    pages.add(told.text.replace('value="nobody-of-that-name"', ""))
    assert len(pages) == 1
    assert "The name, the password or the code is wrong." in pages.pop()


def test_guessing_is_locked_out_and_leaves_nothing_of_what_was_tried(own_house: House) -> None:
    _secret, recovery = enrolled(own_house, "isa")
    with own_house.vault.database.write() as connection:
        connection.exec_driver_sql("DELETE FROM access_failures")
    for number in range(5):
        assert signed_in(own_house, "isa", "000000", f"wrong guess number {number}").status == 403
    told = signed_in(own_house, "isa", recovery[0])
    assert told.status == 429, "the right one too"
    assert 1 <= int(told.headers["retry-after"]) <= 2
    assert "Too many attempts" in told.text
    tried = own_house.lines(action="enter", allowed=False)
    assert len(tried) >= 6
    assert not any("guess" in str(line) for line in tried)
    with own_house.vault.database.write() as connection:
        connection.exec_driver_sql("DELETE FROM access_failures")


def test_strangers_cannot_have_passwords_hashed_without_end(
    own_house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy = BoundedSemaphore(1)
    busy.acquire()
    monkeypatch.setattr(arriving, "_AT_ONCE", busy)
    monkeypatch.setattr(arriving, "_PATIENCE_S", 0.05)
    before = len(own_house.lines())
    told = signed_in(own_house, "iris", "123456")
    assert told.status == 429
    assert told.headers["retry-after"] == "1"
    assert len(own_house.lines()) == before, "nothing was tried"


def test_over_tls_the_cookie_is_for_tls_and_this_host_alone(house: House) -> None:
    import asyncio

    _secret, recovery = enrolled(house, "tess")
    body = f"name=tess&password={PASSWORD.replace(' ', '+')}&code={recovery[0]}".encode()
    sent = []

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    headers = {
        "host": "console.example", "origin": "https://console.example", "sec-fetch-site": "same-origin",
        "content-type": "application/x-www-form-urlencoded",
    }  # fmt: skip
    scope = {
        "type": "http", "method": "POST", "path": "/console/sign-in", "raw_path": b"/console/sign-in",
        "query_string": b"", "headers": [(k.encode(), v.encode()) for k, v in headers.items()],
        "client": ("192.0.2.7", 1), "server": ("console.example", 443), "scheme": "http", "http_version": "1.1",
    }  # fmt: skip

    async def ask() -> None:
        address = Address(port=0, plain_network=True)
        make = console_of(house.vault, house.access, address)
        rack, watch = Rack.__new__(Rack), None
        await make(rack, Metrics(), watch)(scope, receive, send)  # type: ignore[arg-type]

    asyncio.run(ask())
    found = {k.decode(): v.decode() for k, v in sent[0]["headers"]}  # type: ignore[attr-defined]
    assert sent[0]["status"] == 303
    assert found["set-cookie"].startswith("__Host-hauberk=")
    assert "; Secure" in found["set-cookie"]
    assert "HttpOnly" in found["set-cookie"]
    assert "Path=/;" in found["set-cookie"]
    assert "Domain" not in found["set-cookie"]


FORGED = {
    "no word of where it comes from": {"origin": "", "sec-fetch-site": ""},
    "another site, says the browser": {"sec-fetch-site": "cross-site"},
    "another site of the same owner": {"sec-fetch-site": "same-site"},
    "typed in the address bar": {"sec-fetch-site": "none"},
    "another origin": {"origin": "https://evil.example", "sec-fetch-site": ""},
    "an origin that is hidden": {"origin": "null", "sec-fetch-site": ""},
    "another port": {"origin": "http://127.0.0.1:1", "sec-fetch-site": ""},
    "a look-alike": {"origin": "http://127.0.0.1.evil.example", "sec-fetch-site": ""},
    "an origin that is none": {"origin": "http://[", "sec-fetch-site": ""},
}


@pytest.mark.parametrize("headers", FORGED.values(), ids=FORGED)
def test_a_form_from_elsewhere_does_nothing(house: House, headers: dict[str, str]) -> None:
    ada = as_(house, "ada")
    before = len(house.lines(action="access.manage"))
    told = ada.post("/access", {"do": "add", "name": "forged", "kind": "person"}, **headers)
    assert told.status == 403
    assert "does not come from your session" in told.text
    assert len(house.lines(action="access.manage")) == before
    assert "forged" not in ada.get("/access").text
    assert ada.post("/sign-out", {}, **headers).status == 403
    assert ada.get("/").status == 200


def test_a_form_of_another_session_does_nothing(house: House) -> None:
    ada, other = as_(house, "ada"), as_(house, "ada")
    for wrong in ("", "x", other.token(), ada.token()[:-1], ada.token() + "A"):
        told = ada.post("/access", {"do": "add", "name": "forged", "kind": "person", "form_token": wrong})
        assert told.status == 403
    assert "forged" not in ada.get("/access").text


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b'{"do": "add"}'),
        ("multipart/form-data; boundary=x", b"--x--"),
        ("text/plain", b"do=add"),
        ("application/x-www-form-urlencoded", b"a=" + b"x" * 70_000),
        ("application/x-www-form-urlencoded", b"&".join(b"a=1" for _ in range(300))),
        ("application/x-www-form-urlencoded", b"do=%ff%fe"),
        ("application/x-www-form-urlencoded", b"do=no-such-act"),
    ],
)
def test_what_is_no_form_of_ours_is_refused(house: House, kind: str, body: bytes) -> None:
    ada = as_(house, "ada")
    if body == b"do=no-such-act":
        assert ada.do("/access", "no-such-act").status == 400
        return
    headers = {"content-type": kind, "origin": f"http://{ada.host}", "cookie": f"hauberk-session={ada.cookie}"}
    status, _headers, text = house.server.ask("POST", "/console/access", body, headers)
    assert status == 400
    assert b"Traceback" not in text


def test_nothing_changes_by_get(house: House) -> None:
    ada = as_(house, "ada")
    token = ada.token()
    before = house.lines(action="access.manage", detail="disable vera")  # which other tests have done
    for path in (
        f"/access?do=add&name=byget&kind=person&form_token={token}",
        f"/access/people/vera?do=disable&form_token={token}",
        f"/sign-out?form_token={token}",
        "/preferences?lang=zh",
    ):
        ada.get(path)
    assert ada.get("/").status == 200
    assert "byget" not in ada.get("/access").text
    assert house.lines(action="access.manage", detail="disable vera") == before


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
def test_other_methods_are_refused(house: House, method: str) -> None:
    status, _headers, _body = house.server.ask(method, "/console/", None, {})
    assert status == 405


def test_signing_out_ends_the_session_for_good(house: House) -> None:
    ada = as_(house, "ada")
    told = ada.post("/sign-out", {})
    assert told.status == 303
    assert 'hauberk-session=""' in told.headers["set-cookie"]
    assert "Max-Age=0" in told.headers["set-cookie"]
    assert ada.get("/").status == 303


def test_whoever_is_disabled_is_out_at_the_next_request(house: House) -> None:
    add(house.vault.database, "gone")
    gone = as_(house, "gone")
    assert gone.get("/").status == 200
    set_disabled(house.vault.database, "gone", True)
    assert gone.get("/").status == 303


def test_headers_of_every_answer(house: House) -> None:
    ada = as_(house, "ada")
    for path in ("/", "/nowhere", "/sign-in", "/static/none.css", "/trail/export?format=lines"):
        headers = ada.get(path).headers
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'self'; ")
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert headers["cache-control"] == "no-store"
    assert as_(house, "ada").get("/nowhere").status == 404


def test_static_files_are_kept_for_a_year_under_an_address_of_their_content(house: House) -> None:
    page = as_(house, None).get("/sign-in").text
    addresses = re.findall(r'"/console(/static/[^"]+)"', page)
    assert len(addresses) == 3
    for address in addresses:
        told = as_(house, None).get(address)
        assert told.status == 200
        assert told.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert as_(house, None).get(address.replace("/static/", "/static/x")).status == 404
    assert as_(house, None).get("/static/../application.py").status == 404
    assert as_(house, None).get("/static/console.css").status == 404


def test_no_style_and_no_script_stands_in_a_page(house: House) -> None:
    ada = as_(house, "ada")
    for path in ("/", "/access", "/access/people/ada", "/access/roles", "/access/keys", "/access/explain",
                 "/trail", "/nowhere"):  # fmt: skip
        text = ada.get(path).text
        assert "style=" not in text, path
        assert "<style" not in text, path
        assert not re.search(r"<script(?! src=)", text), path
        assert not re.search(r"\son[a-z]+=", text), path
        assert "http://" not in text, path
        assert "https://" not in text, path


def test_no_secret_stands_in_a_page(house: House) -> None:
    secret, recovery = enrolled(house, "sara")
    ada = as_(house, "ada")
    shown = ada.do("/access/people/sara", "new-key", days="30", scopes="")
    assert shown.status == 200
    (key,) = set(re.findall(r"hbk_[0-9A-Za-z]{61}", shown.text))
    assert shown.headers["cache-control"] == "no-store"
    import base64

    for path in ("/", "/access", "/access/people/sara", "/access/keys", "/trail"):
        text = ada.get(path).text
        assert key not in text
        assert key[16:59] not in text
        assert ada.cookie not in text
        assert base64.b32encode(secret).decode().rstrip("=") not in text
        assert recovery[0] not in text
        assert "$argon2" not in text
    assert house.access.by_key(key).name == "sara"
    assert not any(key in str(line) for line in house.lines())


@pytest.mark.parametrize(
    ("given", "to"),
    [
        ("/console/trail?who=ada", "/console/trail?who=ada"),
        ("/console", "/console"),
        ("", "/console/"),
        ("https://evil.example/console/", "/console/"),
        ("//evil.example", "/console/"),
        ("/console/\\evil.example", "/console/"),
        ("/consolex", "/console/"),
        ("/console/\r\nset-cookie: x=1", "/console/"),
        ("javascript:alert(1)", "/console/"),
    ],
)
def test_whoever_signs_in_stays_here(given: str, to: str) -> None:
    assert safe_next(given) == to


def test_names_that_come_with_a_request_are_shown_as_text(house: House) -> None:
    ada = as_(house, "ada")
    evil = "<img src=x onerror=alert(1)>"
    for told in (
        ada.do("/access", "add", name=evil, kind="person"),
        ada.get("/trail?who=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E&model=%22%3E%3Cscript%3E"),
        ada.get("/access/people/%3Cimg%3E"),
        as_(house, None).get("/sign-in?next=%22%3E%3Cscript%3E"),
    ):
        assert "<img" not in told.text
        assert "<script>" not in told.text


def test_a_ticket_renews_one_page_of_one_session_for_an_hour() -> None:
    key = bytes(32)
    made = live.ticket(key, "0123", "/console/", 1000)
    assert live.holds(made, key, "0123", "/console/", 1000)
    assert live.holds(made, key, "0123", "/console/", 4599)
    for other in (
        live.holds(made, key, "0123", "/console/", 4600),
        live.holds(made, key, "0123", "/console/", 999),
        live.holds(made, key, "0123", "/console/trail", 1000),
        live.holds(made, key, "4567", "/console/", 1000),
        live.holds(made, bytes(31) + b"1", "0123", "/console/", 1000),
        live.holds(made.replace("1000.", "2000."), key, "0123", "/console/", 2000),
        live.holds("", key, "0123", "/console/", 0),
        live.holds("none", key, "0123", "/console/", 0),
        live.holds("1000.ä", key, "0123", "/console/", 1000),
        live.holds(f"{'9' * 400}.x", key, "0123", "/console/", 1000),
    ):
        assert not other


def test_renewals_are_decided_anew_and_written_once(house: House) -> None:
    from hauberk.access.granting import grant, take_back

    add(house.vault.database, "renewer")
    grant(house.vault.database, "auditor", "renewer")
    someone = as_(house, "renewer")
    ticket = re.search(r'data-ticket="([^"]+)"', someone.get("/trail").text)[1]  # type: ignore[index]
    before = len(house.lines(who="renewer"))
    for _ in range(3):
        assert someone.get("/trail", x_hauberk_live=ticket).status == 200
    assert len(house.lines(who="renewer")) == before
    assert someone.get("/trail", x_hauberk_live="none").status == 200
    assert len(house.lines(who="renewer")) == before + 1, "without a ticket it is a look like any other"
    assert someone.get("/access", x_hauberk_live=ticket).status == 200
    assert len(house.lines(who="renewer")) == before + 2
    take_back(house.vault.database, "auditor", "renewer")
    assert someone.get("/trail", x_hauberk_live=ticket).status == 403
