"""The Open Inference Protocol, against Triton's own client as the second implementation."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hauberk.serving.problems import Problem
from hauberk.serving.protocol import Answer, encode, parse

SHAPE = (1, 4, 4)
ROWS = np.arange(32, dtype=np.float32).reshape(2, *SHAPE) / 32
ANSWER = Answer(
    probabilities=np.array([[0.25, 0.75], [0.5, 0.5]], np.float32),
    label=np.array([1, 0], np.int64),
    logits=np.array([[-1.5, 2.0], [0.1, 0.1]], np.float32),
)


def client_body(
    rows: np.ndarray, datatype: str, *, binary: bool, outputs: dict[str, bool] | None = None
) -> Any:
    """What ``tritonclient`` would send, and the length of its JSON part."""
    http = pytest.importorskip("tritonclient.http")
    tensor = http.InferInput("input", list(rows.shape), datatype)
    tensor.set_data_from_numpy(rows, binary_data=binary)
    asked = None
    if outputs is not None:
        asked = [http.InferRequestedOutput(name, binary_data=flag) for name, flag in outputs.items()]
    return http.InferenceServerClient.generate_request_body([tensor], outputs=asked, request_id="mine")


@pytest.mark.parametrize(
    ("datatype", "dtype"), [("FP32", np.float32), ("FP64", np.float64), ("FP16", np.float16)]
)
@pytest.mark.parametrize("binary", [True, False])
def test_what_tritonclient_sends_is_read(datatype: str, dtype: Any, binary: bool) -> None:
    if datatype == "FP16" and not binary:
        pytest.skip("the client itself sends FP16 as bytes only")
    body, size = client_body(ROWS.astype(dtype), datatype, binary=binary)
    question = parse(body, size, SHAPE, 8)
    assert question.rows.dtype == np.float32
    assert np.array_equal(question.rows, ROWS)
    assert question.id == "mine"


@pytest.mark.parametrize("flags", [(True, True, True), (False, False, False), (True, False, True)])
def test_what_is_answered_tritonclient_reads(flags: tuple[bool, bool, bool]) -> None:
    http = pytest.importorskip("tritonclient.http")
    names = dict(zip(("probabilities", "label", "logits"), flags, strict=True))
    body, size = client_body(ROWS, "FP32", binary=True, outputs=names)
    text, head = encode("net", "3", parse(body, size, SHAPE, 8), ANSWER)
    assert (head is None) == (not any(flags))
    result = http.InferenceServerClient.parse_response_body(text, header_length=head)
    assert result.get_response()["model_name"] == "net"
    assert result.get_response()["id"] == "mine"
    for name in names:
        assert np.array_equal(result.as_numpy(name), getattr(ANSWER, name))


def test_numbers_written_as_json_are_exact() -> None:
    rows = np.array([[0.1, 1 / 3]], np.float32)
    question = parse(_request(data=[0.0] * 16), None, SHAPE, 8)
    text, _head = encode("net", "1", question, Answer(rows, np.array([1]), rows))
    data = json.loads(text)["outputs"][0]["data"]
    assert np.array_equal(np.array(data, np.float32), rows.ravel())


def _request(**changes: Any) -> bytes:
    one = {"name": "input", "shape": [1, *SHAPE], "datatype": "FP32", "data": [0.0] * 16, **changes}
    return json.dumps({"inputs": [{key: value for key, value in one.items() if value is not None}]}).encode()


@pytest.mark.parametrize(
    ("body", "header", "status", "says"),
    [
        (b"", None, 400, "not JSON"),
        (b"[1]", None, 400, "must be a JSON object"),
        (b'{"inputs":' * 2000, None, 400, "not JSON"),
        (b"\xff", None, 400, "not JSON"),
        (b'{"inputs": [NaN]}', None, 400, "not JSON"),
        (b"{}", None, 400, "list of one tensor"),
        (b"{}", 3, 400, "the body has 2 bytes"),
        (_request(name="x"), None, 400, "no input named 'x'"),
        (_request(name=7), None, 400, "no input named 7"),
        (_request(datatype="INT8"), None, 400, "must be FP32, FP64 or FP16"),
        (_request(datatype=["FP32"]), None, 400, "must be FP32, FP64 or FP16"),
        (_request(shape=[1, 4, 4]), None, 400, "'shape' must be [n, 1, 4, 4]"),
        (_request(shape=[0, 1, 4, 4]), None, 400, "at least 1"),
        (_request(shape=[True, 1, 4, 4]), None, 400, "whole number"),
        (_request(shape=[9, 1, 4, 4]), None, 413, "may hold 8 images, got 9"),
        (_request(shape=[10**9, 1, 4, 4]), None, 413, "may hold 8 images"),
        (_request(data=None), None, 400, "must be a list"),
        (_request(data=[0.0] * 15), None, 400, "must hold 16 numbers"),
        (_request(data=[[0.0] * 8] * 2), None, 400, "must hold 16 numbers"),
        (_request(data=["a"] * 16), None, 400, "something else than numbers"),
        (_request(data=[[0.0], [0.0, 1.0]]), None, 400, "rows of unequal length"),
        (_request(data=None, parameters={"binary_data_size": 64}), 10**6, 400, "the body has"),
        (_request(data=None, parameters={"binary_data_size": 63}), None, 400, "must be 64"),
        (_request(data=None, parameters={"binary_data_size": "64"}), None, 400, "must be 64"),
        (_request(parameters={"binary_data_size": 64}), None, 400, "not both"),
        (_request(data=None, parameters={"binary_data_size": 64}), None, 400, "0 follow the header"),
        (_request(parameters=[]), None, 400, "must be an object"),
    ],
)
def test_what_cannot_be_read_is_one_problem(body: bytes, header: int | None, status: int, says: str) -> None:
    with pytest.raises(Problem) as caught:
        parse(body, header, SHAPE, 8)
    assert caught.value.status == status
    assert says in caught.value.detail
    assert len(caught.value.detail) < 200
    told = json.loads(caught.value.body())
    assert told["status"] == status
    assert told["type"].startswith("urn:hauberk:problem:")
    assert told["error"] == told["detail"]


@pytest.mark.parametrize(
    ("outputs", "says"),
    [
        (7, "must be a list"),
        (["label"], "no output None"),
        ([{"name": "secret"}], "no output 'secret'"),
        ([{"name": "label"}, {"name": "label"}], "asked for twice"),
        ([{"name": "label", "parameters": {"binary_data": 1}}], "true or false"),
    ],
)
def test_outputs_that_are_not_there(outputs: Any, says: str) -> None:
    document = json.loads(_request()) | {"outputs": outputs}
    with pytest.raises(Problem) as caught:
        parse(json.dumps(document).encode(), None, SHAPE, 8)
    assert says in caught.value.detail


def _status(body: bytes, header: int | None) -> int:
    try:
        parse(body, header, SHAPE, 8)
    except Problem as problem:
        return problem.status
    return 200


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(["inputs", "name", "shape", "datatype", "data", "parameters", "outputs", "id"]), inner
    ),
    max_leaves=12,
)  # fmt: skip


@given(json_values, st.none() | st.integers(0, 50), st.binary(max_size=20))
def test_any_json_is_a_question_or_a_problem(value: Any, header: int | None, tail: bytes) -> None:
    assert _status(json.dumps(value).encode() + tail, header) in (200, 400, 413)


@given(st.binary(max_size=60), st.none() | st.integers(0, 70))
def test_any_bytes_are_a_problem(body: bytes, header: int | None) -> None:
    with pytest.raises(Problem):
        parse(body, header, SHAPE, 8)
