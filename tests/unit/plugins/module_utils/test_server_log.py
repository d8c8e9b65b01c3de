# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils import server_log
from ansible_collections.toolserve.gpunode.plugins.module_utils.server_log import Progress, progress, read_lines

RECORDED = Path(__file__).parent / "recorded/startup"

# How a start reads on a GPU: the wordings of each release, the order in which it logs them; figures are made up.
RELEASE_0_9 = (
    ("starting", "INFO 07-09 10:00:00 [api_server.py:1395] vLLM API server version 0.9.2"),
    ("starting", "INFO 07-09 10:00:09 [core.py:69] Initializing a V1 LLM engine (v0.9.2) with config: "
     "device_config=cuda, enforce_eager=False, kv_cache_dtype=auto"),
    ("loading weights", "INFO 07-09 10:00:10 [gpu_model_runner.py:1770] Starting to load model Qwen/Qwen2.5-14B..."),
    ("loading weights, 0 %", "Loading safetensors checkpoint shards:   0% Completed | 0/3 [00:00<?, ?it/s]"),
    ("loading weights, 67 %", "Loading safetensors checkpoint shards:  67% Completed | 2/3 [00:08<00:04,  4.1s/it]"),
    ("loading weights, 100 %", "Loading safetensors checkpoint shards: 100% Completed | 3/3 [00:12<00:00,  4.1s/it]"),
    ("warming up", "INFO 07-09 10:00:23 [default_loader.py:272] Loading weights took 12.31 seconds"),
    ("warming up", "INFO 07-09 10:00:24 [gpu_model_runner.py:1801] Model loading took 9.3 GiB and 13.5 seconds"),
    ("compiling", "INFO 07-09 10:00:30 [backends.py:508] Using cache directory: x for vLLM's torch.compile"),
    ("compiling", "INFO 07-09 10:00:30 [backends.py:519] Dynamo bytecode transform time: 6.10 s"),
    ("compiling", "INFO 07-09 10:00:50 [backends.py:193] Compiling a graph for general shape takes 19.91 s"),
    ("warming up", "INFO 07-09 10:01:00 [monitor.py:34] torch.compile takes 26.01 s in total"),
    ("capturing CUDA graphs", "INFO 07-09 10:01:02 [kv_cache_utils.py:716] GPU KV cache size: 43,008 tokens"),
    ("capturing CUDA graphs", "INFO 07-09 10:01:02 [kv_cache_utils.py:720] Maximum concurrency for 23,232 tokens per "
     "request: 1.85x"),
    ("warming up", "INFO 07-09 10:01:22 [gpu_model_runner.py:2326] Graph capturing finished in 20 secs, took 0.50 GiB"),
    ("warming up", "INFO 07-09 10:01:22 [core.py:172] init engine (profile, create kv cache, warmup model) took 58 s"),
    ("warming up", "INFO 07-09 10:01:23 [api_server.py:1457] Starting vLLM API server 0 on http://0.0.0.0:8000"),
    ("warming up", "INFO:     Waiting for application startup."),
    ("ready", "INFO:     Application startup complete."),
    ("ready", 'INFO:     127.0.0.1:40000 - "GET /health HTTP/1.1" 200 OK'),
)  # fmt: skip
RELEASE_0_33 = (
    ("starting", "(APIServer pid=1) INFO 11-21 11:56:53 [api_utils.py:347]   █▄█▀ █     █     █     █  version 0.33.0"),
    ("starting", "(EngineCore pid=32) INFO 11-21 11:57:06 [core.py:140] Initializing a V1 LLM engine (v0.33.0) with "
     "config: enforce_eager=False, device_config=cuda, served_model_name=x"),
    ("loading weights", "(Worker pid=48) INFO 11-21 12:08:13 [gpu_model_runner.py:4979] Starting to load model x..."),
    ("loading weights, 50 %", "(Worker pid=48) Loading safetensors checkpoint shards:  50% Completed | 1/2"),
    ("warming up", "(Worker pid=48) INFO 11-21 12:08:14 [a.py:5001] Model loading took 9.31 GiB memory"),
    ("compiling", "(Worker pid=48) INFO 11-21 12:08:20 [backends.py:1188] Dynamo bytecode transform time: 5.51 s"),
    ("warming up", "(Worker pid=48) INFO 11-21 12:08:30 [monitor.py:35] torch.compile took 12.60 s in total"),
    ("capturing CUDA graphs", "(EngineCore pid=32) INFO 11-21 12:08:31 [a.py:1148] GPU KV cache size: 268,560 "
     "tokens, Maximum concurrency for 2,048 tokens per request: 131.13x"),
    ("capturing CUDA graphs, 100 %", "Capturing CUDA graphs (mixed prefill-decode, PIECEWISE): 100%|██| 51/51"),
    ("warming up", "(EngineCore pid=32) INFO 11-21 12:08:51 [a.py:1029] Graph capturing finished in 6 secs"),
    ("ready", "(APIServer pid=1) INFO:     Application startup complete."),
)  # fmt: skip


@pytest.mark.parametrize("release", [RELEASE_0_9, RELEASE_0_33], ids=["0.9.2", "0.33.0"])
def test_each_line_leads_to_its_phase(release: tuple[tuple[str, str], ...]) -> None:
    said = [line for _phase, line in release]
    for number, (phase, line) in enumerate(release, 1):
        assert progress(read_lines("\n".join(said[:number]))).describe() == phase, line


def test_a_server_without_cuda_graphs_is_not_said_to_capture_them() -> None:
    said = "\n".join(line for _phase, line in RELEASE_0_9[:13])
    assert progress(read_lines(said)).phase == "capturing CUDA graphs"
    for other in ("enforce_eager=False", "enforce_eager=True"), ("device_config=cuda", "device_config=cpu"):
        assert progress(read_lines(said.replace(*other))).phase == "warming up"


def test_a_real_start_on_a_cpu() -> None:
    started = server_log.seconds_since_epoch((RECORDED / "good.started").read_text().strip())
    reached = progress(read_lines((RECORDED / "good.log").read_text()), started)
    assert reached.phase == "ready" and reached.percent is None
    assert [phase for phase, _seconds in reached.seconds] == ["starting", "loading weights", "warming up"]
    assert all(seconds > 0 for _phase, seconds in reached.seconds)


@pytest.mark.parametrize("name", ["no_compiler", "damaged_weights", "unknown_parser"])
def test_a_real_death_stops_in_its_phase(name: str) -> None:
    phases = {"no_compiler": "compiling", "damaged_weights": "loading weights", "unknown_parser": "starting"}
    assert progress(read_lines((RECORDED / f"{name}.log").read_text())).phase == phases[name]


def test_an_image_that_is_being_fetched() -> None:
    log = "Unable to find image 'vllm/vllm-openai:v0.32.0' locally\nv0.32.0: Pulling from vllm/vllm-openai\n"
    assert progress(read_lines(log)).phase == "pulling the image"


def test_an_empty_log() -> None:
    assert progress(read_lines("", "")) == Progress("starting")


def stamped(*lines: tuple[float, str]) -> str:
    return "\n".join(f"2026-11-21T12:00:{at:012.9f}Z {line}" for at, line in lines)


def test_time_is_counted_for_each_phase() -> None:
    log = stamped(
        (1, "Starting to load model x"), (4, "KV cache size: 9 tokens"), (6, "Starting to load model x"), (7, "x")
    )
    began = server_log.seconds_since_epoch("2026-11-21T12:00:00.5Z")
    assert progress(read_lines(log), began).seconds == (
        ("starting", 0.5),
        ("loading weights", 4.0),
        ("warming up", 2.0),
    )
    assert progress(read_lines(log)).seconds == (("loading weights", 4.0), ("warming up", 2.0))


def test_time_being_ready_does_not_count() -> None:
    log = stamped((1, "Application startup complete."), (50, "GET /health"))
    assert progress(read_lines(log)).seconds == ()


def test_only_the_last_start_counts() -> None:
    first = [(1, "Starting to load model x..."), (3, "Traceback"), (20, "x vLLM API server version 0.9.2")]
    second = [(25, "Starting to load model x..."), (26, "y")]
    lines = read_lines(stamped(*first, *second))
    by_banner = progress(lines)
    assert (by_banner.phase, by_banner.seconds) == ("loading weights", (("starting", 5.0), ("loading weights", 1.0)))
    by_time = progress(lines, server_log.seconds_since_epoch("2026-11-21T12:00:15Z"))
    assert by_time.seconds == (("starting", 10.0), ("loading weights", 1.0))


def test_the_two_streams_are_put_in_order() -> None:
    out, err = stamped((1, "a"), (3, "c")), stamped((2, "b"), (4, "d"))
    assert [line.text for line in read_lines(out, err)] == ["a", "b", "c", "d"]
    assert [line.text for line in read_lines("c\na", "b")] == ["c", "a", "b"], "without timestamps as they come"


def test_a_progress_bar_is_cut_at_its_carriage_returns() -> None:
    bar = "2026-11-21T12:00:01.0Z Capturing CUDA graphs:  50%|██\rCapturing CUDA graphs: 100%|████"
    lines = read_lines(bar)
    assert len(lines) == 2 and lines[0].at == lines[1].at
    assert progress(lines).percent == 100


@pytest.mark.parametrize(
    ("text", "level", "message"),
    [
        ("INFO 07-09 10:00:00 [core.py:69] hello", "INFO", "hello"),
        ("(APIServer pid=1) (EngineCore_DP0 pid=68) ERROR 02-06 16:34:06 [core.py:936]   File x", "ERROR", "  File x"),
        ("(APIServer pid=1) INFO 11-21 11:56:53 [api_utils.py:347] ", "INFO", ""),
        ("INFO:     Started server process [1]", "INFO", "Started server process [1]"),
        ("KeyError: 'x'", "", "KeyError: 'x'"),
        ("    raise KeyError(", "", "    raise KeyError("),
        ("ERRORS are no level", "", "ERRORS are no level"),
    ],
)
def test_a_line(text: str, level: str, message: str) -> None:
    line = read_lines(f"2026-11-21T12:00:00.123456789+00:00 {text}")[0]
    assert (line.level, line.message, line.text) == (level, message, text.rstrip())


def test_points_in_time() -> None:
    at = server_log.seconds_since_epoch
    assert at("2026-11-21T12:00:00.25Z") == at("2026-11-21T13:00:00.250000000+01:00") == 1795262400.25
    assert at("0001-01-01T00:00:00Z") is None and at("") is None
