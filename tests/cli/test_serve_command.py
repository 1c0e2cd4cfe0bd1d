"""``hauberk serve`` as an operator runs it: processes, signals, certificates, and what it refuses."""

from __future__ import annotations

import datetime
import http.client
import ipaddress
import json
import os
import signal
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from transcripts import Call

WAIT_S = 180.0  # a process that starts loads torch, perhaps on a busy machine
SERVE = (sys.executable, "-m", "hauberk", "serve", "--port", "0")


@contextmanager
def command(folder: Path, *arguments: object) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server in a process of its own, and its URL."""
    with open(folder / "log", "w") as log:
        process = subprocess.Popen(
            [*SERVE, "--json", "--set", "drain_s=0", *map(str, arguments)],
            stdout=subprocess.PIPE, stderr=log, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
    assert process.stdout is not None
    try:
        text = ""
        while line := process.stdout.readline():
            text += line
            if line == "}\n":
                break
        assert text, (folder / "log").read_text()
        yield process, json.loads(text)["url"]
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def get(url: str, context: ssl.SSLContext | None = None, *, headers: dict[str, str] | None = None) -> str:
    asked = urllib.request.Request(url, headers=headers or {})
    with urllib.request.urlopen(asked, timeout=20, context=context) as answer:
        return answer.read().decode()


def figure(url: str, name: str) -> float:
    return sum(float(one.split()[-1]) for one in get(f"{url}/metrics").splitlines() if one.startswith(name))


def eventually(true: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_S
    while not true():
        assert time.monotonic() < end
        time.sleep(0.1)


def reachable(url: str) -> bool:
    try:
        get(f"{url}/v2/health/live")
    except (OSError, http.client.HTTPException):  # refused, or cut off in the middle
        return False
    return True


def events(folder: Path) -> list[str]:
    """Every line of the log is one JSON object."""
    return [json.loads(line)["event"] for line in (folder / "log").read_text().splitlines()]


def test_one_process_from_start_to_end(plain_package: Path, tmp_path: Path) -> None:
    place = tmp_path / "net"
    place.symlink_to(plain_package)
    with command(tmp_path, "--models", f"net={place}", "--poll", 3600) as (process, url):
        assert json.loads(get(f"{url}/v2/models/net"))["name"] == "net"
        (plain_package.parent / "plain.revoked").write_text("tried out")
        try:
            process.send_signal(signal.SIGHUP)
            eventually(lambda: "model-revoked" in events(tmp_path))
        finally:
            (plain_package.parent / "plain.revoked").unlink()
        process.send_signal(signal.SIGTERM)
        assert process.wait(WAIT_S) == 0
    assert events(tmp_path) == ["model-served", "listening", "model-revoked", "stopping", "stopped"]


def test_who_only_starts_processes_loads_nothing_heavy() -> None:
    code = (
        "import sys, hauberk.cli.serve_command, hauberk.serving.workers\n"
        "from hauberk.serving import address, folders, guard, limits, logs, needs\n"
        "from hauberk.serving.guard.policy import GuardPolicy\n"
        "print([one for one in ('torch', 'prometheus_client', 'starlette', 'uvicorn') if one in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_several_processes_share_port_and_figures(plain_package: Path, tmp_path: Path) -> None:
    with command(tmp_path, "--models", f"net={plain_package}", "--workers", 2) as (process, url):
        eventually(lambda: figure(url, "hauberk_ready") == 2)
        before = figure(url, 'hauberk_requests_total{route="health"')
        for _ in range(20):  # each on a connection of its own
            get(f"{url}/v2/health/live")
        assert figure(url, 'hauberk_requests_total{route="health"') == before + 20
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        assert len(children) == 2
        os.kill(int(children[0]), signal.SIGKILL)
        eventually(lambda: "process-ended" in events(tmp_path))
        assert reachable(url)
        eventually(lambda: events(tmp_path).count("listening") == 3)
        os.kill(process.pid, signal.SIGKILL)  # nobody is left behind
        eventually(lambda: not reachable(url))


def test_several_processes_say_why_they_do_not_start(tmp_path: Path) -> None:
    said = subprocess.run(
        [*SERVE, "--models", f"net={tmp_path}", "--workers", "2"],
        capture_output=True,
        text=True,
        timeout=WAIT_S,
    )
    assert said.returncode == 2
    assert said.stderr.startswith("error: no model package")


def test_who_looks_after_the_processes_loads_neither_torch_nor_metrics() -> None:
    said = subprocess.run(
        [sys.executable, "-c",
         "import sys, hauberk.serving.workers, hauberk.serving.folders, hauberk.cli.serve_command\n"
         "print([one for one in ('torch', 'prometheus_client', 'uvicorn') if one in sys.modules])"],
        capture_output=True, text=True, timeout=WAIT_S,
    )  # fmt: skip
    assert said.stdout.strip() == "[]", said.stderr


@pytest.fixture
def certificates(tmp_path: Path) -> dict[str, Path]:
    """An authority, and what it certified: the server's and a caller's."""
    made: dict[str, Path] = {}
    authority = ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "authority")])
    present = datetime.datetime.now(datetime.UTC)
    for name in ("authority", "server", "caller"):
        key = authority if name == "authority" else ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        alternative = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        identifier = x509.SubjectKeyIdentifier.from_public_key(authority.public_key())
        certificate = (
            x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number())
            .not_valid_before(present - datetime.timedelta(days=1))
            .not_valid_after(present + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=name == "authority", path_length=None), critical=True)
            .add_extension(alternative, critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False
            )
        )
        if name == "authority":
            certificate = certificate.add_extension(identifier, critical=False)
        made[name] = tmp_path / f"{name}.crt"
        made[f"{name}-key"] = tmp_path / f"{name}.key"
        signed = certificate.sign(authority, hashes.SHA256())
        made[name].write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        made[f"{name}-key"].write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        made[f"{name}-key"].chmod(0o600)
    return made


def test_tls_1_3_and_callers_certificates(
    plain_package: Path, tmp_path: Path, certificates: dict[str, Path]
) -> None:
    arguments = (
        "--models",
        f"net={plain_package}",
        "--tls",
        certificates["server"],
        certificates["server-key"],
    )
    with command(tmp_path, *arguments, "--mtls", certificates["authority"]) as (_process, url):
        assert url.startswith("https://")
        context = ssl.create_default_context(cafile=certificates["authority"])
        with pytest.raises((ssl.SSLError, ConnectionError, urllib.error.URLError)):
            get(f"{url}/v2/health/live", context)
        context.load_cert_chain(certificates["caller"], certificates["caller-key"])
        with urllib.request.urlopen(f"{url}/v2", timeout=20, context=context) as answer:
            assert answer.headers["strict-transport-security"] == "max-age=31536000"
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises(urllib.error.URLError):
            get(f"{url}/v2/health/live", context)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ((), 2, "nothing to serve"),
        (("--models", "net"), 2, "--models takes NAME=PACKAGE"),
        (("--models", "net=nowhere"), 2, "no model"),
        (
            ("--models", "net=nowhere", "--host", "0.0.0.0"),
            2,
            "without TLS the server speaks only to this machine",
        ),
        (("--models", "net=nowhere", "--mtls", "ca.pem"), 2, "needs --tls CERT KEY"),
        (("--models", "net=x", "--tls", "a", "b", "--plain-network"), 2, "contradict each other"),
        (("--models", "net=nowhere", "--tls", "nowhere.crt", "nowhere.key"), 2, "no file at nowhere.crt"),
        (("--models", "net=nowhere", "--port", "70000"), 2, "port must be a whole number in [0, 65535]"),
        (("--models", "net=nowhere", "--set", "rows=0"), 2, "rows must be a whole number"),
        (("--models", "net=nowhere", "--set", "row=1"), 2, "did you mean 'rows'?"),
        (("--models", "net=nowhere", "--poll", "0"), 2, "poll_s must lie in"),
        (
            ("--models", "net=nowhere", "--host", "192.0.2.7", "--plain-network"),
            3,
            "cannot listen on 192.0.2.7",
        ),
    ],
)
def test_what_it_refuses(hauberk_command: Call, arguments: tuple[str, ...], code: int, says: str) -> None:
    port = () if "--port" in arguments else ("--port", "0")
    said = hauberk_command("serve", *port, *arguments)
    assert said.code == code, said.err
    assert said.err.startswith("error: ")
    assert says in said.err
    assert said.out == ""
