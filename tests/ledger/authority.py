"""A time-stamping authority made of ``openssl ts``: a root, a signer under it, and an HTTP address."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from servers import answering

_SETTINGS = """\
[req]
distinguished_name = name
[name]
[ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
[stamps]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, timeStamping
[tsa]
serial = {folder}/serial
default_policy = 1.3.6.1.4.1.55555.1
digests = {digests}
signer_digest = sha256
ess_cert_id_alg = sha256
accuracy = secs:1
ordering = no
tsa_name = no
"""


class Authority:
    """Files under ``folder``; ``ca`` is what a verifier trusts.

    Args:
        digests: what it is willing to stamp.
    """

    def __init__(self, folder: Path, *, digests: str = "sha256, sha512") -> None:
        folder.mkdir()
        self._folder = folder
        self.ca = folder / "ca.pem"
        (folder / "settings").write_text(_SETTINGS.format(folder=folder, digests=digests))
        (folder / "serial").write_text("01")
        key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -config settings"
        self._openssl(f"req -x509 {key} -keyout ca.key -out ca.pem -days 3 -subj /CN=CA -extensions ca")
        self._openssl(f"req {key} -keyout tsa.key -out tsa.csr -subj /CN=TSA")
        self._openssl(
            "x509 -req -in tsa.csr -CA ca.pem -CAkey ca.key -set_serial 2 -out tsa.pem -days 3 "
            "-extfile settings -extensions stamps"
        )

    def _openssl(self, arguments: str, *, check: bool = True) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            ["openssl", *arguments.split()], cwd=self._folder, check=check, capture_output=True, timeout=60
        )

    def answer(self, path: str, body: bytes) -> tuple[int, str, bytes]:
        (self._folder / "query").write_bytes(body)
        self._openssl(
            "ts -reply -config settings -section tsa -queryfile query "
            "-signer tsa.pem -inkey tsa.key -out reply",
            check=False,
        )
        return 200, "application/timestamp-reply", (self._folder / "reply").read_bytes()

    def verifies(self, reply: Path, data: Path) -> bool:
        """What openssl itself says of a stamp."""
        return not self._openssl(f"ts -verify -data {data} -in {reply} -CAfile ca.pem", check=False).returncode

    @contextmanager
    def serving(self) -> Iterator[str]:
        with answering(self.answer) as url:
            yield url
