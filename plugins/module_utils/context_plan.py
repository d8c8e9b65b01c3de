# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long a context a server gets (--max-model-len), and what of that its user has to know before it is started."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils import serving, serving_options
from ansible_collections.toolserve.gpunode.plugins.module_utils.sizing import GIB, KvCache, KvPool, SizingError
from ansible_collections.toolserve.gpunode.plugins.module_utils.vllm_memory import CPU_BLOCK_TOKENS, GpuMemory, Server
from ansible_collections.toolserve.gpunode.plugins.module_utils.vllm_releases import ServingRelease

AUTO = "auto"
# Less is refused unless it is asked for by number: the tools of an agent alone take more.
LEAST_AUTO = 4096
LEAST = 256
# Of a context that was shortened, an answer may take so much, so that a prompt has room besides.
_ANSWER = 1 / 4
# How much of a GPU's memory two computations may differ by without changing a context that is being served.
_SAME, _SAME_IF_ESTIMATED = 0.005, 0.10
_CPU_SPACE = "VLLM_CPU_KVCACHE_SPACE"


@dataclass
class Plan:
    """``profile`` with the context that is served; ``kv_cache_tokens`` None where it cannot be computed.

    ``stops``: reasons why it cannot work. ``notes``: what is doubtful or was changed. ``summary``: a few words each.
    """

    profile: dict[str, Any]
    kv_cache_tokens: int | None = None
    stops: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    summary: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """For filters."""
        return dict(vars(self))  # not asdict, which copies what Ansible has made lazy


@dataclass(frozen=True)
class Asked:
    """What the inventory says: ``context`` is auto or a number; ``rendered`` the one that is served so far, or 0.

    ``gpu_memory_gib`` is empty where nothing is said of it.
    """

    context: str | int = AUTO
    settings: Mapping[str, Any] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    gpu_memory_gib: str | float = ""
    rendered: int = 0


@dataclass(frozen=True)
class _Room:
    """The longest contexts: that will fit, that fits if the GPU has all its nominal memory, that can fit at all."""

    likely: int
    hopeful: int
    most: int
    pool: KvPool
    kv_cache: KvCache
    tolerance: float
    estimated: bool
    has: str


def plan(
    profile: Mapping[str, Any], gpus: Sequence[Mapping[str, Any]], accelerator: str, release: str, asked: Asked
) -> Plan:
    """The context for these GPUs, as gpu_info has found them; none where it could not look."""
    found = Plan(dict(profile))
    try:
        served = ServingRelease.named(release)
    except ValueError:
        return found  # told where the release is checked
    own, environment = serving.of_release(profile["vllm"], served)
    options = own | serving_options.given(asked.settings) | serving_options.named(asked.extra, served)
    server = Server(profile, served.release, options, {**environment, **asked.environment})
    explicit = _explicit(found, asked.context)
    said_gib = _positive(found, "vllm_gpu_memory_gib", asked.gpu_memory_gib, 10_000, "GiB")
    _positive(found, "gpu-memory-utilization", options.get("gpu-memory-utilization"), 1, "a share of 1")
    if found.stops:
        return found
    room = _cpu_room(server) if accelerator == "cpu" else _gpu_room(found, server, gpus, said_gib)
    _beyond_the_model(found, explicit, options)
    if explicit is not None:
        context = explicit
        if room is not None:
            _check(found, explicit, room, f"vllm_max_model_len is {explicit}")
    else:
        context = _chosen(found, room, asked.rendered)
    _settle(found, context)
    if room is not None and not found.stops:
        _summarize(found, context, room)
    return found


def _explicit(found: Plan, wanted: str | int) -> int | None:
    """The number that was asked for; None for auto."""
    if str(wanted).strip().lower() == AUTO:
        return None
    try:
        tokens = int(str(wanted))
    except ValueError:
        tokens = 0
    if tokens < LEAST:
        found.stops.append(
            f"vllm_max_model_len is {wanted}, which is neither auto nor a number of tokens from {LEAST} on. Set it to "
            "one of them."
        )
    return tokens


def _positive(found: Plan, what: str, said: Any, most: float, unit: str) -> float | None:
    """A number that was said, up to ``most``; None where nothing was."""
    if said is None or str(said).strip() == "":
        return None
    try:
        number = float(said)
    except (TypeError, ValueError):
        number = 0
    if not 0 < number <= most:
        found.stops.append(f"{what} is {said}, which is no number above 0 and up to {most:g} ({unit}). Correct it.")
    return number


def _cpu_room(server: Server) -> _Room | None:
    """Of main memory, where it is said how much the KV cache gets; vLLM finds its own share elsewhere."""
    try:
        space = float(server.environment.get(_CPU_SPACE) or 0) * GIB
        kv_cache = server.kv_cache()
    except (SizingError, ValueError):
        return None
    if not space:
        return None
    pool = KvPool(space, 1.0, 0, 0)
    fits = pool.largest_context(kv_cache, max(server.block, CPU_BLOCK_TOKENS))
    return _Room(fits, fits, fits, pool, kv_cache, 0, False, f"{_CPU_SPACE} gives the KV cache {space / GIB:.1f} GiB")


def _gpu_room(found: Plan, server: Server, gpus: Sequence[Mapping[str, Any]], said_gib: float | None) -> _Room | None:
    """On the smallest of the GPUs that will serve; those with most memory are taken where there are more."""
    memories = [GpuMemory.of(gpu, said_gib) for gpu in gpus]
    known = sorted((memory for memory in memories if memory), key=lambda memory: -memory.likely)[: server.gpus]
    if len(known) < server.gpus:
        found.notes += [
            f"{gpu.get('name') or 'The GPU ' + str(gpu.get('pci_id'))} is not in the table of known GPUs, and no "
            "driver tells its memory yet. Whether the model fits shows only when vLLM starts. Set vllm_gpu_memory_gib "
            "to have it checked now."
            for gpu, memory in zip(gpus, memories, strict=True)
            if memory is None
        ]
        return None
    gpu = known[-1]
    if said_gib and gpu.measured and not 0.9 <= said_gib * GIB / gpu.total <= 1.1:
        found.notes.append(
            f"vllm_gpu_memory_gib is {said_gib:g}, and the driver of {gpu.name} tells {gpu.total / GIB:.1f} GiB. The "
            "driver's figure is used."
        )
    try:
        kv_cache = server.kv_cache(gpu)
        likely, hopeful, most = server.likely(gpu), server.hopeful(gpu), server.most(gpu)
        fits, hoped, at_most = (pool.largest_context(kv_cache, server.block) for pool in (likely, hopeful, most))
    except SizingError as error:
        _coarse(found, gpu, error)
        return None
    each = f"{server.gpus} x {gpu.name}, each with" if server.gpus > 1 else f"{gpu.name} has"
    has = (
        f"{each} {'' if gpu.measured else 'nominally '}{gpu.total / GIB:.1f} GiB of memory, of which vLLM may use "
        f"{server.utilization:.0%} (gpu-memory-utilization). Beside {likely.weights / GIB:.1f} GiB of weights and "
        f"about {likely.overhead / GIB:.1f} GiB for processing {server.batch(gpu)[0]} tokens and "
        f"{server.batch(gpu)[1]} requests at once"
    )
    return _Room(
        fits,
        hoped,
        at_most,
        pool=likely,
        kv_cache=kv_cache,
        tolerance=gpu.total * (_SAME if gpu.measured else _SAME_IF_ESTIMATED),
        estimated=not gpu.measured,
        has=has,
    )


def _coarse(found: Plan, gpu: GpuMemory, error: SizingError) -> None:
    """Where the profile does not say enough: its own word for the GPU that it needs."""
    name = found.profile.get("name", found.profile["served_name"])
    least = (found.profile.get("requirements") or {}).get("gpu_memory_gib")
    if least is not None and gpu.most < least * GIB * 0.9:  # a card that is sold with 16 GB may report 14.6 GiB
        found.stops.append(
            f"{gpu.name} has {gpu.total / GIB:.1f} GiB of memory, and {name} needs a GPU with {least:g}. vLLM would "
            "run out of memory. Choose a smaller profile (gpunode_profile) or a larger GPU."
        )
    elif found.profile.get("architecture"):
        found.notes.append(f"How long a context fits is not known: {error}. vLLM tells it when it starts.")


def _beyond_the_model(found: Plan, explicit: int | None, options: Mapping[str, Any]) -> None:
    limit = found.profile["context"].get("model_limit")
    stretched = options.get("hf-overrides") or options.get("rope-scaling")
    if explicit is not None and limit is not None and explicit > limit and not stretched:
        found.stops.append(
            f"vllm_max_model_len is {explicit}, and {found.profile['model']['id']} was made for {limit} tokens "
            f"(context.model_limit). vLLM would refuse to start. Set it to at most {limit}; or give the model's own "
            "rope scaling as hf-overrides in vllm_extra_arguments."
        )


def _check(found: Plan, context: int, room: _Room, asks: str) -> None:
    if context > room.most:
        found.stops.append(
            f"{room.has}, {_fits(room)}, and {asks}. vLLM would refuse to start. "
            + (
                f"Set vllm_max_model_len to auto or to at most {room.likely}"
                if room.likely >= LEAST
                else "Choose a smaller profile (gpunode_profile)"
            )
            + _more_room(room)
        )
    elif context > room.likely:
        found.notes.append(
            f"{room.has}, {_fits(room)}, and {asks}. It may just fit, for what vLLM needs besides weights is an "
            "estimate."
        )


def _chosen(found: Plan, room: _Room | None, rendered: int) -> int:
    """What the profile asks for, or what fits; what is being served, where that is as good."""
    name, context = found.profile.get("name", found.profile["served_name"]), found.profile["context"]
    ceiling = int(min(context["maximum"], context.get("model_limit") or context["maximum"]))
    if room is None or room.likely >= ceiling:
        return ceiling
    least = min(ceiling, LEAST_AUTO)
    if room.hopeful < least:
        found.stops.append(
            f"{room.has}, {_fits(room)}, which is too little for {name} to be of use. Choose a smaller profile "
            f"(gpunode_profile){_more_room(room)} To try it all the same, set vllm_max_model_len to a number."
        )
        return ceiling
    fits = max(room.likely, least)
    if 0 < rendered <= min(ceiling, room.most) and _as_good(rendered, fits, room):
        fits = rendered
    found.notes.append(
        f"{room.has}, a context of {fits} tokens fits: it is served instead of the {ceiling} that {name} asks for"
        f"{' (an estimate until the driver tells the memory)' if room.estimated else ''}. For a longer one"
        f"{_more_room(room)}"
    )
    return fits


def _fits(room: _Room) -> str:
    return f"a context of {room.likely} tokens fits" if room.likely else "there is no room for a context"


def _as_good(rendered: int, fits: int, room: _Room) -> bool:
    difference = room.kv_cache.bytes_at(rendered) - room.kv_cache.bytes_at(fits)
    return abs(difference) <= room.tolerance


def _more_room(room: _Room) -> str:
    if not room.pool.overhead:
        return f", or raise {_CPU_SPACE} in vllm_environment."
    return (
        ", lower vllm_max_num_seqs, set kv-cache-dtype to fp8 in vllm_extra_arguments, raise "
        "vllm_gpu_memory_utilization, or use a larger GPU."
    )


def _settle(found: Plan, context: int) -> None:
    """Put the context into the profile, with an answer that leaves room for a prompt."""
    limits = found.profile["context"]
    found.profile["context"] = {**limits, "maximum": context}
    answer = int(context * _ANSWER) // 16 * 16
    if context < limits["maximum"] and answer < limits["output"]:
        found.profile["context"]["output"] = answer
        found.notes.append(
            f"Clients may ask for {answer} tokens in one answer, not for {limits['output']} as the profile says: a "
            f"quarter of the {context} tokens of the context."
        )


def _summarize(found: Plan, context: int, room: _Room) -> None:
    found.kv_cache_tokens = room.likely
    times = room.pool.requests_at_once(room.kv_cache, context)
    found.summary.append(
        f"context of {context} tokens ({'estimate: ' if room.estimated else ''}{room.pool.bytes / GIB:.1f} GiB of KV "
        f"cache hold {times:.1f} requests of that length)"
    )
