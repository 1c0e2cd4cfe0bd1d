"""A real S3-speaking server for tests: ``s3rver`` from npm, which checks signatures, on a loopback port."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from pathlib import Path

BUCKET = "hauberk"
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "S3RVER",
    "AWS_SECRET_ACCESS_KEY": "S3RVER",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}
"""What clients need besides ``AWS_ENDPOINT_URL``; the server knows this one pair of keys."""

_START_S = 30.0


class S3Server:
    """A server with one empty bucket, ``BUCKET``.

    Raises:
        RuntimeError: no program.
    """

    def __init__(self, folder: Path) -> None:
        program = shutil.which("s3rver")
        if program is None:
            raise RuntimeError("no s3rver")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        options = ["-d", str(folder), "-a", "127.0.0.1", "-p", str(self.port), "-s", "--no-vhost-buckets"]
        self._process = subprocess.Popen(
            [program, *options, "--configure-bucket", BUCKET],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        end = time.monotonic() + _START_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                if time.monotonic() > end or self._process.poll() is not None:
                    self.stop()
                    raise RuntimeError("s3rver does not start") from None
                time.sleep(0.05)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
