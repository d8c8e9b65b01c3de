# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Measures how fast an endpoint generates: one request at a time, then several at once.

What was measured and what was seen beside it ends up in an :class:`Outcome`; :mod:`throughput_judge` says what that
is worth.
"""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils import server_load
from ansible_collections.toolserve.gpunode.plugins.module_utils.completion import Completion
from ansible_collections.toolserve.gpunode.plugins.module_utils.endpoint_error import EndpointError, no_model
from ansible_collections.toolserve.gpunode.plugins.module_utils.endpoint_state import EndpointState, look
from ansible_collections.toolserve.gpunode.plugins.module_utils.gpu_samples import GpuSamples
from ansible_collections.toolserve.gpunode.plugins.module_utils.openai_client import OpenAIClient
from ansible_collections.toolserve.gpunode.plugins.module_utils.random_prompt import PromptWriter
from ansible_collections.toolserve.gpunode.plugins.module_utils.server_load import Load

LEARNING_TOKENS = 64
WARM_UP_TOKENS = 32
# A prompt comes out a little longer or shorter than wanted.
PROMPT_MARGIN = 0.9


@dataclass(frozen=True)
class Options:
    """How to measure: lengths in tokens, the wait for an idle server in seconds."""

    model: str | None = None
    prompt_tokens: int = 512
    output_tokens: int = 256
    runs: int = 3
    concurrency: tuple[int, ...] = (1, 4, 8)
    idle_timeout: float = 10.0


@dataclass
class Level:
    """Several requests at once. Seconds from the first request to the last answer; cache usage from 0 to 1."""

    requests: int
    completions: list[Completion] = field(default_factory=list)
    seconds: float = 0.0
    preemptions: float | None = None
    peak_kv_cache_usage: float | None = None
    alone: bool | None = None
    error: EndpointError | None = None

    @property
    def tokens_per_second(self) -> float | None:
        """Of all requests together."""
        if self.error is not None or not self.seconds:
            return None
        return tokens_of(self.completions) / self.seconds

    @property
    def each(self) -> float | None:
        """Decode tokens per second of one request among the others, the median."""
        return _median(self.completions, lambda completion: completion.decode_tokens_per_second)

    @property
    def ttft(self) -> float | None:
        """Time to first token, the median, seconds."""
        return _median(self.completions, lambda completion: completion.ttft)


@dataclass
class Outcome:
    """A whole measurement.

    ``blocked`` is the error that ended it, ``busy`` the load of others that kept it from being made. ``before``
    and ``after`` enclose the single runs; None where the server shows no figures of vLLM. ``gpus_under_load`` is what
    the GPUs did meanwhile.
    """

    state: EndpointState
    options: Options
    model: str | None = None
    runs: list[Completion] = field(default_factory=list)
    levels: list[Level] = field(default_factory=list)
    before: Load | None = None
    after: Load | None = None
    busy: Load | None = None
    blocked: EndpointError | None = None
    usage_missing: bool = False
    gpus_under_load: list[dict[str, Any]] = field(default_factory=list)
    prompt_limit: int | None = None  # where the context leaves less room for the prompt than was wanted

    def median(self, figure: Callable[[Completion], float]) -> float | None:
        """Of a figure over the runs; None where they cannot be measured."""
        return _median(self.runs, figure)

    @property
    def measured(self) -> bool:
        """Every run can be divided by its time."""
        return bool(self.runs) and all(run.measured for run in self.runs)


def run(client: OpenAIClient, options: Options, gpus: GpuSamples | None = None) -> Outcome:
    """Measure. Whatever the endpoint does ends up in the outcome.

    :param gpus: looks at the GPUs of this machine, where the server works on them.
    """
    outcome = Outcome(look(client), options)
    state = outcome.state
    outcome.model = options.model or next(iter(state.served), None)
    if not state.reachable or outcome.model is None:
        outcome.blocked = state.error or no_model(f"GET {client.base_url}/models")
        return outcome
    try:
        _Measurement(client, outcome, outcome.model, gpus).make()
    except EndpointError as error:
        outcome.blocked = error
    return outcome


class _Measurement:
    def __init__(self, client: OpenAIClient, outcome: Outcome, model: str, gpus: GpuSamples | None) -> None:
        self._client = client
        self._outcome = outcome
        self._options = outcome.options
        self._model = model
        self._gpus = gpus
        self._prompts = PromptWriter()

    def make(self) -> None:
        """Every step, in order, until one finds that the next would be in vain."""
        outcome, options = self._outcome, self._options
        prompt_tokens = self._prompt_tokens()
        load = self._idle()
        if load is not None and not load.idle:
            outcome.busy = load
            return
        for tokens, output in ((LEARNING_TOKENS, 1), (prompt_tokens, min(WARM_UP_TOKENS, options.output_tokens))):
            if self._complete(min(tokens, prompt_tokens), output).prompt_tokens is None:
                outcome.usage_missing = True
                return
        outcome.before = self._idle()
        with self._gpus.watch() if self._gpus else contextlib.nullcontext():
            outcome.runs = [self._complete(prompt_tokens, options.output_tokens) for _number in range(options.runs)]
        outcome.gpus_under_load = self._gpus.summary() if self._gpus else []
        outcome.after = self._settled(outcome.before, outcome.runs)
        if outcome.measured:
            outcome.levels = [self._at_once(requests, prompt_tokens) for requests in options.concurrency]

    def _prompt_tokens(self) -> int:
        """As many as wanted, or as the context has room for."""
        outcome, options = self._outcome, self._options
        context = outcome.state.context(self._model)
        if context is None:
            return options.prompt_tokens
        room = int((context - options.output_tokens) * PROMPT_MARGIN)
        if room < LEARNING_TOKENS:
            raise EndpointError(
                "config",
                f"output_tokens={options.output_tokens} leave no room for a prompt in a context of {context}",
                "Prompt and answer share the context (max_model_len).",
                f"Set output_tokens to {max(context // 2, 16)} or less, or serve the model with a longer context.",
            )
        if room < options.prompt_tokens:
            outcome.prompt_limit = room
        return min(room, options.prompt_tokens)

    def _idle(self) -> Load | None:
        return server_load.wait_until(self._client, self._options.idle_timeout, lambda load: load.idle)

    def _settled(self, before: Load | None, completions: list[Completion]) -> Load | None:
        """The figures once they hold what was generated since."""
        if before is None:
            return None
        expected = before.generated_tokens + tokens_of(completions)
        return server_load.wait_until(
            self._client,
            server_load.SETTLE_SECONDS,
            lambda load: load.idle and load.generated_tokens >= expected,
        )

    def _complete(self, prompt_tokens: int, output_tokens: int) -> Completion:
        prompt = self._prompts.write(prompt_tokens)
        completion = self._client.complete(self._request(prompt, output_tokens))
        if completion.prompt_tokens:
            self._prompts.learn(prompt, completion.prompt_tokens)
        return completion

    def _request(self, prompt: str, output_tokens: int) -> dict[str, Any]:
        return {
            "model": self._model,
            "prompt": prompt,
            "max_tokens": output_tokens,
            "min_tokens": output_tokens,
            "ignore_eos": True,
            # Said explicitly: a model's generation_config.json would change them.
            "temperature": 0,
            "top_p": 1,
            "repetition_penalty": 1,
        }

    def _at_once(self, requests: int, prompt_tokens: int) -> Level:
        level = Level(requests)
        before = self._idle()
        prompts = [self._prompts.write(prompt_tokens) for _number in range(requests)]
        bodies = [self._request(prompt, self._options.output_tokens) for prompt in prompts]
        started = time.monotonic()
        with server_load.KvCacheWatch(self._client) as watch, ThreadPoolExecutor(requests) as pool:
            answers = [pool.submit(self._client.complete, body) for body in bodies]
            try:
                level.completions = [answer.result() for answer in answers]
            except EndpointError as error:
                level.error = error
            level.seconds = time.monotonic() - started
        level.peak_kv_cache_usage = watch.peak
        after = self._settled(before, level.completions)
        if before is not None and after is not None:
            if level.error is None:
                generated = after.generated_tokens - before.generated_tokens
                level.alone = before.idle and generated == tokens_of(level.completions)
            if after.preemptions is not None and before.preemptions is not None:
                level.preemptions = after.preemptions - before.preemptions
        return level


def tokens_of(completions: list[Completion]) -> int:
    """What the server says it has generated for us."""
    return sum(completion.completion_tokens or 0 for completion in completions)


def _median(completions: list[Completion], figure: Callable[[Completion], float]) -> float | None:
    if not completions or not all(completion.measured for completion in completions):
        return None
    return statistics.median(figure(completion) for completion in completions)
