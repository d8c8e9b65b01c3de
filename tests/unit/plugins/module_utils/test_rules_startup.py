# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils.rules_startup import (
    RULES,
    matching_rules,
    startup_causes,
)
from ansible_collections.toolserve.gpunode.plugins.module_utils.server_log import read_lines

RECORDED = Path(__file__).parent / "recorded/startup"
TRACEBACK = "(EngineCore_DP0 pid=68) ERROR 02-06 16:34:06 [core.py:936] "

# Rule -> what is logged when it is the reason, and what looks alike and is not. Wordings from the sources of vLLM, of
# the libraries that it uses, of Docker and its NVIDIA runtime; longer lines are cut.
CASES: dict[str, tuple[str, str]] = {
    "driver_too_old": (
        "nvidia-container-cli: requirement error: unsatisfied condition: cuda>=12.8, please update your driver",
        "INFO 07-09 10:00:00 [cuda.py:1] CUDA driver version 12.8 is used",
    ),
    "no_gpu_runtime": (
        'could not select device driver "nvidia" with capabilities: [[gpu]]',
        "INFO 07-09 10:00:00 [a.py:1] selected device driver nvidia with capabilities: [[gpu]]",
    ),
    "driver_not_loaded": (
        "nvidia-container-cli: initialization error: nvml error: driver not loaded",
        "nvidia-container-cli: mount error: stat failed: /dev/nvidia1: no such file",
    ),
    "libcuda_missing": (
        "WARNING 11-21 12:00:00 [interface.py:371] Failed to import from vllm._C: ImportError('libcuda.so.1: cannot "
        "open shared object file: No such file or directory')\n"
        "RuntimeError: Failed to infer device type, please set the environment variable `VLLM_LOGGING_LEVEL=DEBUG`",
        "ImportError: libtcmalloc.so.4: cannot open shared object file: No such file or directory",
    ),
    "cuda_803": (
        f"{TRACEBACK}RuntimeError: Unexpected error from cudaGetDeviceCount(). Error 803: system has unsupported "
        "display driver / cuda driver combination",
        "RuntimeError: HTTP error 803 from the proxy",
    ),
    "cuda_804": (
        f"{TRACEBACK}RuntimeError: Unexpected error from cudaGetDeviceCount(). Error 804: forward compatibility was "
        "attempted on non supported HW",
        "RuntimeError: Error 804 in the reply",
    ),
    "no_gpu": (
        "RuntimeError: Failed to infer device type, please set the environment variable `VLLM_LOGGING_LEVEL=DEBUG`",
        "WARNING 07-09 10:00:00 [a.py:1] Failed to infer device type of a plugin, going on",
    ),
    "compute_capability": (
        "ValueError: The quantization method awq_marlin is not supported for the current GPU. Minimum capability: 75. "
        "Current capability: 70.",
        "ValueError: The quantization method foo is not supported for this model.",
    ),
    "dtype": (
        "ValueError: torch.bfloat16 is not supported for quantization method awq. Supported dtypes: [torch.float16]",
        "ValueError: torch.float99 is not supported for this operation",
    ),
    "kv_cache_too_small": (
        "ValueError: To serve at least one request with the models's max seq len (32768), (6.00 GiB KV cache is "
        "needed, which is larger than the available KV cache memory (4.25 GiB). Based on the available memory, the "
        "estimated maximum model length is 23232. Try increasing `gpu_memory_utilization` or decreasing",
        "INFO 07-09 10:00:00 [kv_cache_utils.py:716] GPU KV cache size: 23,232 tokens",
    ),
    "kv_cache_much_too_small": (
        "ValueError: To serve at least one request with the model's max seq len (32768), (6.0 GiB KV cache is needed, "
        "which is larger than the available KV cache memory (0.01 GiB). Try increasing `gpu_memory_utilization`",
        "ValueError: To serve at least one request something else is needed",
    ),
    "no_kv_cache": (
        "ValueError: No available memory for the cache blocks. Try increasing `gpu_memory_utilization` when "
        "initializing the engine.",
        "INFO 07-09 10:00:00 [gpu_worker.py:232] Available KV cache memory: 0.02 GiB",
    ),
    "gpu_in_use": (
        "ValueError: Free memory on device cuda:0 (3.20/19.67 GiB) on startup is less than desired GPU memory "
        "utilization (0.9, 17.7 GiB). Decrease GPU memory utilization or reduce GPU memory used by other processes.",
        "INFO 09-16 13:51:51 [a.py:876] Free memory on device (46.99/47.37 GiB) on startup. Desired GPU memory "
        "utilization is (0.85, 40.27 GiB). Actual usage is 2.81 GiB",
    ),
    "gpu_out_of_memory": (
        f"{TRACEBACK}torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total",
        "INFO 07-09 10:00:00 [a.py:1] To avoid that CUDA runs out of memory, lower gpu_memory_utilization",
    ),
    "shared_memory": (
        f"{TRACEBACK}RuntimeError: Insufficient space in /dev/shm for shared-memory allocation: 160 MiB required, "
        "64 MiB free. Increase /dev/shm (e.g. --shm-size or --ipc=host).",
        "RuntimeError: Insufficient space in the queue",
    ),
    "plugin_failed": (
        "ERROR 07-09 10:00:00 [import_utils.py:95] Failed to load module 'my_parser' from /opt/my_parser.py.\n"
        "ERROR 07-09 10:00:00 [import_utils.py:95] Traceback (most recent call last):\n"
        "ERROR 07-09 10:00:00 [import_utils.py:95] ModuleNotFoundError: No module named 'regex2'",
        "WARNING 07-09 10:00:00 [__init__.py:51] Failed to load plugin lora_filesystem_resolver.",
    ),
    "parser_of_another_model": (
        "TypeError: --tool-call-parser hermes and --reasoning-parser openai_gptoss cannot be used with the tokenizer "
        "of '/models/gpt-oss-20b': Harmony requires GptOssToolParser, got Hermes2ProToolParser.",
        "INFO 11-21 12:00:00 [api_server.py:1] --tool-call-parser hermes is used with the tokenizer of the model",
    ),
    "unknown_parser": (
        "KeyError: 'invalid tool call parser: qwen (chose from { granite,hermes,jamba,llama3_json })'",
        "INFO 07-09 10:00:00 [a.py:1] tool call parser: qwen",
    ),
    "unknown_reasoning_parser": (
        "KeyError: 'invalid reasoning parser: r1 (chose from { deepseek_r1,granite,qwen3 })'",
        "INFO 07-09 10:00:00 [a.py:1] Reasoning parser 'qwen3' is used",
    ),
    "template_missing": (
        "ValueError: The supplied chat template string (/templates/x.jinja) appears path-like, but doesn't exist!",
        "INFO 07-09 10:00:00 [a.py:1] Using supplied chat template: /templates/x.jinja",
    ),
    "unknown_argument": (
        "api_server.py: error: unrecognized arguments: --tool-strict-level function",
        "WARNING 07-09 10:00:00 [a.py:1] error: unrecognized arguments: none",
    ),
    "bad_argument": (
        "api_server.py: error: argument --dtype: invalid choice: 'int3' (choose from 'auto', 'bfloat16', 'float')",
        "ValueError: an error of an argument",
    ),
    "context_too_long": (
        "  Value error, User-specified max_model_len (40960) is greater than the derived max_model_len "
        "(max_position_embeddings=32768 or model_max_length=None in model's config.json). This may lead to",
        "WARNING 07-09 10:00:00 [config.py:1] User-specified max_model_len (40960) is greater than the derived "
        "max_model_len (max_position_embeddings=32768). Make sure the value is correct",
    ),
    "other_quantisation": (
        "ValueError: Quantization method specified in the model config (awq) does not match the quantization method "
        "specified in the `quantization` argument (gptq).",
        "INFO 07-09 10:00:00 [a.py:122] Detected that the model can run with awq_marlin, however you specified "
        "quantization=awq explicitly, so forcing awq. Use quantization=awq_marlin for faster inference",
    ),
    "tensor_parallel": (
        "ValueError: Total number of attention heads (40) must be divisible by tensor parallel size (3).",
        "ValueError: 40 attention heads are too many",
    ),
    "too_few_gpus": (
        "  Value error, World size (4) is larger than the number of available GPUs (1) in this node. If this is",
        "INFO 07-09 10:00:00 [a.py:1] World size (1) is the number of available GPUs (1)",
    ),
    "gated": (
        "huggingface_hub.errors.GatedRepoError: 403 Client Error. Cannot access gated repo for url",
        "INFO 07-09 10:00:00 [a.py:1] The repository is not gated",
    ),
    "model_not_found": (
        "OSError: foo/bar is not a local folder and is not a valid model identifier listed on the hub",
        "INFO 07-09 10:00:00 [a.py:1] model: foo/bar is not a local folder, asking the hub",
    ),
    "hub_unreachable": (
        "OSError: We couldn't connect to 'https://huggingface.co' to load the files, and couldn't find them",
        "INFO 07-09 10:00:00 [a.py:1] HF_HUB_OFFLINE: offline mode is enabled",
    ),
    "trust_remote_code": (
        "ValueError: The repository internlm/x contains custom code which must be executed to correctly load it.",
        "INFO 07-09 10:00:00 [core.py:69] Initializing a V1 LLM engine (v0.9.2) with config: trust_remote_code=True",
    ),
    "architecture": (
        "  Value error, Model architectures ['FooForCausalLM'] are not supported for now. Supported architectures: x",
        "WARNING 07-09 10:00:00 [a.py:1] FooForCausalLM has no vLLM implementation, falling back to Transformers",
    ),
    "damaged_weights": (
        "safetensors_rust.SafetensorError: Error while deserializing header: MetadataIncompleteBuffer",
        "INFO 07-09 10:00:00 [a.py:1] no SafetensorError while reading",
    ),
    "no_compiler": (
        "torch._inductor.exc.InductorError: InvalidCxxCompiler: No working C++ compiler found in (None, 'g++')",
        "WARNING 07-09 10:00:00 [a.py:1] Failed to find C compiler, but none is needed",
    ),
    "disk_full": (
        "OSError: [Errno 28] No space left on device: '/root/.cache/huggingface/hub/tmp'",
        "INFO 07-09 10:00:00 [a.py:1] Checkpoint size: 0.00 GiB. Available RAM: 19.30 GiB.",
    ),
    "port_in_use": (
        "OSError: [Errno 98] Address already in use",
        "WARNING 07-09 10:00:00 [parallel_state.py:410] Address already in use. Retrying with a new port.",
    ),
    "entrypoint": (
        'failed to create task for container: exec: "vllm": executable file not found in $PATH: unknown',
        "FileNotFoundError: [Errno 2] No such file or directory: 'nvcc'",
    ),
}


def test_every_rule_has_a_case() -> None:
    assert list(CASES) == [rule.name for rule in RULES]
    assert all(rule.source for rule in RULES)


def fired(text: str) -> list[str]:
    return [rule.name for rule, _cause in matching_rules(read_lines(text))]


@pytest.mark.parametrize("name", CASES)
def test_a_rule_fires_on_its_reason_and_no_other_does(name: str) -> None:
    assert fired(CASES[name][0]) == [name]


@pytest.mark.parametrize("name", CASES)
def test_no_rule_fires_on_what_only_looks_like_its_reason(name: str) -> None:
    assert fired(CASES[name][1]) == []


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("unknown_parser", "This vLLM release has no tool call parser named qwen_toolz."),
        ("missing_template", "The chat template /nowhere/template.jinja does not exist in the container"),
        ("kv_cache_too_small", "does not hold one request of 400000 tokens"),
        ("shared_memory", "The container's shared memory (/dev/shm) is too small"),
        ("plugin_import", "The plugin /extra/broken_plugin.py cannot be loaded"),
        ("plugin_missing", "The plugin /extra/no_plugin.py cannot be loaded"),
        ("unknown_argument", "This vLLM release does not know --enable-auto-tool-choise."),
        ("unknown_reasoning_parser", "This vLLM release has no reasoning parser named foo."),
        ("model_missing", "There is no such model"),
        ("model_offline", "The model is not on the node, and the hub cannot be reached"),
        ("hub_unreachable", "The model is not on the node, and the hub cannot be reached"),
        ("architecture", "This vLLM release cannot run this kind of model."),
        ("trust_remote_code", "The checkpoint brings Python code of its own"),
        ("damaged_weights", "A file of the checkpoint is damaged or incomplete"),
        ("context_too_long", "max-model-len 500000 is more than the model was made for"),
        ("quantization", "The option quantization names another method"),
        ("no_compiler", "torch.compile needs a compiler"),
        ("port_in_use", "Another process or container listens on this port already."),
    ],
)
def test_real_deaths_of_vllm_0_32(name: str, told: str) -> None:
    causes = startup_causes(read_lines((RECORDED / f"{name}.log").read_text()), exit_code=1)
    assert [told in cause.cause for cause in causes] == [True]
    assert causes[0].confidence == "certain"


def test_a_start_that_went_well_has_no_cause() -> None:
    assert startup_causes(read_lines((RECORDED / "good.log").read_text())) == []


def test_the_exception_of_a_plugin_is_told() -> None:
    first = startup_causes(read_lines((RECORDED / "plugin_import.log").read_text()))[0]
    assert first.symptom.endswith("ModuleNotFoundError: No module named 'not_there'")


def test_what_follows_from_another_cause_is_not_told_beside_it() -> None:
    known = {rule.name for rule in RULES}
    assert all(rule.explains in known for rule in RULES if rule.explains)
    full = "OSError: [Errno 28] No space left on device: '/dev/shm/psm_1'"
    assert fired(full) == ["shared_memory"]
    assert fired("OSError: [Errno 28] No space left on device") == ["disk_full"]


def test_a_killed_server() -> None:
    assert "OOMKilled" in startup_causes([], exit_code=137, out_of_memory=True)[0].symptom
    assert startup_causes([], exit_code=137)[0].confidence == "likely"
    assert startup_causes([], exit_code=1) == [] and startup_causes([]) == []
    reason = read_lines(CASES["no_kv_cache"][0])
    assert [cause.confidence for cause in startup_causes(reason, exit_code=137)] == ["certain"]


def test_what_docker_says_counts() -> None:
    assert (
        "port" in startup_causes([], docker_error="Bind for 127.0.0.1:8000 failed: port is already allocated")[0].cause
    )


def test_an_unknown_end_is_quoted_and_not_explained() -> None:
    log = (
        "ERROR 07-09 10:00:00 [core.py:1] FooError: the root of it\n"
        "Traceback (most recent call last):\n"
        '    raise BarError("quoted code")\n'
        "RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}"
    )
    causes = startup_causes(read_lines(log), exit_code=1)
    assert [(cause.symptom, cause.confidence) for cause in causes] == [("FooError: the root of it", "possible")]


def test_a_cause_holds_no_secret_and_is_short() -> None:
    log = f"KeyError: {json.dumps('x' * 900)} non-default args: {{'api_key': 'canary-4711'}}"
    assert len(startup_causes(read_lines(log), exit_code=1)[0].symptom) < 320
    log = "ValueError: args {'api_key': ['canary-4711'], 'hf_token': 'canary-4712'}"
    assert "canary" not in startup_causes(read_lines(log), exit_code=1)[0].symptom
