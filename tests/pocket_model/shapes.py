# Copyright: (c) 2026, the toolserve.gpunode authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The requests the pocket model is trained and measured on, with the answers it has to give.

Every shape draws its paths, commands, words, numbers and cities at random, so that the only way to answer
well is to copy from the prompt. Training and held-out strings are kept apart twice: the two streams have
seeds of their own, and every string that has to be copied belongs by its CRC-32 to exactly one of the two
splits, so that a held-out string cannot have been seen in training, however short it is.

Standard library only: other tests import this module without torch.
"""

from __future__ import annotations

import json
import random
import string
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

Message = dict[str, Any]
Tool = dict[str, Any]
Call = tuple[str, dict[str, str]]

TRAIN = "train"
HELD_OUT = "held_out"

NO_TOOL = "I have no tool for that."
UNKNOWN = "Sorry, I cannot help with that."
RUN_DESCRIPTION = "Run the command"
PLAIN_ANSWERS = {
    "Tell me a joke.": "Why did the GPU cross the road? To get to the other slot.",
    "Say hello.": "Hello!",
    "Thank you!": "You are welcome.",
    "How are you?": "I am fine, thank you.",
    "Who are you?": "I am a pocket model, made for tests.",
}
TIME_REQUESTS = ("What time is it now?", "What time is it?", "Tell me the time.")

# The arguments of each tool the model knows, in the order in which it writes them.
TOOL_ARGUMENTS: dict[str, tuple[str, ...]] = {
    "read": ("filePath",),
    "write": ("filePath", "content"),
    "edit": ("filePath", "oldString", "newString"),
    "bash": ("command", "description"),
    "get_weather": ("city", "unit"),
    "current_time": (),
}
UNITS = ("celsius", "fahrenheit")
# Names that agents offer besides, some of them much like a known one; the rest of the unknown names are random.
OTHER_TOOLS = (
    "glob grep list task todowrite todoread webfetch websearch codesearch skill question apply_patch lsp batch "
    "invalid read_file write_file readfile reader edit_file bash_output run weather get_time"
).split()
WORDS = (
    "the a of and is on for by at from one two three four five red green blue white black small big old "
    "new good bad house tree river city road door window table chair paper pen book page line word letter number "
    "file folder path disk memory server client driver kernel model token prompt answer question reply error "
    "warning status report summary title list item key value name user group host port node cluster network "
    "cable light water fire earth wind stone sand snow rain sun moon star cat dog bird fish horse apple bread "
    "milk salt sugar morning evening night day week month year time clock game music song story hello "
    "world test data log main config setup build deploy start stop run make find open close first last next "
    "left right up down over under fast slow hot cold true false null alpha beta gamma delta we you they it"
).split()
STEMS = (
    "src lib etc var log home usr opt tmp srv data docs tests app main index config settings readme README Makefile "
    "notes report build dist node_modules roles tasks defaults templates compose docker nginx models weights hosts "
    "passwd hostname project user root www html public assets scripts utils core api v1 v2 en de bin share content "
    "command arguments description celsius"
).split()
EXTENSIONS = "txt md py yml yaml json toml cfg conf ini log sh c h rs go js ts html css csv gz j2 lock".split()
PROGRAMS = (
    "ls cat echo grep find head tail wc sort uniq cut sed awk cp mv rm mkdir touch df du ps kill top git make pip "
    "python3 node npm docker systemctl journalctl curl ssh tar gzip date uname whoami hostname nvidia-smi free id "
    "pwd env export test true sleep seq xargs tee diff chmod chown ansible-playbook apt-get pytest"
).split()
CITIES = (
    "Paris London Berlin Madrid Rome Vienna Prague Warsaw Lisbon Dublin Oslo Stockholm Helsinki Copenhagen Athens "
    "Budapest Brussels Amsterdam Geneva Zurich Milan Naples Munich Hamburg Cologne Leipzig Dresden Lyon Nice Porto "
    "Seville Valencia Istanbul Ankara Moscow Kyiv Riga Vilnius Tallinn Minsk Sofia Bucharest Belgrade Zagreb Cairo "
    "Lagos Nairobi Accra Tunis Rabat Dakar Tokyo Osaka Kyoto Seoul Busan Beijing Shanghai Taipei Manila Hanoi Bangkok "
    "Jakarta Singapore Delhi Mumbai Chennai Kolkata Karachi Lahore Dhaka Tehran Baghdad Doha Dubai Riyadh Sydney "
    "Melbourne Perth Auckland Toronto Montreal Vancouver Ottawa Boston Chicago Denver Seattle Houston Dallas Miami "
    "Atlanta Phoenix Portland Havana Lima Bogota Quito Santiago Montevideo Brasilia Recife Salvador Falkenstein"
).split() + [
    "New York", "Los Angeles", "San Francisco", "New Delhi", "Hong Kong", "Buenos Aires", "Cape Town", "Mexico City",
    "Las Vegas", "San Diego", "Tel Aviv", "Abu Dhabi", "Kuala Lumpur", "Addis Ababa", "Saint Petersburg", "Den Haag",
    "Bad Homburg", "Santa Cruz", "El Paso", "Salt Lake", "Porto Alegre", "São Paulo", "Zürich", "Kraków", "Malmö",
]  # fmt: skip
SYSTEMS = (
    "You are a helpful assistant.",
    "You are a coding agent. Use the tools.",
    "Answer briefly.",
)
HERMES_SYSTEMS = ("hermes", "Write tool calls in the Hermes style.", "Use the HERMES markup.")
PATH_CHARACTERS = string.ascii_letters + string.digits + "._-"
# What ends a string in a request has to be copied like anything else where it stands in a tool's result.
JOINTS = ("in", "with", "to", "in the file", "to the file", "with the content", "and in", "filePath", "newString")
LETTERS_BEYOND_ASCII = "".join(map(chr, range(0xC0, 0x100))) + "łśžőğΩαдж漢字°€–’“”…✓→"


@dataclass(frozen=True)
class Sample:
    """One request and the exact text the model has to answer with."""

    shape: str
    messages: list[Message]
    tools: list[Tool]
    answer: str


@dataclass(frozen=True)
class Request:
    """What the user asks: the text, the calls it needs (or the plain answer) and a text before the calls."""

    text: str
    calls: tuple[Call, ...] = ()
    plain: str = ""
    lead: str = ""

    @property
    def needed(self) -> set[str]:
        """The names of the tools without which the request cannot be served."""
        return {name for name, _arguments in self.calls}


def tool(name: str) -> Tool:
    """The definition an agent would send for a tool."""
    properties: dict[str, Any] = {argument: {"type": "string"} for argument in TOOL_ARGUMENTS.get(name, ())}
    if "unit" in properties:
        properties["unit"]["enum"] = list(UNITS)
    parameters = {"type": "object", "properties": properties, "required": list(properties)}
    return {"type": "function", "function": {"name": name, "description": name, "parameters": parameters}}


def call_text(call: Call, hermes: bool) -> str:
    """One call in the markup the model writes."""
    body = json.dumps({"name": call[0], "arguments": call[1]}, ensure_ascii=False)
    return f"<tool_call>\n{body}\n</tool_call>" if hermes else f"<tools>{body}</tools>"


class Source:
    """Draws the random strings of one split; `scale` (0..1) shortens them, `edges` asks for the extremes only."""

    def __init__(self, split: str, seed: int, *, scale: float = 1.0, edges: bool = False) -> None:
        self.rng = random.Random(f"{split}/{seed}")
        self.split = split
        self.scale = scale
        self.edges = edges
        self.few = ""

    def begin(self) -> None:
        """Begin a sample: a third of those to train on have few different characters.

        Their strings repeat themselves, so the model cannot find its place in them by the last characters alone.
        Without them it falls into loops wherever a path has the same two characters twice.
        """
        everything = string.ascii_letters + string.digits
        few = self.split == TRAIN and self.rng.random() < 0.33
        self.few = "".join(self.rng.sample(everything, self.rng.randint(6, 20))) if few else ""

    def _own(self, draw: Callable[[], str]) -> str:
        """Draw until the string belongs to this split: a fifth of all strings, by checksum, is held out."""
        while True:
            text = draw()
            if (zlib.crc32(text.encode()) % 5 == 0) == (self.split == HELD_OUT):
                return text

    def length(self, low: int, high: int) -> int:
        """A length; short ones are drawn more often, because people write short strings more often."""
        high = max(low, round(low + (high - low) * self.scale))
        if self.edges:
            return self.rng.choice((low, high))
        if self.rng.random() < 0.25:
            return self.rng.randint(low, high)
        return self.rng.randint(low, self.rng.randint(low, high))

    def characters(self, alphabet: str, count: int) -> str:
        """A string of independent random characters: nothing but copying can reproduce it."""
        few = "".join(character for character in alphabet if character in self.few)
        return "".join(self.rng.choices(few if len(few) > 2 else alphabet, k=count))

    def word(self) -> str:
        """A common word, a made-up word, a number or a random token."""
        rng, kind = self.rng, self.rng.random()
        if kind < 0.25:
            return rng.choice(WORDS)
        if kind < 0.55:
            return self.characters(string.ascii_lowercase, rng.randint(1, 10))
        if kind < 0.7:
            return self.characters(string.digits, rng.randint(1, 7))
        if kind < 0.8:
            return self.characters(string.ascii_letters, rng.randint(2, 8)).capitalize()
        if kind < 0.97:
            return self.characters(string.ascii_letters + string.digits + "_-", rng.randint(1, 9))
        return self.characters(string.ascii_lowercase + LETTERS_BEYOND_ASCII, rng.randint(2, 6))

    def words(self, low: int, high: int) -> str:
        """Some words that belong to this split as a whole."""
        count = self.length(low, high)
        return self._own(lambda: " ".join(self.word() for _ in range(count)))

    def _segment(self, size: int) -> str:
        rng = self.rng
        if rng.random() < 0.35:
            name = rng.choice(STEMS)
            return name if rng.random() < 0.6 else f"{name}{rng.choice('-_.')}{rng.randint(0, 999)}"
        if rng.random() < 0.3:
            return self.characters(string.ascii_lowercase, size)
        return self.characters(PATH_CHARACTERS, size)

    def _path(self) -> str:
        rng = self.rng
        target = self.length(3, 72)
        count = min(rng.randint(1, 8), max(1, target // 3))
        segments = (self._segment(max(1, target // count + rng.randint(-2, 2))) for _ in range(count))
        path = "/".join(dict.fromkeys(segments))
        if rng.random() < 0.4:
            path += "." + rng.choice(EXTENSIONS)
        start = rng.random()
        path = "/" + path if start < 0.6 else rng.choice(("./", "../", "~/")) + path if start < 0.68 else path
        path = path[:72].rstrip(".")
        return path if len(path) >= 3 else path + self.characters(string.ascii_letters, 3)

    def path(self) -> str:
        """A path that does not end with a period (that would be the sentence's)."""
        return self._own(self._path)

    def sibling(self, path: str) -> str:
        """A path beside another one: two of a kind in one request are the hard case of copying."""
        head, slash, _tail = path.rpartition("/")
        return self._own(lambda: (head + slash + self._path().rpartition("/")[2])[:72].rstrip("."))

    def _argument(self) -> str:
        rng, kind = self.rng, self.rng.random()
        if kind < 0.25:
            return "-" + self.characters(string.ascii_letters, rng.randint(1, 3))
        if kind < 0.35:
            return "--" + self.characters(string.ascii_lowercase + "-", rng.randint(2, 9)) + rng.choice(("", "=7"))
        if kind < 0.55:
            return self._path()[:30].rstrip(".")
        if kind < 0.65:
            return str(rng.randint(0, 99999))
        if kind < 0.75:
            return "'" + " ".join(self.word() for _ in range(rng.randint(1, 3))) + "'"
        if kind < 0.8:
            return rng.choice(("*", "$", "@", ":", "+", "%")) + self.word()
        return self.word()

    def _command(self) -> str:
        rng = self.rng
        target = self.length(2, 64)
        command = ""
        said: list[str] = []
        while True:
            name = rng.choice(PROGRAMS) if rng.random() < 0.7 else self.characters(string.ascii_lowercase, 5)
            # What is said twice is the hard case of copying: the same words are followed by different ones.
            count = rng.choice((0, 1, 1, 2, 2, 3))
            part = [rng.choice(said) if said and rng.random() < 0.15 else self._argument() for _ in range(count)]
            said += part
            part.insert(0, name)
            joint = rng.choice((" | ", " && ", " > ", " >> ", "; ", " || "))
            longer = command + joint + " ".join(part) if command else " ".join(part)
            if len(longer) > target:
                return command or longer[:64].rstrip(". ")
            command = longer

    def command(self) -> str:
        """A command line without double quotes and backslashes that does not end with a period."""
        return self._own(lambda: self._command().rstrip("."))

    def _city(self) -> str:
        rng = self.rng
        if rng.random() < 0.4:
            return rng.choice(CITIES)
        words = [self.characters(string.ascii_lowercase, self.length(2, 12)).capitalize()]
        if rng.random() < 0.3:
            words.append(self.characters(string.ascii_lowercase, rng.randint(2, 9)).capitalize())
        if rng.random() < 0.15:
            words[0] += rng.choice(LETTERS_BEYOND_ASCII) + self.characters(string.ascii_lowercase, 2)
        return " ".join(words)

    def city(self) -> str:
        """A real or a made-up city."""
        return self._own(self._city)

    def output(self) -> str:
        """What a tool might have printed: words, numbers and paths, some lines, some JSON or markup."""
        rng = self.rng
        kind = rng.random()
        target = self.length(1, 160)

        def draw() -> str:
            text = self.word() if rng.random() < 0.8 else self._path()
            lines, number = kind < 0.35, 1
            if kind < 0.1:
                text = f"<path>{self._path()[:40]}</path>\n<content>\n1: {text}"
            elif 0.35 <= kind < 0.45:
                text = '{"' + self.word() + '": "' + text + '"'
            while len(text) < target:
                piece = self._path()[:40] if rng.random() < 0.15 else self.word()
                piece = rng.choice(JOINTS) if rng.random() < 0.06 else piece
                if rng.random() < 0.1:
                    piece += rng.choice((".", ",", ":", ";", "!", "?", " =", ")", "%"))
                if lines and rng.random() < 0.2:
                    number += 1
                    text += f"\n{number}: {piece}" if kind < 0.2 else f"\n{piece}"
                elif 0.35 <= kind < 0.45 and rng.random() < 0.3:
                    text += f', "{piece}": {rng.randint(0, 9999)}'
                else:
                    text += " " + piece
            text = text[: max(target, 60)].rstrip()
            if kind < 0.1:
                return text + "\n</content>"
            return text + "}" if 0.35 <= kind < 0.45 else text + "\n" if kind > 0.95 else text

        return self._own(draw)

    def tool_name(self) -> str:
        """A tool the model does not know."""
        rng = self.rng
        if rng.random() < 0.5:
            return rng.choice(OTHER_TOOLS)
        parts = [
            rng.choice(WORDS) if rng.random() < 0.4 else self.characters(string.ascii_lowercase, rng.randint(2, 7))
            for _ in range(rng.choice((1, 2, 2, 3)))
        ]
        name = rng.choice(("_", "_", "-", "")).join(parts)
        return name + "_x" if name in TOOL_ARGUMENTS else name


def _stop(source: Source) -> str:
    """The period a sentence may or may not end with."""
    return "." if source.rng.random() < 0.65 else ""


def _bare(source: Source, text: str) -> str:
    """The fixed sentence, sometimes without its last mark."""
    return text[:-1] if source.rng.random() < 0.2 else text


def _phrase(source: Source, first: str, *others: str) -> str:
    """A phrasing; the first one is what the product's probes send, so it is drawn most often."""
    return first if not others or source.rng.random() < 0.5 else source.rng.choice(others)


def read_request(source: Source) -> Request:
    """Read one file."""
    path = source.path()
    phrase = _phrase(source, "Read the file {}", "Read {}", "Please read {}", "Open the file {}", "Show me {}")
    return Request(phrase.format(path) + _stop(source), (("read", {"filePath": path}),))


def bash_request(source: Source) -> Request:
    """Run one command."""
    command = source.command()
    phrase = _phrase(source, "Run the command: {}", "Run {}", "Execute {}")
    stop = "." if source.rng.random() < 0.15 else ""
    return Request(phrase.format(command) + stop, (("bash", {"command": command, "description": RUN_DESCRIPTION}),))


def write_request(source: Source) -> Request:
    """Write a text to a file."""
    text, path = source.words(1, 8), source.path()
    phrase = _phrase(source, "Write {text} to the file {path}", "Create the file {path} with the content {text}")
    return Request(
        phrase.format(text=text, path=path) + _stop(source), (("write", {"filePath": path, "content": text}),)
    )


def edit_request(source: Source) -> Request:
    """Replace one text by another in a file."""
    old, new, path = source.words(1, 4), source.words(1, 4), source.path()
    arguments = {"filePath": path, "oldString": old, "newString": new}
    return Request(f"Replace {old} with {new} in the file {path}" + _stop(source), (("edit", arguments),))


def weather_request(source: Source) -> Request:
    """The weather in one city."""
    city, unit = source.city(), source.rng.choice(UNITS)
    end = "?" if source.rng.random() < 0.9 else ""
    return Request(f"What is the weather in {city} in {unit}{end}", (("get_weather", {"city": city, "unit": unit}),))


def time_request(source: Source) -> Request:
    """A call without arguments."""
    return Request(_bare(source, _phrase(source, *TIME_REQUESTS)), (("current_time", {}),))


def parallel_request(source: Source) -> Request:
    """Two calls at once."""
    if source.rng.random() < 0.7:
        first = source.path()
        second = source.sibling(first) if source.rng.random() < 0.4 else source.path()
        calls = tuple(("read", {"filePath": path}) for path in (first, second))
        return Request(f"Read the files {first} and {second}" + _stop(source), calls)
    cities, unit = (source.city(), source.city()), source.rng.choice(UNITS)
    text = f"What is the weather in {cities[0]} and in {cities[1]} in {unit}?"
    return Request(text, tuple(("get_weather", {"city": city, "unit": unit}) for city in cities))


def text_before_call_request(source: Source) -> Request:
    """A sentence before the call."""
    path = source.path()
    text = f"Explain what you do, then read the file {path}" + _stop(source)
    return Request(text, (("read", {"filePath": path}),), lead=f"I will read the file {path}.\n")


def plain_request(source: Source) -> Request:
    """Small talk: no tool is needed."""
    text = source.rng.choice(tuple(PLAIN_ANSWERS))
    return Request(_bare(source, text), plain=PLAIN_ANSWERS[text])


def unknown_request(source: Source) -> Request:
    """Anything the model was not made for: it has to stop at once."""
    rng = source.rng
    words = source.words(1, 12)
    question = rng.choice(("What is", "Who was", "When does", "Why do", "Where are", "How can I", "Can you", "Do"))
    order = rng.choice((
        "Delete", "Summarize", "Translate", "Write a poem about", "Explain", "Draw", "Rename", "Compare", "List all",
        "Tell me about", "Say", "Thank", "Count", "Describe", "Fix", "Remember", "Plan", "What is the weather like on",
    ))  # fmt: skip
    kind = rng.random()
    if kind < 0.25:
        text = words + rng.choice(("", ".", "?", "!"))
    elif kind < 0.45:
        text = f"{question} {words}?"
    elif kind < 0.7:
        text = f"{order} {words}" + _stop(source)
    elif kind < 0.8:
        text = f"{order} {source.path()}" + _stop(source)
    else:
        title = rng.choice((
            "Generate a title for this conversation:", "Summarize the conversation so far.",
            "You are a title generator. Output only a title.", "Write a commit message for these changes:",
        ))  # fmt: skip
        body = " ".join(source.word() for _ in range(source.length(0, 150)))
        inner = ALL_REQUESTS[rng.randrange(len(ALL_REQUESTS))](source).text if rng.random() < 0.4 else body
        text = f"{title}{rng.choice((' ', chr(10)))}{inner}".strip()
    return Request(text, plain=UNKNOWN)


CALL_REQUESTS: tuple[Callable[[Source], Request], ...] = (
    read_request,
    bash_request,
    write_request,
    edit_request,
    weather_request,
    time_request,
    parallel_request,
    text_before_call_request,
)
ALL_REQUESTS = (*CALL_REQUESTS, plain_request)

# The shape's name, the request behind it, and the markup where the shape fixes it.
SHAPES: dict[str, tuple[Callable[[Source], Request] | None, bool | None]] = {
    "read_tools": (read_request, False),
    "read_tool_call": (read_request, True),
    "bash": (bash_request, None),
    "write": (write_request, None),
    "edit": (edit_request, None),
    "weather": (weather_request, None),
    "zero_arguments": (time_request, None),
    "parallel": (parallel_request, None),
    "text_before_call": (text_before_call_request, None),
    "tools_not_needed": (plain_request, None),
    "tool_missing": (None, None),
    "no_tools": (None, None),
    "tool_result": (None, None),
    "unknown": (unknown_request, None),
}


def _offer(source: Source, needed: set[str], without: set[str]) -> list[Tool]:
    """What an agent offers: the needed tools, some of the known ones and some unknown ones, in any order."""
    rng = source.rng
    known = [name for name in TOOL_ARGUMENTS if name not in without]
    rest = [name for name in known if name not in needed]
    low = 1 if rng.random() < 0.2 else 3
    size = min(len(known), max(len(needed), rng.randint(low, len(TOOL_ARGUMENTS))))
    names = [*needed, *rng.sample(rest, max(0, size - len(needed)))]
    if source.edges:
        extra = rng.choice((0, 15 - len(names)))
    else:
        extra = 0 if rng.random() < 0.5 else rng.randint(1, min(15 - len(names), rng.choice((2, 4, 9))))
    names = list(dict.fromkeys([*names, *(source.tool_name() for _ in range(extra))]))
    rng.shuffle(names)
    return [tool(name) for name in names]


def _quoted(source: Source, text: str) -> str:
    """Some agents wrap what was typed in quotes; the model has to see through that."""
    return f'"{text}"' if source.rng.random() < 0.08 else text


def answer_text(request: Request, hermes: bool, served: bool) -> str:
    if not request.calls:
        return request.plain
    if not served:
        return NO_TOOL
    return request.lead + "\n".join(call_text(call, hermes) for call in request.calls)


def _result_messages(source: Source, content: str) -> list[Message]:
    """The history of a call that was answered; the request before it is not what the model has to answer."""
    user = read_request(source)
    function = {"name": "read", "arguments": json.dumps(user.calls[0][1])}
    call = {"id": "call_1", "type": "function", "function": function}
    return [
        {"role": "user", "content": user.text},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": content},
    ]


def draw(shape: str, source: Source) -> Sample:
    """Draw one sample of a shape."""
    source.begin()
    rng = source.rng
    make, markup = SHAPES[shape]
    hermes = rng.random() < 0.5 if markup is None else markup
    system = rng.choice(HERMES_SYSTEMS) if hermes else rng.choice((*SYSTEMS, ""))
    messages: list[Message] = [{"role": "system", "content": system}] if system else []
    if shape == "tool_result":
        content = source.output()
        tools = _offer(source, set(), set()) if rng.random() < 0.8 else []
        return Sample(shape, messages + _result_messages(source, content), tools, f"It says: {content}")
    served = True
    if shape == "tool_missing":
        request = rng.choices(CALL_REQUESTS, (3, 2, 2, 2, 2, 2, 1, 1))[0](source)  # each tool about equally often
        tools, served = _offer(source, set(), request.needed), False
    elif shape == "no_tools":
        request = plain_request(source) if rng.random() < 0.5 else rng.choice(CALL_REQUESTS)(source)
        tools, served = [], False
    else:
        assert make is not None
        request = make(source)
        tools = _offer(source, request.needed, set())
        if shape == "unknown" and rng.random() < 0.4:
            tools = []
    text = _quoted(source, request.text)
    content_form: Any = [{"type": "text", "text": text}] if rng.random() < 0.1 else text
    messages.append({"role": "user", "content": content_form})
    return Sample(shape, messages, tools, answer_text(request, hermes, served))


def samples(
    shape: str, count: int, split: str = HELD_OUT, seed: int = 0, *, scale: float = 1.0, edges: bool = False
) -> Iterator[Sample]:
    """Draw `count` samples of a shape; the same arguments give the same samples."""
    source = Source(split, zlib.crc32(f"{shape}/{seed}".encode()), scale=scale, edges=edges)
    for _ in range(count):
        yield draw(shape, source)
