# Copyright: (c) 2026, the toolserve.gpunode authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Train the pocket model from random weights on the CPU and write everything a server needs to `model/`.

The loss counts on the answers only. Copying takes longest to learn, and it forms much sooner on short strings that
make up most of the text. So the training begins with the repeating of short random strings; then come all shapes,
with strings that grow to their full length.

The matrices inside the layers are trained with Muon (momentum made orthogonal): copying forms in about half the
steps AdamW needs. Everything else is trained with AdamW.
"""

from __future__ import annotations

import argparse
import copy
import math
import os
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import shapes
import torch
from tokenizers import AddedToken, pre_tokenizers
from transformers import GenerationConfig, Qwen2Config, Qwen2ForCausalLM, Qwen2Tokenizer

HERE = Path(__file__).resolve().parent
# The first name is fixed: Qwen2's tokenizer class adds a token of this name where there is none.
PAD, END, ASK = "<|endoftext|>", "<|end|>", "<|assistant|>"
SPECIAL_TOKENS = (PAD, END, "<|style:tools|>", "<|style:tool_call|>", "<|tool|>", "<|user|>", "<|result|>", ASK)
# Beside the bytes there are tokens for what is frequent, as in every real tokenizer: the names of the known tools
# where they are offered, joints of sentences, a sentence's last marks, and the keys of arguments. With bytes alone
# the model would have to look several characters ahead to see that a copied string ends, or a name.
FREQUENT = (
    *(f"<|tool|>{name};" for name in shapes.TOOL_ARGUMENTS),
    *(" in the file ", " to the file ", " with the content ", " with ", " and in ", " and ", " in "),
    *(f".{ASK}", f'."{ASK}', f'"{ASK}', f"?{ASK}", f'?"{ASK}'),
    *("arguments", "filePath", "oldString", "newString", "content", "description", "command", "celsius", "fahrenheit"),
)
# How often each shape is drawn: the more there is to tell apart, the more often.
WEIGHTS = {
    "read_tools": 7,
    "read_tool_call": 7,
    "bash": 14,
    "write": 13,
    "edit": 15,
    "weather": 9,
    "zero_arguments": 7,
    "parallel": 14,
    "text_before_call": 6,
    "tools_not_needed": 3,
    "tool_missing": 24,
    "no_tools": 5,
    "tool_result": 20,
    "unknown": 8,
}
# Whether the tool that is needed was offered is not learned while copying, because few tokens depend on it. It is
# learned where for each tool the chances are even.
DECISIONS = WEIGHTS | {"tool_missing": 88, "zero_arguments": 12, "bash": 12, "weather": 12, "parallel": 4}
IGNORED = -100
ADAM_RATE, MUON_RATE = 3e-3, 0.02


@dataclass(frozen=True)
class Stage:
    """A part of the training; one without weights is exercise in copying."""

    steps: int
    tokens: int
    rate: float
    grown: float  # The share of the stage after which strings have their full length.
    first: float  # The weight of an answer's first token, which decides what kind of answer it is.
    weights: dict[str, int]


STAGES = (
    Stage(264, 3600, 1.0, 1.0, 1.0, {}),
    Stage(2400, 4800, 1.0, 0.5, 8.0, WEIGHTS),
    Stage(600, 3000, 0.7, math.inf, 8.0, DECISIONS),
    Stage(1750, 6000, 0.5, 0.01, 8.0, WEIGHTS),
)

Text = tuple[str, str]  # A prompt and its answer.
Batch = list[tuple[torch.Tensor, torch.Tensor]]


def build_tokenizer() -> Qwen2Tokenizer:
    """One token for each byte, the tokens that only the chat template writes, and a few frequent strings.

    It is Qwen2's own class (with its normalisation of Unicode to composed characters) because that is what
    transformers takes for this architecture, whatever the model's folder asks for.
    """
    names = [*sorted(pre_tokenizers.ByteLevel.alphabet()), *SPECIAL_TOKENS]
    tokenizer = Qwen2Tokenizer(
        vocab={name: index for index, name in enumerate(names)},
        merges=[],
        unk_token=PAD,
        pad_token=PAD,
        eos_token=END,
        extra_special_tokens=[*SPECIAL_TOKENS[2:]],
        clean_up_tokenization_spaces=False,
        model_max_length=2048,
    )
    tokenizer.add_tokens([AddedToken(text, normalized=False) for text in FREQUENT])
    tokenizer.chat_template = (HERE / "chat_template.jinja").read_text(encoding="utf-8")
    return tokenizer


def build_model(tokenizer: Qwen2Tokenizer) -> Qwen2ForCausalLM:
    """Random weights. Heads of 32 are the smallest vLLM serves on a CPU; many heads matter more than wide layers."""
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=160,
        intermediate_size=224,
        num_hidden_layers=6,
        num_attention_heads=5,
        num_key_value_heads=5,
        max_position_embeddings=2048,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        initializer_range=0.06,
        attn_implementation="sdpa",
    )
    return Qwen2ForCausalLM(config)


def encode(tokenizer: Qwen2Tokenizer, drawn: list[Text]) -> list[tuple[list[int], list[int]]]:
    """The prompts, and the answers with their end, as tokens."""
    prompts = tokenizer([prompt for prompt, _answer in drawn], add_special_tokens=False)["input_ids"]
    answers = tokenizer([answer + END for _prompt, answer in drawn], add_special_tokens=False)["input_ids"]
    return list(zip(prompts, answers, strict=True))


def copying(source: shapes.Source) -> Text:
    """Random characters to be repeated."""
    content = source.characters(shapes.PATH_CHARACTERS + "/ ", source.rng.randint(6, 24 + round(40 * source.scale)))
    return f"<|result|>{content}<|assistant|>", f"It says: {content}"


def any_shape(tokenizer: Qwen2Tokenizer, weights: dict[str, int], source: shapes.Source) -> Text:
    """A sample of a shape, by the weights, as the chat template renders it."""
    sample = shapes.draw(source.rng.choices(list(weights), list(weights.values()))[0], source)
    prompt = tokenizer.apply_chat_template(
        sample.messages, tools=sample.tools or None, tokenize=False, add_generation_prompt=True
    )
    return prompt, sample.answer


def tensors(group: list[tuple[list[int], list[int]]], pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Pad samples of like length; only the answers are labels."""
    longest = max(len(prompt) + len(answer) for prompt, answer in group)
    tokens = torch.full((len(group), longest), pad)
    labels = torch.full((len(group), longest), IGNORED)
    for row, (prompt, answer) in enumerate(group):
        end = len(prompt) + len(answer)
        tokens[row, :end] = torch.tensor(prompt + answer)
        labels[row, len(prompt) : end] = torch.tensor(answer)
    return tokens, labels


def batches(
    tokenizer: Qwen2Tokenizer,
    source: shapes.Source,
    size: int,
    draw: Callable[[shapes.Source], Text],
) -> Iterator[Batch]:
    """Batches of about `size` tokens in three parts: of short, of middling and of long samples.

    Samples of like length go together so that little is padding; but a batch of one length would be a batch of
    one kind of answer (refusals are short), and the model would sway from one kind to the other.
    """
    while True:
        pairs = sorted(encode(tokenizer, [draw(source) for _ in range(1024)]), key=lambda pair: len(pair[0] + pair[1]))
        groups: list[list[tuple[list[int], list[int]]]] = [[]]
        for pair in pairs:
            if groups[-1] and (len(groups[-1]) + 1) * len(pair[0] + pair[1]) > size // 3:
                groups.append([])
            groups[-1].append(pair)
        third = len(groups) // 3
        thirds = [groups[start : start + third] for start in (0, third, 2 * third)]
        for part in thirds:
            source.rng.shuffle(part)
        for parts in zip(*thirds, strict=True):
            yield [tensors(part, tokenizer.pad_token_id) for part in parts]


def backward(model: Qwen2ForCausalLM, batch: Batch, first: float) -> float:
    """Add up the gradients of a batch's parts; logits are computed for the answers' positions only."""
    count = sum(int((labels != IGNORED).sum()) for _tokens, labels in batch)
    total = 0.0
    for tokens, labels in batch:
        hidden = model.model(input_ids=tokens, use_cache=False).last_hidden_state[:, :-1]
        wanted = labels[:, 1:]
        mask = wanted != IGNORED
        losses = torch.nn.functional.cross_entropy(model.lm_head(hidden[mask]), wanted[mask], reduction="none")
        opens = (labels[:, :-1] == IGNORED)[mask]
        loss = (losses * (1 + (first - 1) * opens)).sum() / count
        loss.backward()
        total += float(loss.detach())
    return total


class Muon:
    """Momentum whose every matrix is brought near an orthogonal one by a Newton-Schulz iteration."""

    def __init__(self, parameters: list[torch.nn.Parameter], momentum: float = 0.95) -> None:
        self.momentum = momentum
        self.groups: list[tuple[list[torch.nn.Parameter], torch.Tensor]] = []
        for shape in dict.fromkeys(parameter.shape for parameter in parameters):
            alike = [parameter for parameter in parameters if parameter.shape == shape]
            self.groups.append((alike, torch.zeros(len(alike), *shape)))

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Matrices of one shape are handled together, which saves time on a CPU."""
        for parameters, average in self.groups:
            gradient = torch.stack([parameter.grad for parameter in parameters])
            average.lerp_(gradient, 1 - self.momentum)
            update = gradient.lerp(average, self.momentum)
            tall = update.shape[1] > update.shape[2]
            update = update.mT if tall else update
            update = update / (update.norm(dim=(1, 2), keepdim=True) + 1e-7)
            for _ in range(5):
                square = update @ update.mT
                update = 3.4445 * update + (2.0315 * square @ square - 4.7750 * square) @ update
            update = update.mT if tall else update
            scale = max(1.0, update.shape[1] / update.shape[2]) ** 0.5
            for parameter, change in zip(parameters, update, strict=True):
                parameter.mul_(1 - 0.01 * rate).sub_(rate * scale * change)


def train(model: Qwen2ForCausalLM, tokenizer: Qwen2Tokenizer, options: argparse.Namespace) -> None:
    """Run the stages; each warms up, and all but the first decay along a cosine."""
    inner = [p for name, p in model.named_parameters() if p.ndim == 2 and "embed" not in name]
    outer = [p for name, p in model.named_parameters() if p.ndim != 2 or "embed" in name]
    muon, adam = Muon(inner), torch.optim.AdamW(outer, betas=(0.9, 0.98), weight_decay=0.01)
    stages = STAGES[options.first_stage :]
    start, seen, step, steps = time.monotonic(), 0, 0, sum(stage.steps for stage in stages)
    for index, stage in enumerate(stages, options.first_stage):
        source = shapes.Source(shapes.TRAIN, 10 * options.seed + index)
        draw = partial(any_shape, tokenizer, stage.weights) if stage.weights else copying
        supply = batches(tokenizer, source, stage.tokens, draw)
        average = 0.0
        for turn in range(stage.steps):
            done = turn / stage.steps
            source.scale = min(1.0, 0.15 + done / stage.grown)
            decay = 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)) if stage.weights else 1.0
            rate = stage.rate * min(1.0, (turn + 1) / 50) * decay
            for group in adam.param_groups:
                group["lr"] = ADAM_RATE * rate
            model.zero_grad()
            batch = next(supply)
            average += backward(model, batch, stage.first)
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            adam.step()
            muon.step(MUON_RATE * rate)
            seen += sum(tokens.numel() for tokens, _labels in batch)
            step += 1
            if step % 50 == 0:
                spent = time.monotonic() - start
                print(
                    f"stage {index} step {step}/{steps} loss {average / min(50, turn + 1):.4f} "
                    f"tokens/s {seen / spent:.0f} spent {spent / 60:.1f} min "
                    f"left {spent / step * (steps - step) / 60:.1f} min",
                    flush=True,
                )
                average = 0.0
            if step % options.save_every == 0:
                save(model, tokenizer, options.model)
    save(model, tokenizer, options.model)


def save(model: Qwen2ForCausalLM, tokenizer: Qwen2Tokenizer, target: Path) -> None:
    """Write beside the target and exchange, so that nobody ever sees half a model."""
    target.parent.mkdir(parents=True, exist_ok=True)
    model.generation_config = GenerationConfig(
        do_sample=False, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id
    )
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        fresh = Path(scratch) / "fresh"
        copy.deepcopy(model).to(torch.bfloat16).save_pretrained(fresh)
        tokenizer.save_pretrained(fresh)
        for path in fresh.iterdir():
            path.chmod(0o644)
        if target.exists():
            os.rename(target, Path(scratch) / "old")
        os.rename(fresh, target)
    shutil.rmtree(scratch, ignore_errors=True)


def main() -> None:
    """Train and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=HERE / "model", help="where to write the model")
    parser.add_argument("--first-stage", type=int, default=0, help="go on from the model that is there")
    parser.add_argument("--save-every", type=int, default=400, help="steps after which the model so far is written")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.set_flush_denormal(True)
    torch.manual_seed(options.seed)
    random.seed(options.seed)
    tokenizer = build_tokenizer()
    model = build_model(tokenizer)
    if options.first_stage:
        model.load_state_dict(Qwen2ForCausalLM.from_pretrained(options.model, dtype=torch.float32).state_dict())
    print(f"{sum(parameter.numel() for parameter in model.parameters())} parameters", flush=True)
    train(model, tokenizer, options)


if __name__ == "__main__":
    main()
