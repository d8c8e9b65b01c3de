# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the toolserve.gpunode authors
"""Runs where transformers is: reads templates with their conversations from stdin, writes the prompts to stdout.

The prompts come from the method that vLLM calls. The tokenizer knows no words, and needs none.
"""

from __future__ import annotations

import json
import sys

from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import PreTrainedTokenizerFast


def main() -> None:
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(WordLevel({}, unk_token="")))
    prompts = [
        tokenizer.apply_chat_template(
            job["messages"],
            tools=job["tools"],
            chat_template=job["template"],
            add_generation_prompt=job["add_generation_prompt"],
            tokenize=False,
        )
        for job in json.load(sys.stdin)
    ]
    json.dump(prompts, sys.stdout)


if __name__ == "__main__":
    main()
