# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules on a set-up as a whole: what a probe or a log alone does not explain, seen beside arguments and profile."""

from __future__ import annotations

from collections.abc import Callable

from ansible_collections.toolserve.gpunode.plugins.module_utils.cause import CERTAIN, LIKELY, Cause
from ansible_collections.toolserve.gpunode.plugins.module_utils.profile import reasons
from ansible_collections.toolserve.gpunode.plugins.module_utils.sizing import SizingError
from ansible_collections.toolserve.gpunode.plugins.module_utils.verified_setup import Result, Setup
from ansible_collections.toolserve.gpunode.plugins.module_utils.vllm_memory import GpuMemory, Server

_MANY_RESTARTS = 3
_FULL = 0.95
_TIGHT = 2.0
# An estimate of what the GPU has room for is not exact; below this part of it something else is the reason.
_FAR_BELOW = 0.7
_SIZE_BY_HAND = ("kv-cache-memory-bytes", "num-gpu-blocks-override")
_HARMONY = ("harmonyerror", "unexpected tokens remaining in message header", "while expecting start token")
_CONTEXT = ("maximum context length", "is too large", "max_model_len")
_FIRST_GPT_OSS_PARSER = (0, 10, 2)


def too_few_gpus(setup: Setup) -> Cause | None:
    """More GPUs are asked for than there are. Source: vLLM refuses that; before 0.11 not in words that can be read."""
    wanted, there = setup.tensor_parallel, len(setup.gpus)
    said = any("number of available GPUs" in cause["symptom"] for cause in setup.waiting.get("causes") or [])
    if said or not setup.never_answered or not 0 < there < wanted:
        return None
    return Cause(
        f"the server was started with --tensor-parallel-size {wanted}, and this machine has {there} GPU(s)",
        "Each part of the model needs a GPU of its own; the server cannot start.",
        f"Set tensor-parallel-size to {there} or less (the profile's vllm.arguments), with a model that fits.",
        CERTAIN,
    )


def restart_loop(setup: Setup) -> Cause | None:
    """Docker starts it again and again. Source: RestartCount of docker inspect, which a new container sets to 0."""
    restarts = int(setup.container.get("RestartCount") or _waited_for(setup).get("restarts") or 0)
    if restarts < _MANY_RESTARTS or not (setup.never_answered or setup.tool_calls.get("passed") is False):
        return None
    return Cause(
        f"Docker has restarted the container {restarts} times",
        "The server dies and is started again: each time it is away for as long as it takes to load the model.",
        "Look at why it dies, at the end of each start in its log: docker logs CONTAINER.",
        CERTAIN,
    )


def died_meanwhile(setup: Setup) -> Cause | None:
    """It had answered, and its container has ended since. Source: State of docker inspect, after the checks."""
    state = setup.container.get("State") or {}
    if setup.never_answered or state.get("Status", "running") in ("running", "created", "paused"):
        return None
    memory = state.get("OOMKilled") is True
    return Cause(
        f"the container is {state['Status']} after the checks (exit code {state.get('ExitCode')}"
        f"{', out of memory' if memory else ''})",
        "The server had answered, and died while it was checked.",
        "Give it more main memory." if memory else "Look at the end of its log: docker logs CONTAINER.",
        CERTAIN,
    )


def other_parser(setup: Setup) -> Cause | None:
    """The server does not run what the profile says. Source: both lists of arguments."""
    wanted = (setup.profile.get("tool_calls") or {}).get("parser")
    runs = setup.arguments.get("tool-call-parser")
    if not wanted or not runs or runs == wanted or not setup.tool_calls_failed:
        return None
    return Cause(
        f"the server runs with --tool-call-parser {runs}, and the profile {setup.profile.get('name')} says {wanted}",
        "The server was started from another profile, or has not been deployed again since the profile changed.",
        "Apply the role vllm again (site.yml), or verify with the profile that is served.",
        CERTAIN,
    )


def reasoning_parser(setup: Setup) -> Cause | None:
    """It hides what the model says. Source: vLLM's reasoning parsers take text without an end mark for reasoning."""
    parser = setup.arguments.get("reasoning-parser")
    model = setup.profile.get("model") or {}
    if not parser or reasons(setup.profile) or _is_gpt_oss(setup):
        return None
    silent = next((probe for probe, answer in setup.answers() if _says_nothing(answer)), None)
    if silent is None or not model:
        return None
    return Cause(
        f"{silent}: the answer is empty though tokens were generated, and --reasoning-parser is {parser}",
        f"The profile's model ({model.get('id')}) is not said to reason: the parser takes all that it writes for "
        "reasoning, and the calls with it.",
        "Leave --reasoning-parser out for this model.",
        LIKELY,
    )


def max_tokens(setup: Setup) -> Cause | None:
    """max_tokens alone is more than the context. Source: every release from 0.9.2 to 0.33.0 refuses it with 400."""
    context = setup.context
    for probe, answer in setup.refused():
        asked = (answer.get("request") or {}).get("max_tokens")
        if context and isinstance(asked, int) and asked >= context and any(word in _said(answer) for word in _CONTEXT):
            return Cause(
                f"{probe}: max_tokens {asked} with a context of {context} tokens: {answer['error'].get('seen')}",
                "The answer alone may be as long as the whole context. Agents that know no limit ask for as much: "
                "OpenCode for 32000 tokens.",
                f"Tell clients the limits (OpenCode: limit.context {context} and a much smaller limit.output), or "
                "raise --max-model-len (vllm_max_model_len).",
                CERTAIN,
            )
    return None


def harmony_error(setup: Setup) -> Cause | None:
    """gpt-oss wrote what its parser does not take. Source: vllm-project/vllm#23567, #22519, #51977; openai/harmony#60.

    There a newer revision of the model helped most, and 0.26.0 still failed now and then.
    """
    found = next((pair for pair in setup.refused() if any(word in _said(pair[1]) for word in _HARMONY)), None)
    if found is None:
        return None
    return Cause(
        f"{found[0]}: {found[1]['error'].get('seen')}",
        "gpt-oss wrote a message that vLLM's Harmony parser does not take. Old files of the model make it frequent; it "
        "has been seen with new ones up to vLLM 0.26.",
        "Fetch the model's newest revision, use the newest release of vLLM, and let clients repeat a request that "
        "fails in this way.",
        LIKELY,
    )


def gpt_oss_parser(setup: Setup) -> Cause | None:
    """Only ``openai`` reads its calls. Source: vLLM, where this parser came with 0.10.2."""
    parser, release = setup.arguments.get("tool-call-parser"), setup.release
    if not _is_gpt_oss(setup) or not setup.tool_calls_failed:
        return None
    if release is not None and release < _FIRST_GPT_OSS_PARSER:
        return Cause(
            f"gpt-oss on vLLM {'.'.join(map(str, release))}",
            "This release has no tool call parser for gpt-oss.",
            "Use vLLM 0.10.2 or later, better the newest.",
            CERTAIN,
        )
    if not parser or parser == "openai":
        return None
    return Cause(
        f"gpt-oss is served with --tool-call-parser {parser}",
        "gpt-oss writes calls in OpenAI's Harmony format, and only the parser openai reads it.",
        "Serve it with --enable-auto-tool-choice --tool-call-parser openai.",
        CERTAIN,
    )


def gpt_oss_choice(setup: Setup) -> Cause | None:
    """It is free to call or not. Source: vllm-project/vllm#23293, #44216, #45547."""
    refused = [
        (probe, str(answer["error"].get("seen"))) for probe, answer in setup.refused() if _choice_refused(answer)
    ]
    found = [*refused, *setup.findings("ChoiceIgnored")]
    if not _is_gpt_oss(setup) or not found:
        return None
    return Cause(
        f"{found[0][0]}: {found[0][1]}",
        "For gpt-oss many releases of vLLM support no tool_choice but auto: required or a name is ignored or refused.",
        "Set capabilities.tool_choice in the profile to [auto, none], so that nobody relies on more, or try the newest "
        "release of vLLM.",
        LIKELY,
    )


def tight_kv_cache(setup: Setup) -> Cause | None:
    """Hardly one request of full length fits. Source: "Maximum concurrency" in the log of vLLM, and its preemptions."""
    times, tokens = setup.log_facts.get("max_concurrency"), setup.log_facts.get("kv_cache_tokens")
    crowded = next((level for level in setup.throughput.get("concurrency") or [] if _crowded(level)), None)
    if crowded is None or times is None or times >= _TIGHT:
        return None
    size = "" if tokens is None else f" ({tokens} tokens)"
    return Cause(
        f"{crowded['preemptions']} preemptions with {crowded['concurrency']} requests at once, and the KV cache{size} "
        f"holds {times:g} requests of the full context",
        "The KV cache is too small for several requests: some are thrown out and computed again. Agents with "
        "sub-agents need room for two at least.",
        "Lower --max-model-len (vllm_max_model_len), raise --gpu-memory-utilization, use --kv-cache-dtype "
        "fp8, or a smaller checkpoint.",
        CERTAIN,
    )


def small_kv_cache(setup: Setup) -> Cause | None:
    """Far less room than its GPU has. Source: "GPU KV cache size" in the log of vLLM, and the estimate of sizing."""
    tokens, expected = setup.log_facts.get("kv_cache_tokens"), _expected_tokens(setup)
    if not tokens or expected is None or tokens >= expected * _FAR_BELOW:
        return None
    return Cause(
        f"the KV cache holds {tokens} tokens, and about {expected} were to be expected with this GPU, model and "
        "options",
        "While the server started, something else took memory of the GPU, or it needed more than is known besides the "
        "weights.",
        "Start the server again while nothing else changes on the GPU (nvidia-smi shows who holds its memory); or "
        "lower max-num-batched-tokens and max-num-seqs, for which vLLM sets memory aside.",
        LIKELY,
    )


def _expected_tokens(setup: Setup) -> int | None:
    """None where that cannot be said: no driver, a KV cache that is not the same in all layers, a size set by hand."""
    architecture = setup.profile.get("architecture") or {}
    same_in_all_layers = not architecture.get("sliding_window") and not architecture.get("state_bytes")
    memories = [GpuMemory.of(gpu) for gpu in setup.serving.gpus]
    known = [memory for memory in memories if memory and memory.measured]
    by_hand = any(setup.arguments.get(option) for option in _SIZE_BY_HAND)
    if setup.release is None or not known or len(known) < len(memories) or by_hand or not same_in_all_layers:
        return None
    server = Server(setup.profile, setup.release, setup.arguments, {})
    smallest = min(known, key=lambda memory: memory.likely)
    try:
        return server.likely(smallest).largest_context(server.kv_cache(smallest), server.block)
    except SizingError:
        return None


# What keeps a server from living, and what makes calls fail.
SERVER_RULES: tuple[Callable[[Setup], Cause | None], ...] = (died_meanwhile, restart_loop)
CALL_RULES: tuple[Callable[[Setup], Cause | None], ...] = (
    other_parser,
    gpt_oss_parser,
    harmony_error,
    gpt_oss_choice,
    max_tokens,
    reasoning_parser,
)


def _waited_for(setup: Setup) -> Result:
    return setup.waiting.get("container") or {}


def _said(answer: Result) -> str:
    error = answer.get("error") or {}
    return f"{error.get('seen')} {error.get('body')}".lower() if error else ""


def _says_nothing(answer: Result) -> bool:
    """No text and no call came of an answer for which tokens were generated."""
    response = answer.get("response") or {}
    generated = (response.get("usage") or {}).get("completion_tokens") or 0
    return generated > 1 and not response.get("tool_calls") and not str(response.get("content") or "").strip()


def _choice_refused(answer: Result) -> bool:
    choice = (answer.get("request") or {}).get("tool_choice", "auto")
    return choice not in ("auto", "none") and (answer.get("error") or {}).get("status") in (400, 501)


def _crowded(level: Result) -> bool:
    return bool(level.get("preemptions")) and level.get("alone") is not False


def _is_gpt_oss(setup: Setup) -> bool:
    models = [setup.profile.get("model") or {}, *(setup.server.get("models") or [])]
    names = [setup.arguments.get("model"), *(model.get(key) for model in models for key in ("id", "root"))]
    return any("gpt-oss" in str(name).lower() for name in names)
