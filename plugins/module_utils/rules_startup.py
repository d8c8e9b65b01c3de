# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why a vLLM server did not come up: rules on the log of its container.

A rule is a row: what the log says, what that means, what to do, and where the wording comes from. Named groups of
the pattern can be used in both texts. Rows are tried in order, causes before their consequences.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.toolserve.gpunode.plugins.module_utils.cause import CERTAIN, LIKELY, POSSIBLE, Cause
from ansible_collections.toolserve.gpunode.plugins.module_utils.cuda_errors import (
    INSTALL_LIBCUDA,
    ONLY_DATA_CENTER,
    REMOVE_OTHER_BRANCHES,
)
from ansible_collections.toolserve.gpunode.plugins.module_utils.server_log import LogLine
from ansible_collections.toolserve.gpunode.plugins.module_utils.server_log_facts import without_secrets

KILLED = 137  # 128 + SIGKILL
_SYMPTOM_CHARACTERS = 300
_CODE = " " * 4  # how a traceback indents the code that it quotes
_HARMLESS = frozenset({"DEBUG", "INFO"})

_VLLM = "vLLM, sources of 0.9.2 to 0.33.0"
_RUN = "vLLM 0.32.0, as it was run"


@dataclass(frozen=True)
class StartupRule:
    """``with_exception``: the line alone does not say why, the exception that is logged after it does.

    ``explains``: the rule whose line is but a consequence of this one, and not worth telling beside it.
    ``in_warnings``: vLLM says this as a warning; what it says elsewhere as a warning did not end it.
    """

    name: str
    pattern: re.Pattern[str]
    cause: str
    fix: str
    source: str
    confidence: str = CERTAIN
    with_exception: bool = False
    explains: str = ""
    in_warnings: bool = False


def _rule(
    name: str,
    pattern: str,
    cause: str,
    fix: str,
    source: str,
    confidence: str = CERTAIN,
    with_exception: bool = False,
    explains: str = "",
    in_warnings: bool = False,
) -> StartupRule:
    compiled = re.compile(pattern)
    return StartupRule(name, compiled, cause, fix, source, confidence, with_exception, explains, in_warnings)


RULES: tuple[StartupRule, ...] = (
    # The GPU and its driver
    _rule(
        "driver_too_old",
        r"unsatisfied condition: cuda ?>= ?(?P<wanted>[\d.]+)|driver on your system is too old|"
        r"driver version is insufficient for CUDA runtime",
        "The node's NVIDIA driver is older than the CUDA release in the image needs.",
        "Install a newer driver branch on the node, or choose a vLLM release whose image has an older CUDA.",
        "NVIDIA/nvidia-container-toolkit#152; PyTorch's check of the driver",
        explains="no_gpu",
    ),
    _rule(
        "no_gpu_runtime",
        r"could not select device driver .*capabilities: \[\[gpu\]\]|unknown or invalid runtime name: nvidia|"
        r"unresolvable CDI devices",
        "Docker on this node does not know how to give a container a GPU.",
        "Install the NVIDIA Container Toolkit, register its runtime (nvidia-ctk runtime configure), restart Docker.",
        "Docker's message for a missing device driver",
    ),
    _rule(
        "driver_not_loaded",
        r"nvidia-container-cli: (?:initialization error|.*driver not loaded)|Failed to initialize NVML: Driver/library",
        "The NVIDIA kernel module is not loaded, or another version than the driver's libraries.",
        "Look at nvidia-smi on the node; reboot after a driver update, and check that the module was built for this "
        "kernel (dkms status).",
        "nvidia-container-cli's messages",
    ),
    _rule(
        "libcuda_missing",
        r"libcuda\.so(?:\.1)?: cannot open shared object file",
        "libcuda.so.1, a part of the NVIDIA driver, is not in the container.",
        f"{INSTALL_LIBCUDA}, and let the container have the GPU through the NVIDIA Container Toolkit.",
        f"the message of the dynamic linker; {_VLLM}",
        explains="no_gpu",
        in_warnings=True,
    ),
    _rule(
        "cuda_803",
        r"[Ee]rror 803: system has unsupported display driver",
        "The libcuda that the container finds does not belong to the node's kernel module: remains of another driver "
        "version on the node, or CUDA compatibility libraries of the image found before those of the driver.",
        f"{REMOVE_OTHER_BRANCHES} If the node is clean, start the container with "
        "LD_LIBRARY_PATH=/usr/local/nvidia/lib64:/usr/lib/x86_64-linux-gnu.",
        "CUDA's error 803; vllm-project/vllm#15335, gpustack/gpustack#4678",
        explains="no_gpu",
    ),
    _rule(
        "cuda_804",
        r"[Ee]rror 804: forward compatibility was attempted on non supported HW",
        f"The image's CUDA is newer than the driver, and {ONLY_DATA_CENTER}",
        "Install a newer driver branch on the node, or choose a vLLM release whose image has an older CUDA.",
        "CUDA's error 804",
        explains="no_gpu",
    ),
    _rule(
        "no_gpu",
        r"No CUDA GPUs are available|no CUDA-capable device is detected|Found no NVIDIA driver on your system|"
        r"Failed to infer device type",
        "The container sees no GPU.",
        "Look at nvidia-smi on the node and in a container (docker run --rm --gpus all …); check the driver, the "
        "NVIDIA Container Toolkit and the GPU reservation in compose.yaml. Without a GPU use an image of "
        "vLLM's CPU build.",
        f"{_VLLM}; PyTorch's check of the driver",
    ),
    _rule(
        "compute_capability",
        r"is not supported for the current GPU\. Minimum capability: (?P<minimum>\d+)|"
        r"no kernel image is available for execution on the device|Bfloat16 is only supported on GPUs",
        "This GPU is too old for what is asked of it: the quantisation, the data type or the whole image.",
        "For bfloat16 set dtype to half. Otherwise choose a checkpoint or a vLLM release that supports this compute "
        "capability, or another GPU.",
        _VLLM,
    ),
    _rule(
        "dtype",
        r"torch\.(?P<dtype>\w+) is not supported for quantization method (?P<method>\w+)",
        "The kernels for {method} do not compute in {dtype}.",
        "Set dtype to one of the supported types that the message lists, such as half.",
        _VLLM,
    ),
    # Memory
    _rule(
        "kv_cache_too_small",
        r"max seq len \((?P<wanted>\d+)\).*?(?P<needed>[\d.]+) GiB KV cache is needed.*?\((?P<free>[\d.]+) GiB\)"
        r".*?estimated maximum model length is (?P<fits>\d+)",
        "The memory that is left for the KV cache ({free} GiB) does not hold one request of {wanted} tokens "
        "({needed} GiB); {fits} tokens would fit.",
        "Set max-model-len to {fits} or less (vllm_max_model_len), or make room: raise "
        "gpu-memory-utilization, set kv-cache-dtype to fp8, choose a smaller checkpoint; on a CPU raise "
        "VLLM_CPU_KVCACHE_SPACE.",
        f"{_VLLM}; {_RUN}",
    ),
    _rule(
        "kv_cache_much_too_small",
        r"max seq len \((?P<wanted>\d+)\).*?(?P<needed>[\d.]+) GiB KV cache is needed.*?\((?P<free>[\d.]+) GiB\)"
        r"(?!.*estimated maximum model length)",
        "The memory that is left for the KV cache ({free} GiB) does not hold one request of {wanted} tokens "
        "({needed} GiB), and vLLM does not say how many would fit.",
        "Set a much smaller max-model-len (vllm_max_model_len), or make room: raise "
        "gpu-memory-utilization, choose a smaller checkpoint; on a CPU raise VLLM_CPU_KVCACHE_SPACE.",
        _VLLM,
    ),
    _rule(
        "no_kv_cache",
        r"No available memory for the cache blocks",
        "The weights and the work space take all the memory that the server may use; nothing is left for the KV cache.",
        "Raise gpu-memory-utilization, choose a smaller or quantised checkpoint, or lower max-num-batched-tokens.",
        _VLLM,
    ),
    _rule(
        "gpu_in_use",
        r"Free memory on device .*?\((?P<free>[\d.]+)/(?P<total>[\d.]+) GiB\) on startup is less than",
        "Only {free} of the GPU's {total} GiB are free: something else uses it.",
        "See who it is with nvidia-smi and stop it, or lower gpu-memory-utilization so that both fit.",
        _VLLM,
    ),
    _rule(
        "gpu_out_of_memory",
        r"CUDA out of memory|OutOfMemoryError|CUDA error: out of memory|CUBLAS_STATUS_ALLOC_FAILED",
        "The GPU's memory is used up: the checkpoint is too large for it, or something else uses it.",
        "See with nvidia-smi whether anything else uses the GPU. Otherwise lower gpu-memory-utilization, max-model-len "
        "or max-num-seqs, or choose a smaller or quantised checkpoint.",
        "PyTorch's message",
    ),
    _rule(
        "shared_memory",
        r"Insufficient space in /dev/shm.*?(?P<wanted>\d+ MiB) required|No space left on device: '/dev/shm",
        "The container's shared memory (/dev/shm) is too small: Docker gives 64 MiB unless told otherwise.",
        "Start the container with --shm-size 8g (shm_size in compose.yaml) or --ipc=host.",
        _RUN,
        explains="disk_full",
    ),
    # Tool calls and templates
    _rule(
        "plugin_failed",
        r"Failed to load module '(?P<name>[^']+)' from (?P<path>\S+?)\.?$",
        "The plugin {path} cannot be loaded: it is missing in the container, or raises an error when it is imported.",
        "Check that the file is mounted there; the exception says what it lacks. Plugins may import only what the "
        "image has, and vLLM has moved its parser modules (vllm.tool_parsers since 0.14).",
        f"{_VLLM}; {_RUN}",
        with_exception=True,
        explains="unknown_parser",
    ),
    _rule(
        "parser_of_another_model",
        r"--tool-call-parser (?P<name>[\w.-]+)(?: and --\S+ \S+)? cannot be used with the tokenizer of|"
        r"Harmony requires GptOssToolParser, got (?P<got>\w+)|[Tt]ool ?[Pp]arser could not locate",
        "The tool call parser {name}{got} is made for other models: it looks for tokens that this one has not.",
        "Set tool-call-parser (the profile's tool_calls.parser) to that of the model's family: openai for gpt-oss, for "
        "the others see docs/profiles.md.",
        "vLLM 0.32.0, parser/parser_manager.py, as it was run; the parsers of 0.9.2 to 0.33.0",
    ),
    _rule(
        "unknown_parser",
        r"invalid tool call parser: (?P<name>\S+) \(chose from \{ *(?P<known>[^}]*?) *\}",
        "This vLLM release has no tool call parser named {name}.",
        "Set tool-call-parser (the profile's tool_calls.parser) to one of {known}. If it comes from a plugin, set "
        "tool-parser-plugin as well, and compare the name that the plugin registers.",
        f"{_VLLM}; {_RUN}",
    ),
    _rule(
        "unknown_reasoning_parser",
        r"(?:invalid reasoning parser: |Reasoning parser ')(?P<name>[^\s']+)",
        "This vLLM release has no reasoning parser named {name}.",
        "Set reasoning-parser to one that the log lists, or leave it out for a model that does not reason.",
        f"{_VLLM}; {_RUN}",
    ),
    _rule(
        "template_missing",
        r"chat template string \((?P<path>[^)]*)\) (?:appears path-like|looks like a file path)",
        "The chat template {path} does not exist in the container, or cannot be read there.",
        "Correct chat-template (the profile's tool_calls.chat_template) or mount the file; the templates of the image "
        "are in /vllm-workspace/examples, and want an absolute path.",
        f"{_VLLM}; {_RUN}",
    ),
    # The command line
    _rule(
        "unknown_argument",
        r"error: unrecognized arguments: (?P<given>.*)",
        "This vLLM release does not know {given}.",
        "Correct the spelling, or leave it out: options come and go with releases (vllm serve --help).",
        f"argparse; {_RUN}",
    ),
    _rule(
        "bad_argument",
        r"error: (?:argument \S+: .*|the following arguments are required: .*)",
        "An option on the server's command line has a value that this vLLM release does not take.",
        "The message names the option and what it takes.",
        "argparse",
    ),
    _rule(
        "context_too_long",
        r"max_model_len \((?P<wanted>\d+)\) is greater than the derived max_model_len \((?P<derived>[^)]*)",
        "max-model-len {wanted} is more than the model was made for ({derived}).",
        "Set max-model-len (vllm_max_model_len) to what config.json says, or add the model's own rope "
        "scaling if its card describes one.",
        _VLLM,
    ),
    _rule(
        "other_quantisation",
        r"Quantization method specified in the model config \((?P<model>\w+)\) does not match .*\((?P<asked>\w+)\)|"
        r"Cannot find the config file for (?P<missing>\w+)",
        "The option quantization names another method than the checkpoint was made with.",
        "Leave the option out: vLLM reads the method from the checkpoint and takes the fastest kernel for it.",
        _VLLM,
    ),
    _rule(
        "tensor_parallel",
        r"attention heads \((?P<heads>\d+)\) must be divisible by tensor parallel size \((?P<size>\d+)\)",
        "The model's {heads} attention heads cannot be split over {size} GPUs.",
        "Set tensor-parallel-size to a divisor of {heads}.",
        _VLLM,
    ),
    _rule(
        "too_few_gpus",
        r"World size \((?P<wanted>\d+)\) is larger than the number of available GPUs \((?P<there>\d+)\)",
        "The server was told to use {wanted} GPUs, and it sees {there}.",
        "Set tensor-parallel-size (the profile's vllm.arguments) to {there} or less, with a model that fits.",
        "vLLM, sources of 0.11.2 to 0.33.0",
    ),
    # The model
    _rule(
        "gated",
        r"GatedRepoError|gated repo|Access to model .* is restricted|You must have access to it and be authenticated",
        "The model's licence has to be accepted on the hub, and the node has no token of somebody who has.",
        "Accept the licence on the model's page and set vllm_hf_token to a token of that account, or bring the model "
        "as a folder (vllm_model_path).",
        "huggingface_hub",
    ),
    _rule(
        "model_not_found",
        r"Repo id must be in the form|Repository Not Found for url|RepositoryNotFoundError|RevisionNotFoundError|"
        r"is not a local folder and is not a valid model identifier|Invalid repository ID or local directory specified|"
        r"does not appear to have a file named config\.json",
        "There is no such model: no folder of that name in the container, and no repository or revision on the hub.",
        "Check the model's id and revision, and for a folder that it is mounted into the container and holds "
        "config.json. A private repository looks the same without a token (vllm_hf_token).",
        f"huggingface_hub; {_RUN}",
    ),
    _rule(
        "hub_unreachable",
        r"offline mode is enabled|OfflineModeIsEnabled|Cannot find an appropriate cached snapshot|"
        r"LocalEntryNotFoundError|We couldn't connect to '[^']*' to load",
        "The model is not on the node, and the hub cannot be reached or must not be (HF_HUB_OFFLINE).",
        "Let the node reach the hub, or bring the model: as a folder (vllm_model_path), or into the cache volume "
        "before the server starts.",
        f"huggingface_hub; {_RUN}",
    ),
    _rule(
        "trust_remote_code",
        r"contains custom code which must be executed|Please pass the argument `trust_remote_code=True`",
        "The checkpoint brings Python code of its own, and vLLM runs that only when it is told to.",
        "Read that code and pin the model's revision; then set trust-remote-code. Or choose a checkpoint without.",
        f"transformers; {_RUN}",
    ),
    _rule(
        "architecture",
        r"Model architectures (?P<names>\[[^\]]*\]) are not supported for now|does not recognize this architecture|"
        r"has no vLLM implementation and the Transformers implementation is not compatible",
        "This vLLM release cannot run this kind of model.",
        "Choose a newer vLLM release: the model's card or the profile's vllm.minimum_release says which.",
        f"{_VLLM}; {_RUN}",
    ),
    _rule(
        "damaged_weights",
        r"SafetensorError|Error while deserializing header|HeaderTooLarge|MetadataIncompleteBuffer",
        "A file of the checkpoint is damaged or incomplete: an interrupted download or copy.",
        "Compare the files with the checksums on the hub, delete the broken one and fetch it again.",
        f"safetensors; {_RUN}",
    ),
    _rule(
        "no_compiler",
        r"No working C\+\+ compiler found|Failed to find C compiler",
        "torch.compile needs a compiler, and the image holds none.",
        "Choose an image with gcc and g++, such as the official ones, or set enforce-eager, which is slower.",
        f"PyTorch and Triton; {_RUN}",
    ),
    _rule(
        "disk_full",
        r"No space left on device",
        "A disk of the node is full.",
        "Make room where Docker and the model cache live (docker system df), or move them to a larger disk.",
        "the message of the operating system",
    ),
    # Around it
    _rule(
        "port_in_use",
        r"[Aa]ddress already in use$|error while attempting to bind on address|port is already allocated",
        "Another process or container listens on this port already.",
        "See who it is with ss -ltnp or docker ps, and stop it, or set another port (gpunode_listen_port).",
        "asyncio's and Docker's messages",
    ),
    _rule(
        "entrypoint",
        r"exec: \"[^\"]*\": (?:executable file not found|stat .*no such file)|No module named '?vllm|"
        r"No module named vllm\.",
        "The image does not hold what the container was told to start.",
        "Check the name of the image, and its entrypoint in compose.yaml.",
        "runc's and Python's messages",
    ),
)

# The exception at the end of a traceback; the engine's process reports its own, the server only that it failed.
_EXCEPTION = re.compile(r"(?:\w+\.)*\w*(?:Error|Exception)(?:: \S.*|$)")
_CONSEQUENCE = re.compile(r"Engine core initialization failed|Engine process failed to start")


def matching_rules(lines: Sequence[LogLine], docker_error: str = "") -> list[tuple[StartupRule, Cause]]:
    """The rules that the log or Docker's own error (State.Error of docker inspect) fulfils, in their order."""
    said = _said(lines, docker_error)
    found = [(rule, cause) for rule in RULES if (cause := _applied(rule, said)) is not None]
    explained = {rule.explains for rule, _cause in found}
    return [(rule, cause) for rule, cause in found if rule.name not in explained]


def startup_causes(
    lines: Sequence[LogLine], *, exit_code: int | None = None, out_of_memory: bool = False, docker_error: str = ""
) -> list[Cause]:
    """Why the server died, the best cause first; empty when nothing points to anything.

    ``exit_code``, ``out_of_memory`` and ``docker_error`` are State.ExitCode, .OOMKilled and .Error of docker inspect.
    """
    found = [cause for _rule, cause in matching_rules(lines, docker_error)]
    if out_of_memory or (exit_code == KILLED and not found):
        found.insert(0, _killed(out_of_memory))
    if not found and (exception := _last_exception(_said(lines, docker_error))):
        found.append(
            Cause(
                _short(exception),
                "The server ended with an error that no rule knows.",
                "Read the traceback before this line in the log: docker logs shows all of it.",
                POSSIBLE,
            )
        )
    return found


def _said(lines: Sequence[LogLine], docker_error: str) -> list[LogLine]:
    """What may tell of a failure: not the server's ordinary talk, nor the code that tracebacks quote."""
    said = [line for line in lines if line.level not in _HARMLESS and not line.message.startswith(_CODE)]
    return [*said, LogLine(docker_error, docker_error)] if docker_error else said


def _applied(rule: StartupRule, said: list[LogLine]) -> Cause | None:
    for number, line in enumerate(said):
        if line.level == "WARNING" and not rule.in_warnings:
            continue
        if found := rule.pattern.search(line.message):
            groups = {name: value or "" for name, value in found.groupdict().items()}
            symptom = _short(line.message)
            if rule.with_exception and (exception := _last_exception(_logged_with(line, said[number + 1 :]))):
                symptom = f"{symptom} {_short(exception)}"
            return Cause(symptom, rule.cause.format(**groups), rule.fix.format(**groups), rule.confidence)
    return None


def _killed(out_of_memory: bool) -> Cause:
    if out_of_memory:
        return Cause(
            "Docker says that the container was killed for its memory (OOMKilled)",
            "The server needed more main memory than the container or the node has.",
            "Raise the container's memory limit, free memory on the node, or add swap for the time of loading.",
            CERTAIN,
        )
    return Cause(
        f"exit code {KILLED}: the server was killed from outside",
        "The kernel ran out of main memory and killed it, or somebody did (docker kill, or a stop that took too long).",
        "Look for the kernel's word on it: dmesg | grep -i 'out of memory'.",
        LIKELY,
    )


def _logged_with(line: LogLine, following: Sequence[LogLine]) -> list[LogLine]:
    """The rest of a record of several lines, such as a traceback."""
    return list(itertools.takewhile(lambda other: other.level == line.level, following))


def _last_exception(lines: Sequence[LogLine]) -> str | None:
    said = (line.message for line in reversed(lines) if line.level != "WARNING")
    return next((text for text in said if _EXCEPTION.match(text) and not _CONSEQUENCE.search(text)), None)


def _short(text: str) -> str:
    text = " ".join(without_secrets(text).split())
    return text if len(text) <= _SYMPTOM_CHARACTERS else f"{text[:_SYMPTOM_CHARACTERS]} …"
