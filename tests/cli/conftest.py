"""The command line in this process, with everything it says."""

from __future__ import annotations

import pytest
from transcripts import Call, Said

from hauberk.cli.app import run


@pytest.fixture
def hauberk_command(capsys: pytest.CaptureFixture[str]) -> Call:
    def call(*arguments: object) -> Said:
        code = run([str(one) for one in arguments])
        captured = capsys.readouterr()
        return Said(code, captured.out, captured.err)

    return call
