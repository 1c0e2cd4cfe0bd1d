"""What only other processes can do: die, hang, carry what cannot be carried."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import threading
from pathlib import Path

import compute_jobs as jobs
import pytest

from hauberk.compute import Processes, parcel
from hauberk.core.errors import ConfigError, EnvironmentFailure, HauberkError

HERE = Path(__file__).parent


def test_each_process_has_one_thread_and_none_is_this_one() -> None:
    for _, (pid, count, variable) in Processes(1).map(jobs.threads, range(2), shared=None):
        assert pid != os.getpid()
        assert (count, variable) == (1, "1")


def test_a_job_that_changes_the_payload_harms_no_other() -> None:
    found = dict(Processes(1).map(jobs.spoil, range(4), shared=[]))
    assert found == {number: [number] for number in range(4)}


def test_an_error_brings_the_traceback_of_its_worker() -> None:
    with pytest.raises(HauberkError) as caught:
        list(Processes(1).map(jobs.over_budget, [2], shared=None))
    assert "in over_budget" in "".join(caught.value.__notes__)


def test_an_error_that_survives_no_pickle_keeps_its_words() -> None:
    with pytest.raises(HauberkError, match="Peculiar: 4 and 4") as caught:
        list(Processes(1).map(jobs.peculiar, [4], shared=None))
    assert "in peculiar" in "".join(caught.value.__notes__)


def test_what_cannot_leave_its_process_is_named() -> None:
    lock = threading.Lock()
    with pytest.raises(ConfigError, match=r"^shared cannot leave its process"):
        Processes(1).map(jobs.power, [1], shared=lock)
    with pytest.raises(ConfigError, match=r"^job 1 cannot leave its process"):
        list(Processes(1).map(jobs.power, [1, lock], shared=2))
    with pytest.raises(ConfigError, match=r"^the result of a job cannot leave its process"):
        list(Processes(1).map(jobs.a_lock, [1], shared=2))


def test_work_of_a_killed_process_is_done_again(tmp_path: Path) -> None:
    found = list(Processes(2).map(jobs.die_once, range(9), shared=str(tmp_path)))
    assert (tmp_path / "died").exists()
    assert sorted(found) == [(number, number) for number in range(9)]


def test_a_job_that_always_kills_its_process_is_given_up_by_name() -> None:
    with pytest.raises(EnvironmentFailure, match=r"job 1 was lost: .* died, 2 times") as caught:
        list(Processes(1, retries=1).map(jobs.die_always, range(2), shared=None))
    assert caught.value.facts == {"job": 1}
    assert "memory" in caught.value.hint


def test_closing_the_iterator_ends_the_processes(tmp_path: Path) -> None:
    work = Processes(2).map(jobs.process, range(9), shared=str(tmp_path))
    assert next(work) == (0, 0)
    work.close()
    for file in tmp_path.iterdir():
        with pytest.raises(ProcessLookupError):
            os.kill(int(file.read_text("ascii")), 0)


def test_processes_do_not_outlive_a_killed_parent(tmp_path: Path) -> None:
    code = (
        "import compute_jobs as jobs\nfrom hauberk.compute import Processes\n"
        f"for _ in Processes(1).map(jobs.process, range(2), shared={str(tmp_path)!r}): print(flush=True)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=HERE) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()  # job 0 is done
        parent.kill()
        parent.communicate(timeout=60)  # until its child, which holds this pipe too, has ended


@pytest.mark.parametrize("count", [0, -1, True, 1.5, "2", None])
def test_a_count_that_counts_nothing_is_refused(count: object) -> None:
    with pytest.raises(ConfigError, match="count must be a whole number of at least 1"):
        Processes(count)


@pytest.mark.parametrize("retries", [-1, True, 1.5, None])
def test_retries_that_count_nothing_are_refused(retries: object) -> None:
    with pytest.raises(ConfigError, match="retries must be a whole number of at least 0"):
        Processes(2, retries=retries)


def test_a_worker_with_other_versions_refuses_the_job() -> None:
    call = next(parcel.calls(jobs.power, [2])).data
    good = parcel.comparable_versions()
    assert parcel.answer(parcel.carry_out(call, parcel.pack(3, "shared"), good)) == 8
    with pytest.raises(EnvironmentFailure, match=r"torch .* \(wanted 0.1\): its results could differ"):
        parcel.answer(parcel.carry_out(call, parcel.pack(3, "shared"), {**good, "torch": "0.1"}))


def test_a_worker_without_the_module_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "only_here.py").write_text("def work(job, shared): return job\n", "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    work = importlib.import_module("only_here").work
    call = next(parcel.calls(work, [2])).data
    monkeypatch.undo()
    del sys.modules["only_here"]
    with pytest.raises(
        EnvironmentFailure, match="cannot import what the job needs: No module named 'only_here'"
    ):
        parcel.answer(parcel.carry_out(call, parcel.pack(None, "shared")))
