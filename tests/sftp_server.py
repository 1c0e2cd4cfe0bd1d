"""A real SFTP server for tests: OpenSSH, for this user alone, with keys of its own, on a loopback port."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

_START_S = 20.0
_SETTINGS = """
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
Subsystem sftp internal-sftp
"""


class SftpServer:
    """A server whose files are this machine's.

    Raises:
        RuntimeError: no program, or it does not start.
    """

    def __init__(self, folder: Path) -> None:
        program = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
        if program is None or shutil.which("ssh-keygen") is None:
            raise RuntimeError("no OpenSSH server")
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # where it gives its rights up
        for name in ("host", "user"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        (folder / "settings").write_text(_SETTINGS.format(port=self.port, folder=folder))
        self.client = {"key_filename": str(folder / "user"), "username": getpass.getuser()}
        self._process = subprocess.Popen(
            [program, "-D", "-e", "-f", str(folder / "settings")],
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
                    raise RuntimeError("sshd does not start") from None
                time.sleep(0.05)

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
