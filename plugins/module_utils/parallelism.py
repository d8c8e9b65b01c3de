# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a server divides its work: tensor parallelism over GPUs, and how much of it goes into one batch.

Rules of vLLM, read in the sources of 0.9.2 to 0.33.0: the attention heads must be divisible by the tensor parallel
size (config, verify_with_parallel_config); KV heads are divided where there are at least as many as GPUs, and repeated
where there are fewer, evenly in both cases (layers/linear.py, QKVParallelLinear); a batch holds at least one token of
each sequence, and a whole prompt where it is not processed in chunks (config/scheduler.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils import gpu_choice, serving, serving_options
from ansible_collections.toolserve.gpunode.plugins.module_utils.vllm_releases import ServingRelease

TENSOR, PIPELINE = "tensor-parallel-size", "pipeline-parallel-size"
SEQUENCES, TOKENS, CHUNKED = "max-num-seqs", "max-num-batched-tokens", "enable-chunked-prefill"
AUTO = "auto"
_SETTINGS = {
    TENSOR: "vllm_tensor_parallel_size",
    SEQUENCES: "vllm_max_num_seqs",
    TOKENS: "vllm_max_num_batched_tokens",
}
# Formats with one scale for 128 numbers of a row: rows cannot be cut inside of such a group. Those of all sizes of
# Qwen2.5 can be cut into 4 parts, those of 14B (13824 numbers) not into 8.
_GROUPED = ("awq", "gptq")
_GROUPED_MAXIMUM = 4


@dataclass
class Plan:
    """``arguments`` are those options of vLLM that follow; ``tensor_parallel`` is the size in effect."""

    tensor_parallel: int = 1
    arguments: dict[str, Any] = field(default_factory=dict)
    stops: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """For filters."""
        return asdict(self)


@dataclass(frozen=True)
class Wish:
    """What the inventory says; empty where it leaves the choice to the profile and to vLLM. ``nodes`` share the model,
    each with as many GPUs as this one."""

    tensor_parallel: Any = AUTO
    sequences: Any = ""
    batched_tokens: Any = ""
    nodes: int = 1


def plan(
    profile: Mapping[str, Any], release: str, extra: Mapping[str, Any], gpus: Sequence[gpu_choice.Gpu], wish: Wish
) -> Plan:
    """The options that follow from what the inventory wishes, and what is wrong with them.

    :param extra: options of the user, which win over those that follow from ``wish``.
    :param gpus: those of this node that the server is given, as gpu_info sees them.
    """
    found = Plan()
    profiles, users = _of_release(profile.get("vllm") or {}, release), serving_options.plain(extra)
    typed = _typed(found, wish)
    if wish.nodes > 1:
        typed[PIPELINE] = wish.nodes  # a stage for each: between nodes little is sent that way
    chosen = {**profiles, **typed, **users}
    if TENSOR in users and users[TENSOR] is None:
        chosen[TENSOR] = 1  # taken away: vLLM's own default
    elif chosen.get(TENSOR) is None:
        stages = max((_number(chosen.get(PIPELINE)) or 1) // wish.nodes, 1)
        chosen[TENSOR] = typed[TENSOR] = _widest(found, profile, gpus, stages)
    found.arguments = {name: value for name, value in typed.items() if (name, value) != (TENSOR, 1)}
    found.tensor_parallel = _number(chosen[TENSOR]) or 1
    _divides(found, profile)
    _batches(found, profile, chosen)
    return found


def possible(profile: Mapping[str, Any], size: int) -> bool:
    """Whether the model's attention can be divided by this many GPUs; True where the profile does not tell."""
    architecture = profile.get("architecture") or {}
    heads, kv_heads = architecture.get("attention_heads"), architecture.get("kv_heads")
    if heads and heads % size:
        return False
    return not kv_heads or kv_heads % size == 0 or size % kv_heads == 0


def _of_release(vllm: Mapping[str, Any], release: str) -> dict[str, Any]:
    try:
        return serving.of_release(vllm, ServingRelease.named(release))[0]
    except ValueError:  # told where the release is checked
        return serving_options.plain(vllm.get("arguments") or {})


def _typed(found: Plan, wish: Wish) -> dict[str, Any]:
    """The settings that have a value, as options."""
    wishes = {TENSOR: wish.tensor_parallel, SEQUENCES: wish.sequences, TOKENS: wish.batched_tokens}
    typed: dict[str, Any] = {}
    for option, value in wishes.items():
        if value in ("", None) or (option == TENSOR and value == AUTO):
            continue
        number = _number(value)
        if number is None:
            found.stops.append(
                f"{_SETTINGS[option]} is {value!r}, which is no whole number from 1 on. Correct it, or leave it out."
            )
            continue
        typed[option] = number
    return typed


def _widest(found: Plan, profile: Mapping[str, Any], gpus: Sequence[gpu_choice.Gpu], stages: int) -> int:
    """The most GPUs among which the model can be divided; one where they are not alike."""
    if not gpu_choice.alike(gpus):
        if stages == 1:
            found.notes.append(
                f"vLLM works on one of the {len(gpus)} GPUs, because they are not alike. To use several, name them in "
                f"vllm_gpus and set vllm_tensor_parallel_size."
            )
        return 1
    most = max(len(gpus) // stages, 1)
    limit = _GROUPED_MAXIMUM if (profile.get("model") or {}).get("quantization") in _GROUPED else most
    widest = next(size for size in range(min(most, limit), 0, -1) if possible(profile, size))
    if widest < most:
        heads = (profile.get("architecture") or {}).get("attention_heads")
        why = (
            f"its {heads} attention heads cannot be divided by {most}"
            if not possible(profile, most)
            else f"its quantised weights may not be cut into {most} parts"
        )
        found.notes.append(
            f"vLLM works on {widest * stages} of the {len(gpus)} GPUs that it is given: of {profile.get('name')} "
            f"{why}. The others stay idle. Leave them out of vllm_gpus, so that another model can have them"
            + ("." if not possible(profile, most) else ", or try vllm_tensor_parallel_size.")
        )
    return widest


def _divides(found: Plan, profile: Mapping[str, Any]) -> None:
    size = found.tensor_parallel
    if possible(profile, size):
        return
    architecture = profile.get("architecture") or {}
    sizes = [str(fits) for fits in range(1, 2 * size + 1) if possible(profile, fits)]
    found.stops.append(
        f"The tensor parallel size is {size}, and {profile.get('name')} has {architecture.get('attention_heads')} "
        f"attention heads and {architecture.get('kv_heads')} KV heads, which cannot be divided among so many GPUs. "
        f"vLLM would refuse to start. Set vllm_tensor_parallel_size to {' or '.join(sizes)}."
    )


def _batches(found: Plan, profile: Mapping[str, Any], chosen: Mapping[str, Any]) -> None:
    tokens, sequences = _number(chosen.get(TOKENS)), _number(chosen.get(SEQUENCES))
    if tokens is None:
        return
    if sequences is not None and tokens < sequences:
        found.stops.append(
            f"max-num-batched-tokens is {tokens} and max-num-seqs {sequences}. A batch holds at least one token of "
            "each request, so that vLLM would refuse to start. Raise vllm_max_num_batched_tokens or "
            "lower vllm_max_num_seqs."
        )
    context = (profile.get("context") or {}).get("maximum") or 0
    if chosen.get(CHUNKED) is False and tokens < context:
        found.stops.append(
            f"max-num-batched-tokens is {tokens}, enable-chunked-prefill is off and the context has {context} tokens. "
            "A whole prompt has to fit into a batch then, so that vLLM would refuse to start. Raise "
            f"vllm_max_num_batched_tokens to {context}, or leave chunked prefill on."
        )


def _number(value: Any) -> int | None:
    """A whole number from 1 on, also where it is written as a string."""
    if isinstance(value, bool):
        return None
    text = str(value)
    return int(text) if text.isdecimal() and int(text) else None
