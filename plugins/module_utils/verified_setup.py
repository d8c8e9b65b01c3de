# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All that a verification has learnt of a set-up, in one place, for rules that need several sources.

The fields are what the modules return and ``docker inspect`` shows; each is empty where that was not asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils.gpu_samples import under_load
from ansible_collections.toolserve.gpunode.plugins.module_utils.release_expectations import Release, parse_release
from ansible_collections.toolserve.gpunode.plugins.module_utils.serving_gpus import Serving, serving

Result = Mapping[str, Any]
Gpu = Mapping[str, Any]


@dataclass(frozen=True)
class Setup:
    """``waiting`` is what wait_for_endpoint returned, ``gpu`` gpu_info; ``container`` an entry of docker inspect."""

    tool_calls: Result = field(default_factory=dict)
    throughput: Result = field(default_factory=dict)
    waiting: Result = field(default_factory=dict)
    gpu: Result = field(default_factory=dict)
    container: Result = field(default_factory=dict)
    profile: Result = field(default_factory=dict)

    @property
    def never_answered(self) -> bool:
        """Whether waiting for the endpoint has failed."""
        return bool(self.waiting) and "models" not in self.waiting

    @property
    def tool_calls_failed(self) -> bool:
        """Whether the endpoint was asked and a probe failed."""
        return any(probe["verdict"] == "fail" for probe in self.probes)

    @property
    def slow(self) -> bool:
        """Whether decoding is what the measurement objects to."""
        limits = self.throughput.get("thresholds") or {}
        speed, efficiency = self.throughput.get("decode_tokens_per_second"), self.throughput.get("efficiency")
        if self.throughput.get("verdict") not in ("warn", "fail") or speed is None:
            return False
        below_roofline = efficiency is not None and efficiency < (limits.get("warn_below") or 0)
        return below_roofline or bool(speed < (limits.get("minimum_tokens_per_second") or 0))

    @property
    def pace(self) -> str:
        """How fast it decodes, in words."""
        speed, efficiency = self.throughput.get("decode_tokens_per_second"), self.throughput.get("efficiency")
        share = "" if efficiency is None else f", {efficiency:.0%} of the roofline"
        return f"{speed or 0:.1f} tokens/s{share}"

    @property
    def server(self) -> Result:
        """What the endpoint says of itself."""
        return self.tool_calls.get("server") or self.throughput.get("server") or {}

    @property
    def log_facts(self) -> Result:
        """What the server says in its log."""
        return self.waiting.get("log_facts") or {}

    @property
    def release(self) -> Release | None:
        """The release of vLLM."""
        return parse_release(self.server.get("version") or self.waiting.get("version") or self.log_facts.get("version"))

    @property
    def context(self) -> int | None:
        """max_model_len, in tokens."""
        lengths = {model.get("id"): model.get("max_model_len") for model in self.server.get("models") or []}
        length = lengths.get(self.tool_calls.get("model") or self.throughput.get("model"))
        return length if isinstance(length, int) else None

    @property
    def arguments(self) -> dict[str, Any]:
        """vLLM's options by name without dashes, True for a flag: the container's command, or else the log's word."""
        logged = self.log_facts.get("arguments") or {}
        config = self.container.get("Config") or {}
        said = {str(name).replace("_", "-"): value for name, value in logged.items()}
        return said | parse_arguments([str(part) for part in config.get("Cmd") or []])

    @property
    def tensor_parallel(self) -> int:
        """How many GPUs share each token's work; the profile's word where nobody tells how the server was started."""
        intended = (self.profile.get("vllm") or {}).get("arguments") or {}
        given = str((self.arguments or intended).get("tensor-parallel-size") or 1)
        return int(given) if given.isdigit() else 1

    @property
    def gpus(self) -> list[Gpu]:
        """All GPUs of the machine, as gpu_info saw them."""
        return list(self.gpu.get("gpus") or [])

    @property
    def serving(self) -> Serving:
        """Those that share each token's work."""
        return serving(self.gpus, self.tensor_parallel, self.container)

    @property
    def serving_gpus(self) -> list[Gpu]:
        """The same as they were while the server decoded, where they were looked at then."""
        loads = self.throughput.get("gpus_under_load") or []
        return [under_load(gpu, loads) for gpu in self.serving.gpus]

    @property
    def probes(self) -> list[Result]:
        """The results of the probes."""
        return list(self.tool_calls.get("probes") or [])

    def answers(self) -> Iterator[tuple[str, Result]]:
        """The id of each probe that failed, with each request that it made and what came of it."""
        for probe in self.probes:
            if probe["verdict"] == "fail":
                for answer in (probe.get("evidence") or {}).values():
                    yield str(probe["id"]), answer

    def refused(self) -> Iterator[tuple[str, Result]]:
        """Those of the answers that are errors and should not have been; a refusal may also be what is wanted."""
        failures = {message for _probe, message in self.findings("RequestFailed")}
        for probe, answer in self.answers():
            if (answer.get("error") or {}).get("message") in failures:
                yield probe, answer

    def findings(self, name: str) -> Iterator[tuple[str, str]]:
        """The id of each probe that failed with this class of finding, with its message."""
        for probe in self.probes:
            for finding in probe.get("findings") or []:
                if finding["class"] == name and finding.get("severity") == "fail":
                    yield str(probe["id"]), str(finding["message"])


def parse_arguments(words: list[str]) -> dict[str, Any]:
    """A command line as options: ``--name value``, ``--name=value``, ``--flag``, and vLLM's short -q and -tp."""
    short = {"-q": "--quantization", "-tp": "--tensor-parallel-size"}
    options: dict[str, Any] = {}
    for position, word in enumerate(words):
        name, equals, value = short.get(word, word).partition("=")
        if not name.startswith("--"):
            continue
        following = words[position + 1] if position + 1 < len(words) else "-"
        key = name[2:].replace("_", "-")
        options[key] = value if equals else True if following.startswith("-") else following
    return options
