# Copyright: (c) 2026, the toolserve.gpunode authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure the pocket model on held-out requests: the share of answers that are right to the last character.

Prompts go through the chat template in the model's folder and answers are decoded greedily, so that what is
measured is what a server with that folder will say.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import shapes
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

HERE = Path(__file__).resolve().parent


def answers(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, drawn: list[shapes.Sample], batch: int
) -> list[str]:
    """The model's answers, in the order of the samples; batches are of like length to save time."""
    prompts = [
        tokenizer.apply_chat_template(s.messages, tools=s.tools or None, tokenize=False, add_generation_prompt=True)
        for s in drawn
    ]
    order = sorted(range(len(drawn)), key=lambda index: len(prompts[index]) + len(drawn[index].answer))
    results = [""] * len(drawn)
    for start in range(0, len(order), batch):
        chosen = order[start : start + batch]
        inputs = tokenizer(
            [prompts[index] for index in chosen], return_tensors="pt", padding=True, add_special_tokens=False
        )
        longest = max(len(drawn[index].answer.encode()) for index in chosen)
        with torch.inference_mode():
            out = model.generate(
                input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"], max_new_tokens=longest + 8
            )
        for index, tokens in zip(chosen, out[:, inputs["input_ids"].shape[1] :].tolist(), strict=True):
            # An answer without its end is not right, so the end stays visible where it is missing.
            ended = tokenizer.eos_token_id in tokens
            results[index] = tokenizer.decode(tokens, skip_special_tokens=True) + ("" if ended else "<no end>")
    return results


def main() -> int:
    """Print a table; 1 if a shape is below the minimum."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=HERE / "model")
    parser.add_argument("--samples", type=int, default=200, help="requests of each shape")
    parser.add_argument("--shape", action="append", choices=sorted(shapes.SHAPES), help="may be given repeatedly")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minimum", type=float, default=0.98, help="the lowest share of right answers of a shape")
    parser.add_argument("--scale", type=float, default=0.5, help="length of the strings; 1: as long as in training")
    parser.add_argument("--edges", action="store_true", help="only the shortest and the longest strings")
    parser.add_argument("--dtype", default="bfloat16", choices=("bfloat16", "float32"))
    parser.add_argument("--batch", type=int, default=50)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--failures", type=int, default=0, help="wrong answers to print for each shape")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    tokenizer = AutoTokenizer.from_pretrained(options.model, padding_side="left")
    model = AutoModelForCausalLM.from_pretrained(options.model, dtype=getattr(torch, options.dtype)).eval()
    print(f"{'shape':<18}{'right':>7}{'of':>6}{'share':>9}{'seconds':>9}", flush=True)
    worst = 1.0
    for shape in options.shape or shapes.SHAPES:
        start = time.monotonic()
        drawn = list(
            shapes.samples(shape, options.samples, seed=options.seed, scale=options.scale, edges=options.edges)
        )
        given = answers(model, tokenizer, drawn, options.batch)
        wrong = [(sample, answer) for sample, answer in zip(drawn, given, strict=True) if sample.answer != answer]
        right = len(drawn) - len(wrong)
        worst = min(worst, right / len(drawn))
        spent = time.monotonic() - start
        print(f"{shape:<18}{right:>7}{len(drawn):>6}{right / len(drawn):>9.1%}{spent:>9.1f}", flush=True)
        for sample, answer in wrong[: options.failures]:
            print(f"  asked  {sample.messages[-1]['content']!r}\n  wanted {sample.answer!r}\n  given  {answer!r}")
    return int(worst < options.minimum)


if __name__ == "__main__":
    raise SystemExit(main())
