"""Which encoding a file is in: the same answer from the file and from its bytes, wherever blocks end."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hauberk.core import encodings
from hauberk.core.encodings import decoded, inspect
from hauberk.core.errors import ConfigError, DataError

TEXTS = st.text(st.sampled_from("a,1\n\r张伟的手机号码𠀀é"), max_size=40)


@given(text=TEXTS, encoding=st.sampled_from(["utf-8", "utf-8-sig", "gb18030"]), block=st.integers(3, 9))
def test_blocks_of_any_length_give_what_the_whole_gives(
    text: str, encoding: str, block: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("files") / "a.txt"
    path.write_bytes(text.encode(encoding))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encodings, "_BLOCK", block)
        refusals, found = [], None
        for read in (inspect, lambda path: decoded(path, path.read_bytes())):
            try:
                found = read(path)
            except DataError as error:
                refusals.append(str(error))
        assert len(set(refusals)) <= 1
    if encoding != "gb18030":
        assert (found, refusals) == (text, [])
        assert inspect(path).codec == encoding
    elif found is not None:
        assert found == path.read_bytes().decode(inspect(path).codec)


@pytest.mark.parametrize("at", range(1, 9))
def test_the_byte_is_named_that_a_plain_decoder_names(
    at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encodings, "_BLOCK", at)
    data = "张伟\n张伟".encode()[:-1] + b"\xff"
    with pytest.raises(UnicodeDecodeError) as truth:
        data.decode()
    (tmp_path / "a").write_bytes(data)
    for read in (inspect, lambda path: decoded(path, data)):
        with pytest.raises(DataError, match="line 2: not valid UTF-8") as caught:
            read(tmp_path / "a")
        assert caught.value.facts["byte"] == truth.value.start


def test_other_things_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"a\0b")
    for read in (inspect, lambda path: decoded(path, path.read_bytes())):
        with pytest.raises(DataError, match="NUL"):
            read(path)
    with pytest.raises(ConfigError, match="encoding is"):
        decoded(path, b"", "big5")
