# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole agent in one loop: VLLM_API_KEY=… python tool_loop.py http://127.0.0.1:8000/v1 "Read the file notes.txt."

Needs the package openai.
"""

import json
import os
import sys
from pathlib import Path

from openai import OpenAI

OUTPUT = 4096  # limit.output: prompt and answer together have to fit the server's max_model_len
READ = {
    "type": "function",
    "function": {
        "name": "read",
        "description": "Read a file",
        "parameters": {"type": "object", "properties": {"filePath": {"type": "string"}}, "required": ["filePath"]},
    },
}


def main(base_url: str, question: str) -> None:
    client = OpenAI(base_url=base_url, api_key=os.environ.get("VLLM_API_KEY", "none"))
    served = client.models.list().data[0]
    output = min(OUTPUT, (getattr(served, "max_model_len", None) or 4 * OUTPUT) // 4)
    messages = [{"role": "user", "content": question}]
    while True:
        choice = client.chat.completions.create(
            model=served.id, messages=messages, tools=[READ], max_tokens=output, stream=False
        ).choices[0]
        if choice.finish_reason == "length":
            raise SystemExit(f"The answer was cut after {output} tokens; a cut call must not be run.")
        calls = choice.message.tool_calls
        if not calls:
            print(choice.message.content)
            return
        said = {"role": "assistant", "content": choice.message.content or ""}
        messages.append({**said, "tool_calls": [call.model_dump() for call in calls]})
        for call in calls:
            path = json.loads(call.function.arguments)["filePath"]
            messages.append({"role": "tool", "tool_call_id": call.id, "content": Path(path).read_text()})


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
