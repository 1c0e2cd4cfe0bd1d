"""What ``hauberk top`` makes of metrics, against sums by hand and a server under load."""

from __future__ import annotations

import pytest

from hauberk.core.errors import DataError
from hauberk.serving.figures import Sample, between


def text(infer: list[int], ok: int, refused: int, images: int, waiting: int = 0) -> str:
    edges = ("0.001", "0.002", "0.01", "+Inf")
    buckets = [
        f'hauberk_request_seconds_bucket{{route="infer",le="{edge}"}} {count}'
        for edge, count in zip(edges, infer, strict=True)
    ]
    return "\n".join(
        [
            "# TYPE hauberk_request_seconds histogram",
            *buckets,
            "# TYPE hauberk_requests_total counter",
            f'hauberk_requests_total{{route="infer",status="200"}} {ok}',
            f'hauberk_requests_total{{route="infer",status="429"}} {refused}',
            f'hauberk_images_total{{model="net",version="1"}} {images}',
            f'hauberk_batch_images_sum{{model="net"}} {images}',
            f'hauberk_batch_images_count{{model="net"}} {images // 4}',
            f'hauberk_waiting_images{{model="net"}} {waiting}',
            'hauberk_model_served{model="net",version="1"} 2',
            'hauberk_model_served{model="net",version="0"} 0',
            "hauberk_ready 2",
            "hauberk_connections 5",
            "",
        ]
    )


def test_rates_and_quantiles_by_hand() -> None:
    before = Sample.parse(text([10, 10, 10, 10], 10, 0, 40), 100.0)
    after = Sample.parse(text([60, 110, 110, 110], 108, 2, 440, waiting=7), 110.0)
    found = between(before, after)
    assert found.requests_per_s == {"200": pytest.approx(9.8), "429": pytest.approx(0.2)}
    assert found.models == {"net": (40.0, 7.0, 4.0)}
    assert found.p50_s == pytest.approx(0.001)  # 50 of 100 lie below
    assert found.p99_s == pytest.approx(0.001 + 0.001 * 49 / 50)
    assert (found.ready, found.connections, found.versions) == (2, 5, ("net 1",))
    assert found.memory_bytes is None


def test_a_server_that_was_started_anew_counts_from_zero() -> None:
    before = Sample.parse(text([100, 100, 100, 100], 100, 0, 400), 0.0)
    after = Sample.parse(text([5, 5, 5, 5], 5, 0, 20), 1.0)
    assert between(before, after).requests_per_s["200"] == 5.0


def test_nothing_asked_has_no_latency() -> None:
    one = Sample.parse(text([3, 3, 3, 3], 3, 0, 12), 0.0)
    found = between(one, Sample(2.0, one.values))
    assert found.p50_s is None
    assert found.models["net"] == (0.0, 0.0, None)


@pytest.mark.parametrize("wrong", ["", "<html>", "python_info 1\n", "hauberk_ready x\n"])
def test_other_texts_are_refused(wrong: str) -> None:
    with pytest.raises(DataError):
        Sample.parse(wrong, 0.0)
