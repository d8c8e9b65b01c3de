# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each rule on a whole set-up, where it fires and where it must not, and the order in which causes are told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible.plugins.loader import lookup_loader
from ansible_collections.toolserve.gpunode.plugins.module_utils import (
    rules_exposure,
    rules_setup,
    rules_speed,
    verification_causes,
)
from ansible_collections.toolserve.gpunode.plugins.module_utils.cause import Cause
from ansible_collections.toolserve.gpunode.plugins.module_utils.verified_setup import Setup, parse_arguments

GIB = 2**30
SLOW_CAUSE = {"symptom": "3.2 tokens/s are 10%", "cause": "something", "fix": "look", "confidence": "possible"}
ENGINE = {"pid": 42, "name": "VLLM::EngineCor", "memory_bytes": 17 * GIB}
FORCING = "Detected that the model can run with awq_marlin, however you specified quantization=awq, so forcing awq."
FALLBACK = "Layer 'q' is not supported by AutoAWQMarlin. Falling back to unoptimized AWQ kernels."
NATIVE = "Your GPU does not have native support for FP8 computation but FP8 quantization is being used."
PRECLUDED = "--block-size 24 precluded higher-priority backend(s) ['FLASH_ATTN'], reduced performance"


def gpu(**more: Any) -> dict[str, Any]:
    return {
        "index": 0,
        "name": "NVIDIA RTX 4000 SFF Ada Generation",
        "throttle_reasons": ["gpu_idle"],
        "power_limit_watts": 70.0,
        "power_limit_default_watts": 70.0,
        "clock_memory_mhz": 405,
        "clock_memory_max_mhz": 7001,
        "clock_sm_mhz": 210,
        "clock_sm_max_mhz": 2100,
        "utilization_percent": 0,
        "temperature_celsius": 45,
        "peak_bandwidth_bytes_per_second": 280_040_000_000,
        "peak_bandwidth_basis": "2 x 7001 MHz x 160 bit / 8",
        "processes": [ENGINE],
        **more,
    }


def decoding(*reasons: str, often: int = 30, **figures: float) -> dict[str, Any]:
    """A result with the same GPU looked at 40 times while it decoded, at its full clocks unless told otherwise."""
    seen = {"clock_memory_mhz": 7001, "clock_sm_mhz": 1900, "utilization_percent": 99, "temperature_celsius": 70}
    seen |= {"power_draw_watts": 60.0, "power_limit_watts": 70.0, **figures}
    load = {name: {"minimum": value, "median": value, "maximum": value} for name, value in seen.items()}
    load |= {"index": 0, "samples": 40, "throttle_reasons": dict.fromkeys(reasons, often), "processes": [ENGINE]}
    return {"gpus_under_load": [load]}


def throughput(**more: Any) -> dict[str, Any]:
    return {
        "verdict": "fail",
        "decode_tokens_per_second": 3.2,
        "efficiency": 0.1,
        "thresholds": {"warn_below": 0.55, "fail_below": 0.35, "minimum_tokens_per_second": 5},
        "causes": [SLOW_CAUSE],
        **more,
    }


def slow(
    *gpus: dict[str, Any], facts: dict[str, Any] | None = None, arguments: str = "", version: str = "0.9.2", **more: Any
) -> Setup:
    """A slow server, its GPUs, what its log says and how it was started."""
    return Setup(
        tool_calls={"passed": True, "probes": [], "causes": [], "model": "qwen", "server": {"version": version}},
        throughput=throughput(**more),
        waiting={"models": [], "log_facts": {"device": "cuda", **(facts or {})}},
        gpu={"gpus": list(gpus) or [gpu()]},
        container={"Config": {"Cmd": arguments.split()}},
    )


def failing(
    finding: str,
    message: str = "",
    *,
    request: dict[str, Any] | None = None,
    error: dict[str, Any] | None = None,
    response: dict[str, Any] | None = None,
    arguments: str = "",
    model: str = "Qwen/Qwen2.5-14B-Instruct-AWQ",
    version: str = "0.32.0",
) -> Setup:
    """A server of which one probe failed, with what was asked and what came."""
    evidence = {"request": request or {}, "response": response, "error": error and {"message": message, **error}}
    probe = {
        "id": "T3-read",
        "verdict": "fail",
        "findings": [{"class": finding, "message": message, "mode": "plain", "severity": "fail"}],
        "evidence": {"plain": evidence},
    }
    server = {"version": version, "models": [{"id": "served", "root": model, "max_model_len": 23232}]}
    return Setup(
        tool_calls={"passed": False, "probes": [probe], "causes": [], "model": "served", "server": server},
        waiting={"models": []},
        container={"Config": {"Cmd": arguments.split()}},
        profile={"name": "qwen", "model": {"id": model}, "tool_calls": {"parser": "qwen_tools"}},
    )


def never_answered(**more: Any) -> Setup:
    return Setup(tool_calls={"passed": False}, waiting={"failed": True, "causes": []}, **more)


def exposed(address: str, *, key: bool = False, version: str = "0.32.0", arguments: str = "", **more: Any) -> Setup:
    """A server whose container is published at an address."""
    server = {"base_url": "http://127.0.0.1:8000/v1", "version": version, "auth_required": key}
    return Setup(
        tool_calls={"passed": True, "server": server},
        container={
            "Config": {"Cmd": arguments.split()},
            "NetworkSettings": {"Ports": {"8000/tcp": [{"HostIp": address, "HostPort": "8000"}], "9000/tcp": None}},
            **more,
        },
    )


def crowded(concurrency: float, preemptions: int) -> Setup:
    levels = [{"concurrency": 1, "preemptions": 0}, {"concurrency": 4, "preemptions": preemptions, "alone": True}]
    facts = {"max_concurrency": concurrency, "kv_cache_tokens": 27_000}
    return slow(facts=facts, verdict="warn", efficiency=0.8, decode_tokens_per_second=25.0, concurrency=levels)


def roomy(tokens: int, *options: str, profile: str = "qwen2.5-14b-instruct-awq", source: str = "nvml") -> Setup:
    """The reference node with vLLM 0.32.0, which has room for about 40,000 tokens."""
    card = gpu(memory_total_bytes=20475 << 20, sources={"memory_total_bytes": source})
    return Setup(
        waiting={"models": [], "version": "0.32.0", "log_facts": {"kv_cache_tokens": tokens}},
        gpu={"gpus": [card]},
        container={"Config": {"Cmd": ["--gpu-memory-utilization", "0.92", *options]}},
        profile=lookup_loader.get("toolserve.gpunode.profile").run([profile], {})[0],
    )


BAD_REQUEST = {"status": 400, "seen": "HTTP 400: 'max_tokens' is too large: 32000", "body": ""}
HARMONY = {"status": 500, "seen": "HTTP 500: unexpected tokens remaining in message header", "body": ""}
UNSUPPORTED = {"status": 400, "seen": "HTTP 400: tool_choice required is not supported", "body": ""}
HIDDEN = {"content": "", "tool_calls": [], "usage": {"completion_tokens": 40}}
OTHER = {"pid": 77, "name": "python3", "memory_bytes": 2 * GIB}
OTHER_CARD = gpu(index=1, name="NVIDIA L4", peak_bandwidth_bytes_per_second=300_000_000_000, peak_bandwidth_basis="b")
ROOFLINE = {"memory_bandwidth_source": "2 x 7001 MHz x 160 bit / 8"}
OSS = "openai/gpt-oss-20b"

Rule = Callable[[Setup], Cause | None]
# rule, a set-up in which it fires, words that its cause or symptom must hold, set-ups in which it must not.
CASES: list[tuple[Rule, Setup, str, list[Setup]]] = [
    (
        rules_speed.on_the_cpu,
        slow(facts={"device": "cpu"}),
        "does not use the GPU",
        [slow(), Setup(waiting={"models": [], "log_facts": {"device": "cpu"}}, throughput=throughput())],
    ),
    (
        rules_speed.forced_quantization,
        slow(facts={"slow_kernels": [FORCING]}, version="unknown"),
        "forcing awq",
        [slow(facts={"slow_kernels": [FALLBACK]})],
    ),
    (
        rules_speed.forced_quantization,
        slow(arguments="--model m --quantization awq", version="0.23.0"),
        "--quantization awq forces",
        [
            slow(arguments="--quantization awq", version="0.24.0"),
            slow(arguments="--quantization gptq", version="0.22.1"),
            slow(arguments="--quantization awq_marlin"),
            slow(arguments="--quantization awq", version="0.1.dev7"),
        ],
    ),
    (
        rules_speed.unoptimized_kernel,
        slow(facts={"slow_kernels": [NATIVE, FALLBACK]}),
        "Falling back",
        [slow(facts={"slow_kernels": [FORCING, FALLBACK]}), slow(facts={"slow_kernels": [NATIVE]}), slow()],
    ),
    (
        rules_speed.eager,
        slow(arguments="--enforce-eager --model m"),
        "--enforce-eager",
        [slow(facts={"enforce_eager": False}), slow(facts={"enforce_eager": True, "device": "cpu"})],
    ),
    (rules_speed.eager, slow(facts={"enforce_eager": True}), "so says the log", [slow(arguments="--no-enforce-eager")]),
    (
        rules_speed.thermal,
        slow(gpu(throttle_reasons=["hw_slowdown", "hw_thermal_slowdown"], temperature_celsius=92)),
        "92 °C",
        [
            slow(),
            slow(gpu(), gpu(index=1, processes=[], throttle_reasons=["sw_thermal_slowdown"])),
            # Hot before, and not while it decoded; or for a moment only.
            slow(gpu(throttle_reasons=["hw_thermal_slowdown"]), **decoding("sw_power_cap")),
            slow(**decoding("hw_thermal_slowdown", often=3)),
        ],
    ),
    (
        rules_speed.thermal,
        slow(**decoding("sw_thermal_slowdown", temperature_celsius=88)),
        "for its heat at 88 °C, in 30 of 40 looks while it decoded",
        [slow(**decoding())],
    ),
    (
        rules_speed.power_brake,
        slow(gpu(throttle_reasons=["hw_power_brake_slowdown"])),
        "hw_power_brake_slowdown",
        [slow(), slow(gpu(throttle_reasons=["hw_slowdown", "hw_thermal_slowdown"]))],
    ),
    (
        rules_speed.power_brake,
        slow(**decoding("hw_slowdown", "hw_power_brake_slowdown")),
        "(hw_slowdown, hw_power_brake_slowdown), in 30 of 40 looks",
        [slow(**decoding("hw_slowdown", "hw_thermal_slowdown"))],
    ),
    (
        rules_speed.other_tenant,
        slow(gpu(processes=[OTHER, ENGINE])),
        "python3, process 77",
        [slow(), slow(gpu(processes=[ENGINE, {**OTHER, "memory_bytes": 300 * 2**20}]))],
    ),
    (
        rules_speed.other_tenant,
        slow(gpus_under_load=[{**decoding()["gpus_under_load"][0], "processes": [ENGINE, OTHER]}]),
        "python3, process 77",
        [slow(gpu(processes=[ENGINE, OTHER]), **decoding())],  # gone by then
    ),
    (
        rules_speed.power_cap,
        slow(gpu(power_limit_watts=50.0)),
        "50 W",
        [slow(), slow(gpu(power_limit_watts=69.5)), slow(gpu(power_limit_default_watts=None))],
    ),
    (
        rules_speed.power_cap,
        slow(**decoding("sw_power_cap", power_limit_watts=50.0)),
        "may draw 50 W; it was made for 70 W, in 30 of 40 looks",
        [slow(**decoding("sw_power_cap"))],
    ),
    (
        rules_speed.power_reached,
        slow(**decoding("sw_power_cap", clock_sm_mhz=800)),
        "its power limit of 70 W, in 30 of 40 looks while it decoded; its processors run at 800 of 2100 MHz",
        [
            slow(**decoding("sw_power_cap")),
            slow(**decoding("sw_power_cap", clock_sm_mhz=800, power_limit_watts=50.0)),
            slow(**decoding(clock_sm_mhz=800)),
            slow(gpu(throttle_reasons=["sw_power_cap"])),  # idle clocks are low anyway
        ],
    ),
    (
        rules_speed.low_memory_clock,
        slow(gpu(utilization_percent=98)),
        "405 of 7001 MHz",
        [slow(), slow(gpu(utilization_percent=98, clock_memory_mhz=7001))],
    ),
    (
        rules_speed.low_memory_clock,
        slow(**decoding(clock_memory_mhz=5001)),
        "5001 of 7001 MHz",
        [slow(**decoding()), slow(**decoding(clock_memory_mhz=5001, utilization_percent=20))],
    ),
    (
        rules_speed.low_clock,
        slow(**decoding(clock_sm_mhz=600)),
        "600 of 2100 MHz",
        [
            slow(),
            slow(**decoding()),
            slow(**decoding(clock_sm_mhz=600, utilization_percent=20)),
            slow(**decoding("sw_thermal_slowdown", clock_sm_mhz=600)),
        ],
    ),
    (
        rules_speed.clocks_set,
        slow(gpu(throttle_reasons=["applications_clocks_setting"])),
        "application clocks",
        [slow()],
    ),
    (
        rules_speed.unequal_gpus,
        slow(gpu(), gpu(index=1, peak_bandwidth_bytes_per_second=10**12), arguments="--tensor-parallel-size=2"),
        "280 to 1000 GB/s",
        [
            slow(gpu(), gpu(index=1), arguments="-tp 2"),
            slow(gpu(), gpu(index=1, processes=[], peak_bandwidth_bytes_per_second=10**12)),
        ],
    ),
    (
        rules_speed.emulated_format,
        slow(facts={"slow_kernels": [NATIVE]}),
        "native support for FP8",
        [slow(facts={"slow_kernels": [FALLBACK]})],
    ),
    (
        rules_speed.slow_attention,
        slow(facts={"slow_kernels": [PRECLUDED]}),
        "--block-size",
        [slow(facts={"slow_kernels": [FALLBACK]})],
    ),
    (
        rules_speed.doubtful_roofline,
        slow(gpu(), OTHER_CARD, roofline={"memory_bandwidth_source": "x; GPU 0, the first of several"}),
        "the roofline is that of GPU 0 (NVIDIA RTX 4000 SFF Ada Generation), the first of several",
        [
            slow(gpu(), gpu(index=1), roofline={"memory_bandwidth_source": "x; GPU 0, the first of several"}),
            slow(gpu(processes=[]), OTHER_CARD, roofline={"memory_bandwidth_source": "x; GPU 1, with the processes"}),
            slow(gpu(), OTHER_CARD, roofline={"memory_bandwidth_source": "verify_memory_bandwidth"}),
        ],
    ),
    (
        rules_speed.doubtful_roofline,
        slow(roofline={"memory_bandwidth_source": "table of known GPUs: data sheet"}),
        "table of known GPUs",
        [
            slow(
                verdict="pass",
                efficiency=0.8,
                roofline={"memory_bandwidth_source": "table of known GPUs: data sheet"},
            ),
            slow(roofline=ROOFLINE),
        ],
    ),
    (
        rules_setup.too_few_gpus,
        never_answered(gpu={"gpus": [gpu()]}, container={"Config": {"Cmd": ["--tensor-parallel-size", "2"]}}),
        "this machine has 1 GPU(s)",
        [
            never_answered(gpu={"gpus": [gpu()]}),
            Setup(
                waiting={"causes": [{"symptom": "World size (2) is larger than the number of available GPUs (1)"}]},
                gpu={"gpus": [gpu()]},
                container={"Config": {"Cmd": ["--tensor-parallel-size", "2"]}},
            ),
            never_answered(gpu={"gpus": []}, container={"Config": {"Cmd": ["--tensor-parallel-size", "2"]}}),
            slow(gpu(), arguments="--tensor-parallel-size 2"),
        ],
    ),
    (
        rules_setup.restart_loop,
        never_answered(container={"RestartCount": 7}),
        "restarted the container 7 times",
        [never_answered(container={"RestartCount": 1}), Setup(container={"RestartCount": 7})],
    ),
    (
        rules_setup.died_meanwhile,
        Setup(waiting={"models": []}, container={"State": {"Status": "exited", "ExitCode": 137, "OOMKilled": True}}),
        "out of memory",
        [
            Setup(waiting={"models": []}, container={"State": {"Status": "running", "ExitCode": 0}}),
            never_answered(container={"State": {"Status": "exited", "ExitCode": 1}}),
        ],
    ),
    (
        rules_setup.other_parser,
        failing("MarkupLeak", arguments="--tool-call-parser hermes"),
        "the profile qwen says qwen_tools",
        [failing("MarkupLeak", arguments="--tool-call-parser qwen_tools"), failing("MarkupLeak"), slow()],
    ),
    (
        rules_setup.reasoning_parser,
        failing("MissingToolCalls", response=HIDDEN, arguments="--reasoning-parser deepseek_r1"),
        "--reasoning-parser is deepseek_r1",
        [
            failing("MissingToolCalls", response=HIDDEN),
            failing(
                "MissingToolCalls", response={**HIDDEN, "content": "Hi"}, arguments="--reasoning-parser deepseek_r1"
            ),
            failing("MissingToolCalls", response=HIDDEN, arguments="--reasoning-parser openai_gptoss", model=OSS),
        ],
    ),
    (
        rules_setup.max_tokens,
        failing("RequestFailed", "no", request={"max_tokens": 32000}, error=BAD_REQUEST),
        "max_tokens 32000 with a context of 23232",
        [
            failing("RequestFailed", "no", request={"max_tokens": 512}, error=BAD_REQUEST),
            # a refusal that the probe wanted
            failing("ContextMismatch", "no", request={"max_tokens": 32000}, error=BAD_REQUEST),
        ],
    ),
    (
        rules_setup.harmony_error,
        failing("RequestFailed", "no", error=HARMONY, model=OSS),
        "Harmony parser",
        [failing("RequestFailed", "no", error=BAD_REQUEST, model=OSS)],
    ),
    (
        rules_setup.gpt_oss_parser,
        failing("MarkupLeak", model=OSS, arguments="--tool-call-parser hermes"),
        "--tool-call-parser hermes",
        [
            failing("MarkupLeak", model=OSS, arguments="--tool-call-parser openai"),
            failing("MarkupLeak", arguments="--tool-call-parser hermes"),
        ],
    ),
    (
        rules_setup.gpt_oss_parser,
        failing("MarkupLeak", model=OSS, arguments="--tool-call-parser openai", version="0.10.1.1"),
        "no tool call parser for gpt-oss",
        [failing("MarkupLeak", model=OSS, arguments="--tool-call-parser openai", version="0.10.2")],
    ),
    (
        rules_setup.gpt_oss_choice,
        failing("ChoiceIgnored", "tool_choice is required, and no call was made", model=OSS),
        "no call was made",
        [failing("ChoiceIgnored", "no call was made"), failing("MarkupLeak", model=OSS)],
    ),
    (
        rules_setup.gpt_oss_choice,
        failing("RequestFailed", "no", request={"tool_choice": "required"}, error=UNSUPPORTED, model=OSS),
        "not supported",
        [failing("RequestFailed", "no", request={"tool_choice": "auto"}, error=UNSUPPORTED, model=OSS)],
    ),
    (
        rules_setup.small_kv_cache,
        roomy(20_000),
        "20000 tokens, and about 40",
        [
            roomy(36_000),
            roomy(80_000),
            roomy(20_000, source="table"),
            roomy(20_000, "--num-gpu-blocks-override", "1250"),
            roomy(20_000, "--max-num-seqs", "2048"),
            roomy(20_000, profile="gpt-oss-20b"),
            crowded(8.0, 0),
        ],
    ),
    (rules_setup.tight_kv_cache, crowded(1.2, 3), "27000 tokens", [crowded(1.2, 0), crowded(8.0, 3)]),
    (
        rules_exposure.open_to_all,
        exposed("0.0.0.0"),
        "listens on 0.0.0.0",
        [exposed("127.0.0.1"), exposed("0.0.0.0", key=True), Setup()],
    ),
    (
        rules_exposure.open_to_all,
        exposed("127.0.0.1", HostConfig={"NetworkMode": "host"}),
        "listens on 0.0.0.0",
        [exposed("0.0.0.0", HostConfig={"NetworkMode": "host"}, arguments="--host 127.0.0.1")],
    ),
    (
        rules_exposure.open_to_all,
        Setup(tool_calls={"server": {"base_url": "https://llm.example.com/v1", "auth_required": False}}),
        "answers at https://llm.example.com/v1",
        [Setup(tool_calls={"server": {"base_url": "https://llm.example.com/v1", "auth_required": None}})],
    ),
    (
        rules_exposure.unsafe_release,
        exposed("", key=True, version="0.31.0"),
        "runs vLLM 0.31.0",
        [exposed("", key=True), exposed("127.0.0.1", version="0.9.2")],
    ),
    (
        rules_exposure.key_in_arguments,
        exposed("127.0.0.1", arguments="--api-key canary"),
        "--api-key",
        [exposed("127.0.0.1")],
    ),
]


@pytest.mark.parametrize(("rule", "fires", "words", "silent"), CASES, ids=[case[0].__name__ for case in CASES])
def test_a_rule_fires_where_it_must_and_nowhere_else(rule: Rule, fires: Setup, words: str, silent: list[Setup]) -> None:
    cause = rule(fires)
    assert cause is not None and words in f"{cause.symptom} {cause.cause}"
    assert "canary" not in str(cause.as_dict())
    assert [rule(setup) for setup in silent] == [None] * len(silent)


def test_every_rule_has_its_cases() -> None:
    alone = (
        rules_setup.too_few_gpus,
        rules_setup.small_kv_cache,
        rules_setup.tight_kv_cache,
        rules_speed.doubtful_roofline,
    )
    lists = (rules_speed.RULES, rules_setup.SERVER_RULES, rules_setup.CALL_RULES, rules_exposure.RULES, alone)
    assert {rule for rules in lists for rule in rules} == {case[0] for case in CASES}


def symptoms(setup: Setup) -> list[str]:
    return [cause["symptom"] for cause in verification_causes.find(setup)]


HELD_BACK = gpu(
    throttle_reasons=["hw_thermal_slowdown", "applications_clocks_setting"],
    power_limit_watts=40.0,
    processes=[ENGINE, OTHER],
)
TROUBLES = {"device": "cpu", "enforce_eager": True, "slow_kernels": [FORCING, FALLBACK, NATIVE, PRECLUDED]}


def test_what_explains_the_slowness_is_told_before_that_it_is_slow() -> None:
    told = symptoms(slow(HELD_BACK, facts=TROUBLES | {"device": "cuda"}))
    assert told[-1] == SLOW_CAUSE["symptom"]
    assert "forcing awq" in told[0] and len(told) == 9


@pytest.mark.parametrize(
    "measured",
    [
        {"verdict": "pass", "efficiency": 0.8, "decode_tokens_per_second": 25.0},
        {"verdict": "inconclusive"},
        # Fast, and a warning for another reason.
        {"verdict": "warn", "efficiency": 0.8, "decode_tokens_per_second": 25.0},
        {"verdict": "fail", "efficiency": None, "decode_tokens_per_second": None},
    ],
)
def test_a_server_that_is_not_slow_has_no_cause_of_slowness(measured: dict[str, Any]) -> None:
    assert symptoms(slow(HELD_BACK, facts=TROUBLES, **(measured | {"causes": []}))) == []


def test_too_slow_by_the_floor_alone_counts() -> None:
    assert len(symptoms(slow(facts={"enforce_eager": True}, efficiency=None))) == 2


def cause(symptom: str) -> dict[str, str]:
    return {"symptom": symptom, "cause": "c", "fix": "f", "confidence": "certain"}


def test_why_the_server_died_comes_first_and_nothing_is_told_twice() -> None:
    setup = Setup(
        tool_calls={"passed": False, "causes": [cause("connection refused")]},
        throughput={"verdict": "fail", "causes": [cause("connection refused")]},
        waiting={"causes": [cause("No space left on device"), cause("No space left on device")]},
        gpu={"problems": [cause("no kernel driver is bound")], "gpus": [gpu()]},
        container={"RestartCount": 9},
    )
    assert symptoms(setup) == [
        "No space left on device",
        "No space left on device",  # one log line may have two explanations
        "Docker has restarted the container 9 times",
        "no kernel driver is bound",
    ]


def test_that_nothing_answers_is_told_where_nobody_knows_why() -> None:
    refused = {"passed": False, "causes": [cause("connection refused")]}
    assert symptoms(Setup(tool_calls=refused, throughput=refused, waiting={"failed": True})) == ["connection refused"]
    # It came up after all, too late.
    late = {"passed": False, "causes": [cause("a call is left")], "server": {"reachable": True}}
    assert symptoms(Setup(tool_calls=late, waiting={"causes": [cause("slow start")]})) == [
        "slow start",
        "a call is left",
    ]


@pytest.mark.parametrize(
    ("host", "told"),
    [({}, []), ({"DeviceRequests": [{"Driver": "nvidia", "Count": -1}]}, ["no NVIDIA GPU"])],
    ids=["CPU server", "GPU server"],
)
def test_a_machine_without_a_gpu_is_a_problem_of_those_who_wanted_one(host: dict[str, Any], told: list[str]) -> None:
    nothing = {"gpus": [], "problems": [cause("no NVIDIA GPU")]}
    container = {"HostConfig": host}
    assert symptoms(never_answered(gpu=nothing, container=container)) == told
    assert symptoms(Setup(throughput=throughput(causes=[]), gpu=nothing, container=container)) == told


def test_the_text_leaves_out_what_was_told_and_fits_a_terminal() -> None:
    causes = [cause("a" * 60 + " " + "b" * 60), cause("told")]
    text = verification_causes.as_text(causes, told=[cause("told")])
    assert text.startswith("All sources together say:\n\nWhat was seen: aaa") and "told\n" not in text
    assert max(map(len, text.split("\n"))) <= 100
    assert verification_causes.as_text(causes, told=causes) == ""


def test_a_command_line_is_read_as_vllm_reads_it() -> None:
    words = ["m", "--max_model_len=8192", "--enforce-eager", "--quantization", "awq", "-tp", "2", "--enable-x"]
    assert parse_arguments(words) == {
        "max-model-len": "8192",
        "enforce-eager": True,
        "quantization": "awq",
        "tensor-parallel-size": "2",
        "enable-x": True,
    }


def test_how_many_gpus_share_the_work_is_the_profile_s_word_only_where_nobody_knows_better() -> None:
    two = {"vllm": {"arguments": {"tensor-parallel-size": 2}}}
    assert Setup(profile=two).tensor_parallel == 2
    assert Setup(profile=two, container={"Config": {"Cmd": ["--model", "m"]}}).tensor_parallel == 1
    assert Setup(waiting={"log_facts": {"arguments": {"tensor_parallel_size": 4}}}, profile=two).tensor_parallel == 4


def test_the_container_s_command_wins_over_the_log() -> None:
    logged = {"tool_call_parser": "hermes", "enforce_eager": True}
    setup = slow(facts={"arguments": logged}, arguments="--tool-call-parser qwen_tools")
    assert setup.arguments == {"tool-call-parser": "qwen_tools", "enforce-eager": True}
