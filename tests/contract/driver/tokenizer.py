# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the toolserve.gpunode authors
"""A real tokenizer without a model: one token per byte, and a few special ones."""

from __future__ import annotations

from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

END = "<|im_end|>"
SPECIAL = (END, "<|im_start|>", "<|endoftext|>", "<think>", "</think>")
_PRINTABLE = [*range(33, 127), *range(161, 173), *range(174, 256)]
# GPT-2's alphabet: a character for each byte.
_CHARACTERS = [chr(byte) for byte in _PRINTABLE] + [chr(256 + number) for number in range(256 - len(_PRINTABLE))]
_BYTES = [*_PRINTABLE, *(byte for byte in range(256) if byte not in _PRINTABLE)]
_ID_OF_BYTE = {byte: number for number, byte in enumerate(_BYTES)}


def make(special: tuple[str, ...] = SPECIAL) -> Any:
    return of_words({char: number for number, char in enumerate(_CHARACTERS)}, special)


def of_words(words: dict[str, int], special: tuple[str, ...], end: str = END) -> Any:
    """``words``: in GPT-2's alphabet, with their numbers."""
    backend = Tokenizer(models.BPE(vocab=words, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    return PreTrainedTokenizerFast(tokenizer_object=backend, eos_token=end)


def word(text: bytes) -> str:
    """Bytes in GPT-2's alphabet."""
    return "".join(_CHARACTERS[_ID_OF_BYTE[byte]] for byte in text)


TOKENIZER = make()
SPECIAL_IDS: dict[str, int] = {token: TOKENIZER.convert_tokens_to_ids(token) for token in SPECIAL}
END_ID = SPECIAL_IDS[END]


def ids_of(text: str) -> list[int]:
    """One id for a special token, else one for each byte."""
    if text in SPECIAL_IDS:
        return [SPECIAL_IDS[text]]
    return [_ID_OF_BYTE[byte] for byte in text.encode("utf-8", "surrogatepass")]


PROMPT_IDS = ids_of("?")
