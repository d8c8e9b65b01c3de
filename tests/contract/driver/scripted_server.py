# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the toolserve.gpunode authors
"""vLLM's own API server around a scripted model: all of it but the engine, which is asked for tokens.

Command line, chat template, tokenizer, tool parser, grammar, detokenizer and HTTP are this release's (0.32.0). Each
line of stdin is a server to start, as JSON: it becomes a process of its own, and its port a line of stdout. All end
with stdin.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import signal
import socket
import sys
import tempfile
import traceback
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NoReturn

_ANSWER = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)

import families  # noqa: E402
import scripted_model  # noqa: E402
import tokenizer as byte_tokenizer  # noqa: E402
import vllm.platforms  # noqa: E402
from vllm.platforms.cpu import CpuPlatform  # noqa: E402

vllm.platforms._current_platform = CpuPlatform()

from vllm.engine.arg_utils import AsyncEngineArgs  # noqa: E402
from vllm.engine.protocol import EngineClient  # noqa: E402
from vllm.entrypoints.launchers.api_server.entry import build_and_serve  # noqa: E402
from vllm.entrypoints.launchers.cli_args import make_arg_parser, validate_parsed_serve_args  # noqa: E402
from vllm.outputs import CompletionOutput, RequestOutput  # noqa: E402
from vllm.renderers import renderer_from_config  # noqa: E402
from vllm.sampling_params import RequestOutputKind  # noqa: E402
from vllm.tool_parsers import ToolParserManager  # noqa: E402
from vllm.utils.argparse_utils import FlexibleArgumentParser  # noqa: E402
from vllm.v1.engine.detokenizer import IncrementalDetokenizer  # noqa: E402
from vllm.v1.engine.input_processor import InputProcessor  # noqa: E402
from vllm.v1.structured_output.backend_xgrammar import XgrammarBackend  # noqa: E402
from vllm.v1.structured_output.request import StructuredOutputRequest  # noqa: E402

_MODEL = "MODEL"  # stands in command lines for the folder that is made here
_PIECES_AT_ONCE = 3  # a server under load hands several over in one delta
# What models have as tokens, about: markers, words, digits, runs of other signs; beyond ASCII single bytes.
_PIECE = re.compile(r"</?\|?[a-z_]+\|?>|\[[A-Z_]+\]| ?[A-Za-z]+|\d|\s+|[!-/:;=-@\[-`{-~]+|<|[^ -~]", re.DOTALL)
_SHAPE = {
    "hidden_size": 64,
    "intermediate_size": 64,
    "num_attention_heads": 1,
    "num_key_value_heads": 1,
    "num_hidden_layers": 1,
    "max_position_embeddings": 131072,
    "dtype": "float32",
}


class ScriptedEngine(EngineClient):  # type: ignore[misc]  # of no known type without vLLM
    """What of an engine the API server talks to; the model's part of it is scripted."""

    errored = is_stopped = False
    is_running = True

    def __init__(self, vllm_config: Any, family: families.Family) -> None:
        self.vllm_config = vllm_config
        self.model_config = vllm_config.model_config
        self.renderer = renderer_from_config(vllm_config)
        self.input_processor = InputProcessor(vllm_config, self.renderer)
        self._family = family
        self._tokenizer = self.renderer.get_tokenizer()
        self._grammars = XgrammarBackend(vllm_config, self._tokenizer, self.model_config.get_vocab_size())

    async def get_supported_tasks(self) -> tuple[str, ...]:
        return ("generate",)

    async def check_health(self) -> None:
        pass

    async def generate(
        self, prompt: Any, sampling_params: Any, request_id: str, **_more: Any
    ) -> AsyncIterator[RequestOutput]:
        request = self.input_processor.process_inputs(request_id, prompt, sampling_params, ("generate",))
        params = request.sampling_params
        pieces = self._written(request.prompt_token_ids, params)
        tokens = [token for piece in pieces for token in piece]
        cut = len(tokens) > params.max_tokens
        del tokens[params.max_tokens :]
        detokenizer = IncrementalDetokenizer.from_new_request(self._tokenizer, request)
        delta = params.output_kind == RequestOutputKind.DELTA
        generator = random.Random(request_id)
        at = 0
        while at < len(tokens):
            count = generator.randint(1, _PIECES_AT_ONCE)
            start, at = at, at + sum(map(len, pieces[:count]))
            del pieces[:count]
            new, finished = tokens[start:at], at >= len(tokens)
            detokenizer.update(new, finished and not cut)
            text = detokenizer.get_next_output_text(finished, delta)
            if finished or delta:
                output = CompletionOutput(
                    index=0,
                    text=text,
                    token_ids=new if delta else tokens,
                    cumulative_logprob=None,
                    logprobs=None,
                    finish_reason=("length" if cut else "stop") if finished else None,
                )
                yield RequestOutput(request_id, None, request.prompt_token_ids, None, [output], finished)
            await asyncio.sleep(0)

    def _written(self, prompt: list[int], params: Any) -> list[list[int]]:
        """The first of the model's answers that the request's grammar allows, in pieces like tokens of a model."""
        text = self._tokenizer.decode(prompt, skip_special_tokens=False)
        refused = []
        for answer in scripted_model.answers(text, self._family):
            pieces = [*self._encoded(answer), [self._end(answer)]]
            if self._allows(params, [token for piece in pieces for token in piece]):
                return pieces
            refused.append(answer)
        raise ValueError(f"{params.structured_outputs} allows none of {refused}")

    def _allows(self, params: Any, tokens: list[int]) -> bool:
        structured = StructuredOutputRequest.from_sampling_params(params)
        if structured is None:
            return True
        grammar = self._grammars.compile_grammar(*structured.structured_output_key)
        # Of a model with several end tokens a grammar knows the one that the tokenizer names.
        ended = [*tokens[:-1], self._tokenizer.eos_token_id]
        return bool(grammar.accept_tokens("", ended)) and grammar.is_terminated()

    def _encoded(self, text: str) -> list[list[int]]:
        return [self._tokenizer.encode(piece, add_special_tokens=False) for piece in _PIECE.findall(text)]

    def _end(self, _answer: str) -> int:
        return int(self._tokenizer.eos_token_id)


class HarmonyEngine(ScriptedEngine):
    """gpt-oss writes tokens of its own vocabulary, which vLLM's packages have from 0.32 on."""

    def _encoded(self, text: str) -> list[list[int]]:
        return [[token] for token in _harmony().encode(text, allowed_special="all")]

    def _end(self, answer: str) -> int:
        name = "<|call|>" if " to=functions." in answer else "<|return|>"
        return int(_harmony().encode(name, allowed_special="all")[0])


def _harmony() -> Any:
    from vllm.entrypoints.openai.parser.harmony_utils import get_encoding

    return get_encoding()


# What an engine can do besides is not asked for here.
ScriptedEngine.__abstractmethods__ = HarmonyEngine.__abstractmethods__ = frozenset()


def _model_folder(folder: Path, family: families.Family) -> str:
    """A model as far as its files say: the family's tokens in the vocabulary, no weights."""
    config: dict[str, Any] = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", **_SHAPE}
    if isinstance(family, families.Harmony):
        config |= {"architectures": ["GptOssForCausalLM"], "model_type": "gpt_oss"}
        made = _harmony_tokenizer()
    else:
        made = byte_tokenizer.make((*byte_tokenizer.SPECIAL, *family.special))
        made.add_tokens(list(family.added))
    made.save_pretrained(folder)
    (folder / "config.json").write_text(json.dumps(config | {"vocab_size": len(made)}), encoding="utf-8")
    return str(folder)


def _harmony_tokenizer() -> Any:
    """The vocabulary of the Harmony package in the form that models bring; it is decoded with, and never encodes."""
    encoding = _harmony()
    special = {token: encoding.encode(token, allowed_special="all")[0] for token in encoding.special_tokens_set}
    plain = range(min(special.values()))
    words = {byte_tokenizer.word(encoding._inner.decode_bytes([number])): number for number in plain}
    return byte_tokenizer.of_words(words | special, tuple(special), "<|return|>")


def _arguments(command: list[str]) -> Any:
    arguments = make_arg_parser(FlexibleArgumentParser()).parse_args(command)
    validate_parsed_serve_args(arguments)
    return arguments


def _config(job: dict[str, Any], folder: Path) -> tuple[Any, Any]:
    """The command line, and what vLLM makes of it."""
    model = _model_folder(folder, families.FAMILIES[job["family"]])
    arguments = _arguments([model if part == _MODEL else part for part in job["command"]])
    if arguments.tool_parser_plugin:
        ToolParserManager.import_tool_parser(arguments.tool_parser_plugin)
    return arguments, AsyncEngineArgs.from_cli_args(arguments).create_engine_config()


async def _serve(job: dict[str, Any], listening: socket.socket) -> None:
    family = families.FAMILIES[job["family"]]
    with tempfile.TemporaryDirectory() as folder:
        arguments, config = _config(job, Path(folder))
        engine = (HarmonyEngine if isinstance(family, families.Harmony) else ScriptedEngine)(config, family)
        await (await build_and_serve(engine, "", listening, arguments))


def _warm_up(job: dict[str, Any]) -> None:
    """Import, once for all, what vLLM imports only when it reads a model's configuration."""
    with tempfile.TemporaryDirectory() as folder:
        _config(job, Path(folder))
    import vllm.entrypoints.generate.api_router
    import vllm.entrypoints.openai.responses.serving  # noqa: F401


def main() -> None:
    children: list[int] = []
    for line in sys.stdin:
        job = json.loads(line)
        if not children:
            _warm_up(job)
        listening = socket.create_server(("127.0.0.1", 0))
        child = os.fork()
        if child == 0:
            _run(job, listening)
        children.append(child)
        _ANSWER.write(f"{listening.getsockname()[1]}\n")
        _ANSWER.flush()
        listening.close()
    for child in children:
        os.kill(child, signal.SIGKILL)


def _run(job: dict[str, Any], listening: socket.socket) -> NoReturn:
    log = os.open(job["log"], os.O_WRONLY | os.O_CREAT, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    status = 1
    try:
        asyncio.run(_serve(job, listening))
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    main()
