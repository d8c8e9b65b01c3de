# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the toolserve.gpunode authors
"""vLLM tool parser for models that write calls as JSON inside <tools> or <tool_call> (Qwen2.5 and its like).

    vllm serve … --enable-auto-tool-choice --tool-parser-plugin /path/qwen_tools.py --tool-call-parser qwen_tools

Part 1 knows nothing of vLLM: `ToolCallScanner` reads the model's output piece by piece and turns it into events; it
goes back only where something looked like a call and is none. Part 2 is the same format as a grammar. Part 3,
`QwenToolParser`, turns events into vLLM's messages. A streamed and a whole answer take the same way.

What counts as a call
  * A block is <tools> or <tool_call> (also inside a code fence), then "{" or "[". It ends with either close tag, with
    the next open tag or with the answer. It may hold one object, several, or an array.
  * An object is a call if it has a "name" and arguments ("arguments" or "parameters"; an object, an object in a JSON
    string, or nothing). A tool definition (a "description", or "parameters" that are a JSON schema) is not.
  * Without tags, bare or in a code fence, the whole answer must be calls of tools that the request offers. Only its
    end can show that, so such a call is sent at the end.
  * The outer "}" may be missing if a close tag follows the arguments.
  * Everything else is text and stays in the answer, malformed calls included.

Arguments leave as they are generated. What was sent cannot be taken back: where a call breaks after that, the client
is left with arguments that lack at least their last "}", and the broken call's text is not repeated as content. A whole
answer has it as text. That is the only difference between the two.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any
from uuid import uuid4

try:  # vLLM >= 0.13
    from vllm.tool_parsers.abstract_tool_parser import ToolParser, ToolParserManager
except ImportError:
    from vllm.entrypoints.openai.tool_parsers.abstract_tool_parser import ToolParser, ToolParserManager
try:  # vLLM >= 0.29
    from vllm.entrypoints.generate.base.protocol import (
        DeltaFunctionCall,
        DeltaMessage,
        DeltaToolCall,
        ExtractedToolCallInformation,
        FunctionCall,
        ToolCall,
    )
except ImportError:
    try:  # vLLM 0.15 to 0.28
        from vllm.entrypoints.openai.engine.protocol import (
            DeltaFunctionCall,
            DeltaMessage,
            DeltaToolCall,
            ExtractedToolCallInformation,
            FunctionCall,
            ToolCall,
        )
    except ImportError:  # vLLM <= 0.14
        from vllm.entrypoints.openai.protocol import (
            DeltaFunctionCall,
            DeltaMessage,
            DeltaToolCall,
            ExtractedToolCallInformation,
            FunctionCall,
            ToolCall,
        )

# ---------------------------------------------------------------------------------------------------------------------
# Part 1: from text to events
# ---------------------------------------------------------------------------------------------------------------------

OPEN_TAGS = ("<tools>", "<tool_call>")
CLOSE_TAGS = ("</tools>", "</tool_call>")
END_TOKENS = ("<|im_end|>", "<|endoftext|>")  # text only where the request asks for special tokens
FENCE = "```json"
LONGEST_TAG = max(map(len, OPEN_TAGS + CLOSE_TAGS + END_TOKENS))

ARGUMENT_KEYS = frozenset({"arguments", "parameters"})
CALL_KEYS = ARGUMENT_KEYS | {"name", "function", "type", "id", "index"}
SCHEMA_KEYS = frozenset({"type", "properties", "required", "additionalProperties", "title", "description"}) | frozenset(
    {"$schema", "$defs", "definitions"}
)

MAX_DEPTH = 256  # far below the nesting at which json.loads gives up
MAX_SCALAR = 400  # json.loads refuses numbers of more than 4300 digits; scalars are held until they are complete


def _any_of(words: Iterable[str]) -> str:
    return "|".join(re.escape(word) for word in words)


_OPEN = re.compile(_any_of(OPEN_TAGS))
_CLOSE = re.compile(_any_of(CLOSE_TAGS))
_OPEN_OR_END = re.compile(_any_of(OPEN_TAGS + END_TOKENS))
_TAG = re.compile(_any_of(OPEN_TAGS + CLOSE_TAGS + END_TOKENS))
_NEIGHBOUR = re.compile(rf'(?:{_any_of(OPEN_TAGS)})\s*(?:```(?:json)?\s*)?(?:\[\s*)?\{{\s*"')
_SPACE = re.compile(r"\s+")
_FENCE = re.compile(r"```(?:json)?")
_BLOCK_PUNCTUATION = re.compile(r"[\s,\[\]]+")
_BLOCK_PROSE = re.compile(r"[^\s,\[\]{<`]+")
_WRECK_MARK = re.compile(r'["\\{}\[\]<]')

_JSON_SPACE = re.compile(r"[ \t\n\r]+")
_JSON_PLAIN = re.compile(r'[^"\\\x00-\x1f\ud800-\udfff]+')
_JSON_SCALAR_RUN = re.compile(r"[-+.0-9A-Za-z]+")
_JSON_SCALAR = re.compile(r"true|false|null|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_HEX = "[0-9a-fA-F]"
_HIGH_SURROGATE = rf"u[dD][89abAB]{_HEX}{{2}}"
_JSON_ESCAPE = re.compile(rf'\\(?:["\\/bfnrt]|{_HIGH_SURROGATE}\\u[dD][c-fC-F]{_HEX}{{2}}|u{_HEX}{{4}})')
_JSON_ESCAPE_START = re.compile(rf"\\(?:u{_HEX}{{0,3}}|{_HIGH_SURROGATE}(?:\\(?:u(?:[dD](?:[c-fC-F]{_HEX}?)?)?)?)?)?")
_LONGEST_ESCAPE = len(r"\ud83d\ude00")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_FIRST_KEY = re.compile(r'\{\s*"([^"]*)("?)')


class Event:
    """What the scanner found out."""


@dataclass
class Text(Event):
    text: str


@dataclass
class CallStarted(Event):
    name: str


@dataclass
class CallArguments(Event):
    """More of the started call's arguments. All of them together are one JSON object."""

    text: str


@dataclass
class CallFinished(Event):
    pass


@dataclass
class BrokenCall(Event):
    """Text of the call that was started: it turned out to be none, and is never finished."""

    text: str


class Expect(Enum):
    """What may come next in JSON, outside strings."""

    FIRST_KEY = auto()  # or "}"
    KEY = auto()
    COLON = auto()
    FIRST_VALUE = auto()  # or "]"
    VALUE = auto()
    NEXT = auto()  # "," or the end


_KEYS = (Expect.FIRST_KEY, Expect.KEY)
_VALUES = (Expect.FIRST_VALUE, Expect.VALUE)


def _escape_at(text: str, pos: int) -> str | None:
    """The escape that begins here; "" if the text ends before it does; None if there is none.

    Two halves of a surrogate pair are one escape, so that they are never torn apart.
    """
    tail = text[pos : pos + _LONGEST_ESCAPE]
    if len(tail) < _LONGEST_ESCAPE and _JSON_ESCAPE_START.fullmatch(tail):
        return ""
    match = _JSON_ESCAPE.match(tail)
    return match[0] if match else None


class JsonReader:
    """Checks one JSON value as it arrives and collects it in `output`.

    The output is strict JSON and encodable: raw control characters and lone surrogates in strings become escapes.
    `feed` returns how far it came; what it leaves (half an escape, half a number) it wants to see again with more text.
    """

    def __init__(self) -> None:
        self.output: list[str] = []
        self.done = False
        self.failed = False
        self.in_string = False
        self.confirmed = False  # more than an opening brace has been seen
        self._in_key = False
        self._open: list[str] = []
        self._expect = Expect.VALUE

    @property
    def depth(self) -> int:
        return len(self._open)

    @property
    def closed(self) -> bool:
        """The value is complete in `output`."""
        return self.done

    def feed(self, text: str, pos: int) -> int:
        end = len(text)
        while pos < end and not self.done and not self.failed:
            start = pos
            pos = self._read_string(text, pos) if self.in_string else self._read_token(text, pos)
            if pos == start:
                break
        return pos

    def _read_string(self, text: str, pos: int) -> int:
        plain = _JSON_PLAIN.match(text, pos)
        if plain:
            self.output.append(plain[0])
            return plain.end()
        char = text[pos]
        if char == "\\":
            escape = _escape_at(text, pos)
            if escape is None:
                self.failed = True
                return pos
            self.output.append(escape)
            return pos + len(escape)
        if char == '"':
            self.output.append(char)
            self._end_string()
        else:
            self.output.append(json.dumps(char)[1:-1])
        return pos + 1

    def _end_string(self) -> None:
        self.in_string = False
        if self._in_key:
            self._expect = Expect.COLON
        else:
            self._end_value()

    def _read_token(self, text: str, pos: int) -> int:
        space = _JSON_SPACE.match(text, pos)
        if space:
            self.output.append(space[0])
            return space.end()
        char = text[pos]
        if char == '"' and self._expect not in (Expect.COLON, Expect.NEXT):
            self._in_key = self._expect in _KEYS
            self.in_string = self.confirmed = True
        elif char in "{[" and self._expect in _VALUES and len(self._open) < MAX_DEPTH:
            self._open.append(char)
            self._expect = Expect.FIRST_KEY if char == "{" else Expect.FIRST_VALUE
        elif char in "}]" and self._may_close(char):
            self._open.pop()
            self.confirmed = True
            self._end_value()
        elif char == "," and self._expect is Expect.NEXT:
            self._expect = Expect.KEY if self._open[-1] == "{" else Expect.VALUE
        elif char == ":" and self._expect is Expect.COLON:
            self._expect = Expect.VALUE
        elif self._expect in _VALUES:
            return self._read_scalar(text, pos)
        else:
            self.failed = True
            return pos
        self.output.append(char)
        return pos + 1

    def _may_close(self, char: str) -> bool:
        opened, empty = ("{", Expect.FIRST_KEY) if char == "}" else ("[", Expect.FIRST_VALUE)
        return bool(self._open) and self._open[-1] == opened and self._expect in (empty, Expect.NEXT)

    def _end_value(self) -> None:
        self._expect = Expect.NEXT
        self.done = not self._open

    def _read_scalar(self, text: str, pos: int) -> int:
        """Only a complete number or word is known to be valid, so it is read when its end has arrived."""
        run = _JSON_SCALAR_RUN.match(text, pos, pos + MAX_SCALAR)
        length = len(run[0]) if run else 0
        if length and length < MAX_SCALAR and pos + length == len(text):
            return pos
        if run is None or length == MAX_SCALAR or not _JSON_SCALAR.fullmatch(run[0]):
            self.failed = True
            return pos
        self.output.append(run[0])
        self._end_value()
        return pos + length


class QuotedJsonReader:
    """Reads an object that stands encoded in a JSON string; `output` holds the object. Otherwise like JsonReader."""

    def __init__(self) -> None:
        self._object = JsonReader()
        self._begun = False
        self._held = ""  # what the inner reader wants to see again
        self.output = self._object.output
        self.done = False
        self.failed = False
        self.in_string = False
        self.depth = 0

    @property
    def confirmed(self) -> bool:
        return self._object.confirmed

    @property
    def closed(self) -> bool:
        return self._object.done

    def feed(self, text: str, pos: int) -> int:
        while pos < len(text) and not self.done and not self.failed:
            char = text[pos]
            piece: str | None = char
            if char == "\\":
                piece = _escape_at(text, pos)
                if piece == "":
                    break
            if piece is None:
                self.failed = True
                break
            pos += len(piece)
            if char == '"':
                self._read_quote()
            else:
                self._read_decoded(json.loads(f'"{piece}"') if char == "\\" else char)
        return pos

    def _read_quote(self) -> None:
        if not self.in_string:
            self.in_string = True
            return
        self.in_string = False
        if not self._begun:  # an empty string means no arguments
            self._object.feed("{}", 0)
        self.done = self._object.done
        self.failed = not self.done

    def _read_decoded(self, char: str) -> None:
        if char in " \t\n\r" and (self._object.done or not self._begun):
            return
        if self._object.done or (not self._begun and char != "{"):
            self.failed = True
            return
        self._begun = True
        self._held += char
        self._held = self._held[self._object.feed(self._held, 0) :]
        self.failed = self._object.failed


def _empty_object() -> JsonReader:
    reader = JsonReader()
    reader.feed("{}", 0)
    return reader


def _is_schema(text: str) -> bool:
    value = json.loads(text)
    return value.get("type") == "object" or isinstance(value.get("properties"), dict)


class CallReader:
    """Reads one object that may be a call, from its first brace to its last.

    `events` says what is known so far. Whether it is a call is decided by the name and the first character of the
    arguments; before that `failed` costs nothing, the caller still has the text. The arguments' last brace waits for
    the object's last brace: whoever has complete arguments has a complete call.
    """

    def __init__(self, offered_names: frozenset[str] | None) -> None:
        self.events: list[Event] = []
        self.done = False
        self.failed = False
        self._started = False
        self._offered_names = offered_names  # None: any name will do
        self._level = 0  # 2 inside {"function": {…}}
        self._expect = Expect.VALUE
        self._key = ""
        self._role = ""  # what self._reader reads: key, name, arguments or nothing of interest
        self._reader: JsonReader | QuotedJsonReader | None = None
        self._arguments: JsonReader | QuotedJsonReader | None = None
        self._name: str | None = None
        self._is_call = False
        self._may_be_schema = False
        self._first_key_is_known = False
        self._has_odd_key = False
        self._last_brace = ""  # of the arguments, once it is there

    @property
    def depth(self) -> int:
        return self._level + (self._reader.depth if self._reader else 0)

    @property
    def in_string(self) -> bool:
        return self._reader is not None and self._reader.in_string

    @property
    def lacks_only_braces(self) -> bool:
        return self._is_call and self._reader is None and self._expect is Expect.NEXT

    def feed(self, text: str, pos: int) -> int:
        end = len(text)
        while pos < end and not self.done and not self.failed:
            start = pos
            pos = self._read_punctuation(text, pos) if self._reader is None else self._read_part(text, pos)
            if pos == start:
                break
        self._tell()
        return pos

    def close(self) -> None:
        """Do without the missing braces."""
        self.done = True
        self._tell()

    def _read_punctuation(self, text: str, pos: int) -> int:
        space = _JSON_SPACE.match(text, pos)
        if space:
            return space.end()
        char = text[pos]
        if self._expect is Expect.VALUE:
            return self._begin_value(text, pos)
        if char == '"' and self._expect in _KEYS:
            self._role, self._reader = "key", JsonReader()
            return self._read_part(text, pos)
        if char == "}" and self._expect in (Expect.FIRST_KEY, Expect.NEXT):
            self._end_object()
        elif char == "," and self._expect is Expect.NEXT:
            self._expect = Expect.KEY
        elif char == ":" and self._expect is Expect.COLON:
            self._expect = Expect.VALUE
        else:
            # A close tag may stand here instead of the last braces: the caller sees to that.
            self.failed = not (char == "<" and self.lacks_only_braces)
            return pos
        return pos + 1

    def _begin_value(self, text: str, pos: int) -> int:
        char = text[pos]
        if char == "{" and (self._level == 0 or (self._level == 1 and self._key == "function")):
            self._level += 1
            self._expect = Expect.FIRST_KEY
            return pos + 1
        self._role = ""
        self._reader = JsonReader()
        if self._key == "name" and not self._is_call:
            self._role = "name"
            self.failed = char != '"'
        elif self._key in ARGUMENT_KEYS and self._arguments is None:
            self._role = "arguments"
            self.failed = char not in '{"n'
            if char == '"':
                self._reader = QuotedJsonReader()
            self._arguments = self._reader
            self._may_be_schema = self._key == "parameters"
        return pos if self.failed else self._read_part(text, pos)

    def _read_part(self, text: str, pos: int) -> int:
        reader = self._reader
        assert reader is not None
        pos = reader.feed(text, pos)
        if reader.failed:
            self.failed = True
            return pos
        if reader.done:
            self._reader = None
            self._expect = Expect.NEXT
        if self._role == "arguments":
            self._check_arguments(reader)
        elif self._role == "":
            reader.output.clear()
        elif reader.done:
            word = json.loads("".join(reader.output))
            if self._role == "key":
                self._take_key(word)
            else:
                self._take_name(word)
        return pos

    def _take_key(self, key: str) -> None:
        self._key = key
        self._expect = Expect.COLON
        if key not in CALL_KEYS:
            self._has_odd_key = True
            self.failed = self._offered_names is not None or (key == "description" and not self._is_call)

    def _take_name(self, name: str) -> None:
        is_offered = self._offered_names is None or name in self._offered_names
        if not name or not is_offered or _SURROGATE.search(name):
            self.failed = True
            return
        self._name = name
        self._decide()

    def _check_arguments(self, reader: JsonReader | QuotedJsonReader) -> None:
        if reader.done and reader.output == ["null"]:
            self._arguments = reader = _empty_object()
        if self._may_be_schema and reader.confirmed:
            self._look_for_schema(reader)
        self._decide()

    def _look_for_schema(self, reader: JsonReader | QuotedJsonReader) -> None:
        """An echoed definition has a schema where a call has its arguments.

        The first key tells most of them apart; where it does not, the whole object has to be seen.
        """
        if not self._first_key_is_known:
            first = _FIRST_KEY.match("".join(reader.output))
            if first:
                key, self._first_key_is_known = first[1], bool(first[2])
                words = SCHEMA_KEYS if self._first_key_is_known else {word[: len(key)] for word in SCHEMA_KEYS}
                self._may_be_schema = key in words
        if self._may_be_schema and reader.closed:
            self._may_be_schema = False
            self.failed = _is_schema("".join(reader.output))

    def _decide(self) -> None:
        if self._name is not None and self._arguments is not None and not self._may_be_schema:
            self._is_call = self._is_call or self._arguments.confirmed

    def _end_object(self) -> None:
        self._level -= 1
        self._expect = Expect.NEXT
        if self._level:
            return
        if self._arguments is None and not self._has_odd_key:
            self._arguments = _empty_object()
            self._decide()
        self.done = self._is_call
        self.failed = not self.done

    def _tell(self) -> None:
        if self.failed or not self._is_call:
            return
        assert self._name is not None and self._arguments is not None
        if not self._started:
            self._started = True
            self.events.append(CallStarted(self._name))
        text = self._last_brace + "".join(self._arguments.output)
        self._arguments.output.clear()
        self._last_brace = ""
        if self._arguments.closed and not self.done:
            text, self._last_brace = text[:-1], text[-1]
        if text:
            self.events.append(CallArguments(text))
        if self.done:
            self.events.append(CallFinished())


class ToolCallScanner:
    """Finds the calls in a model's output.

    `feed` takes the next piece and returns what it revealed, `finish` what the end of the output revealed. Held back is
    only what may still become a tag, and a call up to its first argument character.
    """

    def __init__(self, tool_names: Iterable[str] = (), *, untagged: bool = False) -> None:
        self._tool_names = frozenset(tool_names)
        self._untagged = untagged  # as if a tag had been read; calls must be offered tools
        self._events: list[Event] = []
        self._text = ""  # not yet understood, from self._pos on
        self._pos = 0
        self._has_calls = False
        self._spaces: list[str] | None = None  # after a call: spaces, of use only if text follows
        # the block
        self._held: list[str] = []  # tags and punctuation before an object; text if no call follows
        self._open_tags = 1 if untagged else 0
        self._block_has_call = untagged
        self._has_text_after_call = False  # in this block
        self._has_broken_call = False  # one that was sent and never finished
        self._in_broken_call = False
        # the object
        self._call = CallReader(None)
        self._call_is_sent = False
        self._raw: list[str] = []
        self._wreck_depth = 0
        self._wreck_in_string = False
        # the answer without tags
        self._trial: ToolCallScanner | None = None
        self._trial_events: list[Event] = []

        scan = ToolCallScanner
        self._state: Callable[[ToolCallScanner], bool] = scan._scan_block if untagged else scan._scan_start
        self._before_opening: Callable[[ToolCallScanner], bool] = scan._scan_text

    def feed(self, text: str) -> list[Event]:
        self._text = self._text[self._pos :] + text
        self._pos = 0
        self._events = []
        self._run()
        return self._events

    def finish(self) -> list[Event]:
        self._events = []
        self._run()
        scan = ToolCallScanner
        while self._state in (scan._scan_call, scan._scan_trial):
            if self._state is scan._scan_trial:
                self._end_trial()
            else:
                self._give_up_call()
            self._run()
        rest = self._take_to(len(self._text))
        if self._state is scan._scan_block and self._block_has_call and rest[:2] in ("", "<", "</", "<|", "`", "``"):
            self._drop_marks()
            rest = ""
        self._release(rest)
        self._end_block()
        return self._events

    # Each state reads as far as it can. It returns False when it needs more text.

    def _run(self) -> None:
        while self._state(self):
            pass

    def _scan_start(self) -> bool:
        space = _SPACE.match(self._text, self._pos)
        if space:
            self._say(self._take_to(space.end()))
        if self._pos == len(self._text):
            return False
        self._state = ToolCallScanner._scan_text
        if self._tool_names and self._text[self._pos] in "{[`":
            self._trial = ToolCallScanner(self._tool_names, untagged=True)
            self._state = ToolCallScanner._scan_trial
        return True

    def _scan_trial(self) -> bool:
        """The whole answer may be calls without tags. Nothing is sent before its end proves it."""
        assert self._trial is not None
        piece = self._take_to(len(self._text))
        self._raw.append(piece)
        return self._try(self._trial.feed(piece))

    def _try(self, events: list[Event]) -> bool:
        self._trial_events += events
        if not any(isinstance(event, (Text, BrokenCall)) for event in events):
            return False
        self._read_again("".join(self._raw), 0)
        self._state = ToolCallScanner._scan_text
        self._trial = None
        return True

    def _end_trial(self) -> None:
        assert self._trial is not None
        if self._try(self._trial.finish()):
            return
        if any(isinstance(event, CallFinished) for event in self._trial_events):
            self._events += self._trial_events
        else:
            self._say("".join(self._raw))
        self._state = ToolCallScanner._scan_text

    def _scan_text(self) -> bool:
        pattern = _OPEN_OR_END if self._has_calls else _OPEN
        match = pattern.search(self._text, self._pos)
        if match is None:
            tags = OPEN_TAGS + END_TOKENS if self._has_calls else OPEN_TAGS
            self._say(self._take_to(self._start_of_tag(tags)))
            return False
        self._say(self._take_to(match.start()))
        self._take_to(match.end())
        if match[0] in OPEN_TAGS:
            self._begin_opening(match[0])
        return True

    def _begin_opening(self, tag: str) -> None:
        self._before_opening = self._state
        self._held = [tag]
        self._state = ToolCallScanner._scan_opening

    def _scan_opening(self) -> bool:
        """After an open tag: more open tags, a fence, then the first bracket. Anything else makes the tag text."""
        space = _SPACE.match(self._text, self._pos)
        if space:
            self._held.append(self._take_to(space.end()))
        if self._pos == len(self._text):
            return False
        if self._text[self._pos] in "{[":
            self._end_block()
            self._open_tags = sum(piece in OPEN_TAGS for piece in self._held)
            self._state = ToolCallScanner._scan_block
            return True
        if self._is_start_of((*OPEN_TAGS, FENCE)):
            return False
        match = _OPEN.match(self._text, self._pos) or _FENCE.match(self._text, self._pos)
        if match:
            self._held.append(self._take_to(match.end()))
            return True
        self._say("".join(self._held))
        self._held = []
        self._state = self._before_opening
        return True

    def _scan_block(self) -> bool:
        """Inside a block, between objects."""
        punctuation = _BLOCK_PUNCTUATION.match(self._text, self._pos)
        if punctuation:
            self._held.append(self._take_to(punctuation.end()))
        if self._pos == len(self._text):
            return False
        char = self._text[self._pos]
        if char == "{":
            self._call = CallReader(self._tool_names if self._untagged else None)
            self._call_is_sent = False
            self._raw = []
            self._state = ToolCallScanner._scan_call
            return True
        if char in "<`":
            if self._is_start_of((*OPEN_TAGS, *CLOSE_TAGS, *END_TOKENS, FENCE)):
                return False
            match = (_TAG if char == "<" else _FENCE).match(self._text, self._pos)
            if match:
                self._take_to(match.end())
                self._take_block_tag(match[0])
                return True
        prose = _BLOCK_PROSE.match(self._text, self._pos)
        self._release()
        self._in_broken_call = False
        self._has_text_after_call = True
        self._say(self._take_to(prose.end() if prose else self._pos + 1))
        return True

    def _take_block_tag(self, tag: str) -> None:
        if tag in OPEN_TAGS:
            self._drop_marks()
            self._release()
            self._in_broken_call = False
            self._begin_opening(tag)
        elif tag in CLOSE_TAGS:
            self._close_tag(tag)
        elif tag not in END_TOKENS:
            self._held.append(tag)
        elif not self._block_has_call:
            self._release(tag)

    def _close_tag(self, tag: str) -> None:
        self._drop_marks()
        self._release()
        if not self._block_has_call:
            was_in_broken_call, self._in_broken_call = self._in_broken_call, self._has_broken_call
            self._say(tag)
            self._in_broken_call = was_in_broken_call
        self._open_tags -= 1
        if self._open_tags <= 0:
            self._end_block()

    def _drop_marks(self) -> None:
        """The block's own marks go with its calls, but not after other text; without calls a block is text."""
        if self._block_has_call and not self._has_text_after_call:
            self._held = []

    def _release(self, text: str = "") -> None:
        self._say("".join(self._held) + text)
        self._held = []

    def _end_block(self) -> None:
        self._open_tags = 0
        self._block_has_call = self._has_text_after_call = False
        self._has_broken_call = self._in_broken_call = False
        self._state = ToolCallScanner._scan_text

    def _scan_call(self) -> bool:
        call = self._call
        self._raw.append(self._take_to(call.feed(self._text, self._pos)))
        if call.lacks_only_braces and not call.done and self._text.startswith("<", self._pos):
            if self._is_start_of(CLOSE_TAGS):
                self._send_call()
                return False
            if _CLOSE.match(self._text, self._pos) and not self._untagged:
                call.close()
            else:
                call.failed = True
        if call.failed:
            self._give_up_call()
            return True
        self._send_call()
        if call.done:
            self._end_call()
        return call.done

    def _send_call(self) -> None:
        if self._call.events:
            self._call_is_sent = True
            self._events += self._call.events
            self._call.events = []

    def _end_call(self) -> None:
        self._has_calls = self._block_has_call = True
        self._has_text_after_call = self._in_broken_call = False
        self._held = []
        if self._spaces is None:
            self._spaces = []
        self._state = ToolCallScanner._scan_block

    def _give_up_call(self) -> None:
        """The object is no call: its text comes back, but for a block that an unclosed string has swallowed."""
        call = self._call
        before = "".join(self._held)
        raw = before + "".join(self._raw)
        self._held = []
        self._has_text_after_call = True
        self._has_broken_call = self._has_broken_call or self._call_is_sent
        self._in_broken_call = self._in_broken_call or self._call_is_sent
        # Reading from there again costs little: outside a string an open tag ends every object that began before it,
        # so that no text is read more than a few times.
        neighbour = _NEIGHBOUR.search(raw, len(before))
        if neighbour:
            close = _CLOSE.search(raw, len(before), neighbour.start())
            end = close.end() if close else neighbour.start()
            self._say(raw[:end])
            self._read_again(raw, end)
            self._end_block()
            return
        self._say(raw)
        self._wreck_depth, self._wreck_in_string = call.depth, call.in_string
        self._state = ToolCallScanner._scan_wreck if call.depth else ToolCallScanner._scan_block

    def _scan_wreck(self) -> bool:
        """The rest of a malformed object: up to its last brace, as well as that can be told, or to the next tag."""
        mark = _WRECK_MARK.search(self._text, self._pos)
        if mark is None:
            self._say(self._take_to(len(self._text)))
            return False
        self._say(self._take_to(mark.start()))
        char = mark[0]
        if char == "<":
            if self._is_start_of(OPEN_TAGS + CLOSE_TAGS):
                return False
            tag = _TAG.match(self._text, self._pos)
            if tag and tag[0] in CLOSE_TAGS:
                self._state = ToolCallScanner._scan_block
                return True
            if tag and tag[0] in OPEN_TAGS:
                self._take_to(tag.end())
                self._begin_opening(tag[0])
                return True
        elif char == "\\":
            if mark.end() == len(self._text):
                return False
            self._say(self._take_to(mark.end()))
        elif char == '"':
            self._wreck_in_string = not self._wreck_in_string
        elif not self._wreck_in_string:
            self._wreck_depth += 1 if char in "{[" else -1
        self._say(self._take_to(self._pos + 1))
        if self._wreck_depth <= 0:
            self._state = ToolCallScanner._scan_block
        return True

    # Small tools

    def _take_to(self, end: int) -> str:
        taken = self._text[self._pos : end]
        self._pos = end
        return taken

    def _read_again(self, taken: str, start: int) -> None:
        """Put back what was taken last, from `start` on."""
        self._text = taken[start:] + self._text[self._pos :]
        self._pos = 0

    def _start_of_tag(self, tags: Sequence[str]) -> int:
        """Where the tag begins that the text may be ending in."""
        start = self._text.rfind("<", self._pos)
        if start >= 0 and any(tag.startswith(self._text[start:]) for tag in tags):
            return start
        return len(self._text)

    def _is_start_of(self, words: Sequence[str]) -> bool:
        rest = self._text[self._pos : self._pos + LONGEST_TAG]
        return rest != "" and any(word.startswith(rest) and word != rest for word in words)

    def _say(self, text: str) -> None:
        if not text:
            return
        if self._spaces is not None:
            if text.isspace() and not self._in_broken_call:
                self._spaces.append(text)
                return
            if self._spaces:
                self._events.append(Text("".join(self._spaces)))
            self._spaces = None
        self._events.append(BrokenCall(text) if self._in_broken_call else Text(text))


# ---------------------------------------------------------------------------------------------------------------------
# Part 2: from tools to a grammar
# ---------------------------------------------------------------------------------------------------------------------


def _arguments_schema(function: Any) -> dict[str, Any]:
    """What the arguments must be: an object in any case, and of the tool's own schema unless it is not to be strict."""
    schema = function.parameters
    if getattr(function, "strict", None) is False or not isinstance(schema, dict):
        return {"type": "object"}
    return {"type": "object", **schema}


def structural_tag(tools: Sequence[Any], _builtin_tools: Any, tool_choice: str, *_: Any) -> Any:
    """The format above as an xgrammar.StructuralTag, for calls that vLLM has to enforce.

    vLLM >= 0.24 asks for it where a call is required, named ("forced") or strict. Later releases pass more arguments.
    """
    from xgrammar import StructuralTag
    from xgrammar.structural_tag import JSONSchemaFormat, TagFormat, TagsWithSeparatorFormat, TriggeredTagsFormat

    # Without a limit a model that has nothing better to do may write spaces until its tokens are used up.
    limit = {"max_whitespace_cnt": 1} if "max_whitespace_cnt" in JSONSchemaFormat.model_fields else {}
    tags = [
        TagFormat(
            begin=f'{opening}{space}{{"name": {json.dumps(tool.function.name, ensure_ascii=False)}, "arguments": ',
            content=JSONSchemaFormat(json_schema=_arguments_schema(tool.function), **limit),
            end=f"}}{space}{closing}",
        )
        for tool in tools
        for opening, closing in zip(OPEN_TAGS, CLOSE_TAGS, strict=True)
        for space in ("", "\n")
    ]
    if tool_choice == "auto":
        return StructuralTag(format=TriggeredTagsFormat(triggers=list(OPEN_TAGS), tags=tags))
    return StructuralTag(
        format=TagsWithSeparatorFormat(
            tags=tags, separator="\n", at_least_one=True, stop_after_first=tool_choice == "forced"
        )
    )


def _register_structural_tag() -> str | None:
    """The name under which vLLM finds the tag; None where it has no such thing, or no longer in this place."""
    try:
        from vllm.tool_parsers.structural_tag_registry import register_vllm_structural_tag
    except ImportError:
        return None
    register_vllm_structural_tag("qwen_tools")(structural_tag)
    return "qwen_tools"


STRUCTURAL_TAG = _register_structural_tag()

# ---------------------------------------------------------------------------------------------------------------------
# Part 3: from events to vLLM's messages
# ---------------------------------------------------------------------------------------------------------------------

# What each release needs is recognized by what it has, not by its number: forks and nightlies have wrong ones.
REWRITES_LAST_DELTA = not hasattr(ToolParser, "get_remaining_unstreamed_args")  # vLLM <= 0.22


def _needs_every_delta() -> bool:
    """Up to vLLM 0.10.1 the finish_reason is lost if the parser has nothing to say to the last delta."""
    try:
        from vllm.entrypoints.chat_utils import make_tool_call_id  # noqa: F401  # it came with the cure
    except ImportError:
        return REWRITES_LAST_DELTA
    return False


NEEDS_EVERY_DELTA = _needs_every_delta()


class UntouchedFunctionCall(DeltaFunctionCall):
    """Up to 0.22 vLLM rewrites the arguments of the last delta, wrongly, if its `function` is true."""

    def __bool__(self) -> bool:
        return False


def _tool_names(tools: Iterable[Any] | None) -> set[str]:
    """Names from either API: {"function": {"name": …}} in chat completions, {"name": …} in responses."""
    names = (getattr(getattr(tool, "function", tool), "name", None) for tool in tools or ())
    return {name for name in names if name}


def _forbids_tools(request: Any) -> bool:
    return getattr(request, "tool_choice", None) == "none"


def _end_tokens(tokenizer: Any) -> frozenset[int]:
    """Any of these ends the answer: a model's generation config often names another than its tokenizer does."""
    vocabulary = tokenizer.get_vocab() if hasattr(tokenizer, "get_vocab") else {}
    ids = {getattr(tokenizer, "eos_token_id", None), *(vocabulary.get(token) for token in END_TOKENS)}
    return frozenset(id_ for id_ in ids if id_ is not None)


def _wants_one_call(request: Any) -> bool:
    """Up to 0.11 vLLM leaves this to the parser; in the oldest releases false is also what nobody asked for."""
    was_set = getattr(request, "model_fields_set", ())
    return "parallel_tool_calls" in was_set and request.parallel_tool_calls is False


def _token_limit(request: Any) -> int | None:
    for name in ("max_completion_tokens", "max_tokens", "max_output_tokens"):
        limit = getattr(request, name, None)
        if limit:
            return int(limit)
    return None


def _new_call_id() -> str:
    return f"chatcmpl-tool-{uuid4().hex}"


class AnswerEnd:
    """Tells the last delta of an answer where vLLM does not: up to 0.23, and later without the structural tag."""

    def __init__(self, request: Any, end_tokens: frozenset[int]) -> None:
        # Once: the request of old releases warns at each look at max_tokens.
        self._token_limit = _token_limit(request)
        ignored = getattr(request, "ignore_eos", False)
        self._tokens = frozenset(getattr(request, "stop_token_ids", None) or ()) | (set() if ignored else end_tokens)

    def is_in(self, delta_text: str, delta_token_ids: Sequence[int], current_token_ids: Sequence[int]) -> bool:
        if self._token_limit is not None and len(current_token_ids) >= self._token_limit:
            return True
        if not delta_token_ids:
            return not delta_text
        return not self._tokens.isdisjoint(delta_token_ids)


@dataclass
class CallDelta:
    """What one delta says of one call."""

    index: int
    name: str | None  # where the call begins
    arguments: str


class ChoiceStream:
    """One streamed choice: its scanner, the calls it has found, and what it has not said yet."""

    def __init__(self, tool_names: Iterable[str], request: Any, end_tokens: frozenset[int]) -> None:
        self.scanner = ToolCallScanner(tool_names)
        self.end = AnswerEnd(request, end_tokens)
        self.is_for_responses_api = request is not None and not hasattr(request, "messages")
        self.text = ""  # what vLLM has shown of this choice
        self.has_ended = False
        self.has_spoken = False
        self.goes_on_with_call = False  # what was said of this delta
        self.calls: list[dict[str, str]] = []
        self.arguments: list[str] = []  # of each finished call, as vLLM's base class keeps them
        self.pending: list[str | CallDelta] = []
        self._one_call = _wants_one_call(request)
        self._started = 0
        self._pieces: list[str] = []

    def take(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, Text):
                self._say(event.text)
            elif isinstance(event, CallStarted):
                self._started += 1
                if not self._is_unwanted():
                    self._start_call(event.name)
            elif self._is_unwanted():
                continue
            elif isinstance(event, CallArguments):
                self._pieces.append(event.text)
                self._add_arguments(event.text)
            elif isinstance(event, CallFinished):
                self.arguments[-1] = self.calls[-1]["arguments"] = "".join(self._pieces)

    def _is_unwanted(self) -> bool:
        return self._one_call and self._started > 1

    def _say(self, text: str) -> None:
        if self.pending and isinstance(self.pending[-1], str):
            self.pending[-1] += text
        else:
            self.pending.append(text)

    def _start_call(self, name: str) -> None:
        self.calls.append({"name": name, "arguments": ""})
        self.arguments.append("")
        self._pieces = []
        self.pending.append(CallDelta(len(self.calls) - 1, name, ""))

    def _add_arguments(self, text: str) -> None:
        index = len(self.calls) - 1
        for item in self.pending:
            if isinstance(item, CallDelta) and item.index == index:
                item.arguments += text
                return
        self.pending.append(CallDelta(index, None, text))

    def take_all(self) -> list[str | CallDelta]:
        """Everything that is to be said: one text, and one delta per call."""
        texts = "".join(item for item in self.pending if isinstance(item, str))
        calls = [item for item in self.pending if isinstance(item, CallDelta)]
        self.pending = []
        return [texts, *calls] if texts else list(calls)

    def take_one(self, *, is_last: bool) -> list[str | CallDelta]:
        """For the Responses API up to 0.22, which takes one thing from a delta: a text, a name or some arguments.

        Where an answer begins with a call, though, its name needs arguments beside it. What the last delta brings more
        than one of is lost there; then calls come before text.
        """
        if is_last:
            calls = [item for item in self.pending if isinstance(item, CallDelta)]
            return list(calls[:1]) or self.take_all()
        if not self.pending:
            return []
        item = self.pending[0]
        if isinstance(item, CallDelta) and item.name:
            if not self.has_spoken and not item.arguments:
                return []
            if self.has_spoken and item.arguments:
                self.pending[0] = CallDelta(item.index, None, item.arguments)
                return [CallDelta(item.index, item.name, "")]
        self.has_spoken = True
        return [self.pending.pop(0)]

    def take_text_first(self, *, is_last: bool) -> list[str | CallDelta]:
        """For the Responses API from 0.23 on, which puts a delta's text before its calls: not where that ends a call.

        At the end vLLM adds what is said then to what was said of the last delta. Where that goes on with a call, the
        text after the call is lost: with it, vLLM would end the whole answer with an error.
        """
        if is_last:
            goes_on = self.goes_on_with_call or self._goes_on(self.pending)
            return [item for item in self.take_all() if not (goes_on and isinstance(item, str))]
        texts = [position for position, item in enumerate(self.pending) if position and isinstance(item, str)]
        count = texts[0] if texts else len(self.pending)
        items, self.pending = self.pending[:count], self.pending[count:]
        self.goes_on_with_call = self._goes_on(items)
        return items

    @staticmethod
    def _goes_on(items: list[str | CallDelta]) -> bool:
        return any(isinstance(item, CallDelta) and item.name is None for item in items)


def _message(items: list[str | CallDelta], function_class: type[DeltaFunctionCall]) -> DeltaMessage | None:
    # Fields that are not given must not be set: vLLM sends what is set.
    fields: dict[str, Any] = {}
    calls: list[DeltaToolCall] = []
    for item in items:
        if isinstance(item, str):
            fields["content"] = item
        elif item.name is None:
            calls.append(DeltaToolCall(index=item.index, function=function_class(arguments=item.arguments)))
        else:
            function = function_class(name=item.name, arguments=item.arguments)
            calls.append(DeltaToolCall(index=item.index, id=_new_call_id(), type="function", function=function))
    if calls:
        fields["tool_calls"] = calls
    return DeltaMessage(**fields) if fields else None


class QwenToolParser(ToolParser):
    structural_tag_model = STRUCTURAL_TAG

    def __init__(self, tokenizer: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(tokenizer, *args, **kwargs)  # <= 0.18 has no `tools`
        self._streams: list[ChoiceStream] = []
        self._end_tokens = _end_tokens(tokenizer)

    def get_remaining_unstreamed_args(self) -> str:
        return ""  # whatever can be sent has been sent

    def extract_tool_calls(self, model_output: str, request: Any) -> ExtractedToolCallInformation:
        if _forbids_tools(request):
            return ExtractedToolCallInformation(tools_called=False, tool_calls=[], content=model_output)
        scanner = ToolCallScanner(self._offered_tools(request))
        content: list[str] = []
        calls: list[ToolCall] = []
        name, arguments = "", ""
        for event in scanner.feed(model_output) + scanner.finish():
            if isinstance(event, (Text, BrokenCall)):
                content.append(event.text)
            elif isinstance(event, CallStarted):
                name, arguments = event.name, ""
            elif isinstance(event, CallArguments):
                arguments += event.text
            elif isinstance(event, CallFinished):
                function = FunctionCall(name=name, arguments=arguments)
                calls.append(ToolCall(id=_new_call_id(), type="function", function=function))
        return ExtractedToolCallInformation(
            tools_called=bool(calls),
            tool_calls=calls[:1] if _wants_one_call(request) else calls,
            content="".join(content) or None,
        )

    # The names are vLLM's: up to 0.19 it passes them as keywords.
    def extract_tool_calls_streaming(
        self,
        previous_text: str,
        current_text: str,
        delta_text: str,
        previous_token_ids: Sequence[int],
        current_token_ids: Sequence[int],
        delta_token_ids: Sequence[int],
        request: Any,
    ) -> DeltaMessage | None:
        message: DeltaMessage | None
        if _forbids_tools(request):  # 0.20 to 0.22 and, for parsers like this one, 0.24 and later ask all the same
            message = DeltaMessage(content=delta_text) if delta_text else None
        else:
            stream = self._stream_of(previous_text, request)
            stream.text = current_text
            stream.goes_on_with_call = False
            stream.take(stream.scanner.feed(delta_text))
            is_last = not self.engine_based_streaming and stream.end.is_in(
                delta_text, delta_token_ids, current_token_ids
            )
            if is_last:
                stream.take(stream.scanner.finish())
                stream.has_ended = True
            message = self._next_message(stream, is_last=is_last)
        if message is None and NEEDS_EVERY_DELTA:
            return DeltaMessage(content="")
        return message

    def finish_streaming(self) -> DeltaMessage | None:
        """vLLM >= 0.24 calls this at the end of the answer."""
        if not self._streams:
            return None
        stream = self._streams.pop()
        stream.take(stream.scanner.finish())
        return self._next_message(stream, is_last=True)

    def _stream_of(self, previous_text: str, request: Any) -> ChoiceStream:
        """The state of the choice that this delta belongs to.

        Up to 0.19 all choices of a request share one parser and are told apart by what they have said so far. Where two
        have said the same, either state will do, but after a call that broke: what has been sent of that depends on the
        deltas it came in. With `engine_based_streaming` there is one choice and no past.
        """
        if self.engine_based_streaming and self._streams:
            return self._streams[0]
        said_the_same = [stream for stream in self._streams if stream.text == previous_text]
        for stream in said_the_same:
            if not stream.has_ended:
                return stream
        if said_the_same and previous_text:
            return said_the_same[0]
        stream = ChoiceStream(self._names_for_untagged_calls(request), request, self._end_tokens)
        self._streams.append(stream)
        return stream

    def _next_message(self, stream: ChoiceStream, *, is_last: bool) -> DeltaMessage | None:
        # vLLM looks at these to tell whether tools were called.
        self.prev_tool_call_arr = stream.calls
        self.streamed_args_for_tool = stream.arguments
        self.current_tool_id = len(stream.calls) - 1
        self.current_tool_name_sent = bool(stream.calls)
        if stream.is_for_responses_api:  # up to 0.22 it drops a call whose `function` is not true; it rewrites nothing
            take = stream.take_one if REWRITES_LAST_DELTA else stream.take_text_first
            return _message(take(is_last=is_last), DeltaFunctionCall)
        return _message(stream.take_all(), UntouchedFunctionCall if REWRITES_LAST_DELTA else DeltaFunctionCall)

    def _names_for_untagged_calls(self, request: Any) -> set[str]:
        """None where the end of the answer may go unseen: a stop string ends it, and nobody says so.

        A whole answer without tags would be held until that end, and lost.
        """
        if getattr(request, "stop", None) and not self.engine_based_streaming:
            return set()
        return self._offered_tools(request)

    def _offered_tools(self, request: Any) -> set[str]:
        return _tool_names(getattr(request, "tools", None) or getattr(self, "tools", None))


# With it vLLM passes only what is new, and says when the answer ends. Without the tag it reads required and named calls
# itself, from the whole text, which it then does not keep.
QwenToolParser.engine_based_streaming = not getattr(QwenToolParser, "supports_required_and_named", True)

ToolParserManager.register_module(name=["qwen_tools"], module=QwenToolParser)
