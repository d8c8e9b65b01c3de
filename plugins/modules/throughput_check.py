#!/usr/bin/python
# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: throughput_check
short_description: Measure how fast an OpenAI-compatible endpoint generates, and whether that is fast enough
version_added: 0.1.0
description:
  - Lets a model generate text, first for one request at a time, then for several at once, and compares the speed of
    decoding with the most that the memory's bandwidth allows for this model at this context (the roofline).
  - Decoding speed is C((completion tokens - 1) / (arrival of the last token - arrival of the first)), with the tokens
    that the server counts. That is what vLLM's own benchmark calls 1 / TPOT.
  - Every prompt begins with random characters, so that no cache knows it. Before and after, the server's own figures
    at C(/metrics) say whether others used it at the same time; then the verdict is V(inconclusive).
  - The module fails when the verdict is V(fail). That is also the case when the endpoint does not answer.
extends_documentation_fragment:
  - toolserve.gpunode.attributes
  - toolserve.gpunode.attributes.read_only
  - toolserve.gpunode.attributes.standard_library
  - toolserve.gpunode.attributes.action_group
  - toolserve.gpunode.endpoint
  - toolserve.gpunode.endpoint.model
options:
  prompt_tokens:
    description:
      - About how long each prompt is, in tokens. It becomes shorter where the model's context has no room for it.
    type: int
    default: 512
  output_tokens:
    description:
      - How many tokens each request generates. The fewer, the less exact is the result.
    type: int
    default: 256
  runs:
    description:
      - How many requests are measured one after the other. Their median counts.
    type: int
    default: 3
  concurrency:
    description:
      - How many requests to make at once, after the single ones, one measurement for each number.
      - With an empty list there are only the single ones.
    type: list
    elements: int
    default: [1, 4, 8]
  timeout:
    default: 300.0
  idle_timeout:
    description:
      - How long to wait for a moment in which the server serves nobody else, in seconds.
    type: float
    default: 10.0
  memory_bandwidth:
    description:
      - Bandwidth of the memory that holds the weights, in bytes per second. For a GPU the peak that its maker states,
        for several GPUs that share each token's work their sum, for a CPU what was measured.
      - Without it there is no roofline.
    type: float
  memory_bandwidth_source:
    description:
      - Where O(memory_bandwidth) was learnt, for the report.
    type: str
    default: option memory_bandwidth
  sample_gpus:
    description:
      - Look at the NVIDIA GPUs of the machine on which the module runs, several times a second while single requests
        are measured, and return RV(gpus_under_load). Use it where the server works on them.
      - Heat, power and clocks are those of the load; what M(toolserve.gpunode.gpu_info) sees of an idle GPU tells
        nothing about them. Run it as root (C(become)) to see the processes of other users.
    type: bool
    default: false
  bytes_per_token:
    description:
      - Bytes of weights that are read for one token of one request.
      - By default taken from the files in O(model_path), else from O(profile).
    type: float
  kv_bytes_per_token:
    description:
      - Bytes that the KV cache takes for each token of context.
      - By default taken from C(config.json) in O(model_path), else from O(profile).
    type: float
  model_path:
    description:
      - Folder of the model on the target, with C(config.json) and safetensors files, or its folder in the cache of a
        model hub (C(models--…)). Only the headers of the files are read.
      - A file that is missing or cut off is an error. Where there are no such files at all, the bytes are computed from
        C(config.json).
    type: path
  profile:
    description:
      - A profile of this collection. Looked at are its keys C(bytes), C(architecture), C(vllm.arguments) and
        C(throughput).
    type: dict
  fail_below:
    description:
      - The verdict is V(fail) with less than this part of the roofline, from 0 to 1.
    type: float
    default: 0.35
  warn_below:
    description:
      - The verdict is V(warn) with less than this part of the roofline, from 0 to 1.
    type: float
    default: 0.55
  minimum_tokens_per_second:
    description:
      - The verdict is V(fail) when one request alone decodes slower than this.
      - It is all that counts where there is no roofline, or where the model is too small for one (O(step_overhead)).
      - By default C(throughput.minimum_tokens_per_second) of the O(profile), if it has one.
    type: float
  step_overhead:
    description:
      - Time in seconds that a healthy server may spend on a token beside reading memory, such as scheduling, launching
        kernels, sampling and sending text.
      - Where that alone would bring a healthy server below O(warn_below), the model is too small for its memory to set
        the pace, and the roofline is shown but does not count.
    type: float
    default: 0.0025
notes:
  - Keeps the server busy for about as long as RV(decode_tokens_per_second) needs for O(output_tokens) times O(runs)
    tokens, and again for each entry of O(concurrency).
  - Measure near the server. The network's delay is part of RV(ttft_seconds), not of the decoding speed.
  - C(/v1/completions) is used, with C(ignore_eos) and C(min_tokens) as vLLM knows them.
seealso:
  - module: toolserve.gpunode.tool_call_check
  - module: toolserve.gpunode.endpoint_info
author:
  - toolserve.gpunode authors (@toolserve)
"""

EXAMPLES = r"""
---
- name: Compare the speed with what the memory of the GPU allows
  toolserve.gpunode.throughput_check:
    api_key: "{{ vault_vllm_api_key }}"
    profile: "{{ lookup('toolserve.gpunode.profile', 'qwen2.5-14b-instruct-awq') }}"
    memory_bandwidth: 280.0e+9
    memory_bandwidth_source: data sheet of the RTX 4000 SFF Ada
  register: throughput

- name: Show the report
  ansible.builtin.debug:
    msg: "{{ throughput.summary.splitlines() }}"

- name: Insist on a speed, whatever the hardware
  toolserve.gpunode.throughput_check:
    base_url: https://inference.example.com/v1
    minimum_tokens_per_second: 20
    concurrency: []
  delegate_to: localhost

- name: Compute the bytes from the files on the node
  toolserve.gpunode.throughput_check:
    model_path: /var/lib/models/models--Qwen--Qwen2.5-14B-Instruct-AWQ
    memory_bandwidth: 280.0e+9
"""

RETURN = r"""
verdict:
  description:
    - One of V(pass), V(warn), V(fail), V(inconclusive).
    - V(inconclusive) means that others used the server, that something on the way distorts the measurement, that the
      speed is higher than the roofline (an input is wrong), or that there is nothing to judge by. RV(causes) says
      which.
  type: str
  returned: always
  sample: pass
basis:
  description: What the verdict rests on, in words.
  type: str
  returned: always
  sample: 78% of what the memory allows (warn below 55%, fail below 35%).
decode_tokens_per_second:
  description: Tokens per second of one request after its first token, median of the runs; V(null) if not measured.
  type: float
  returned: always
  sample: 24.8
ttft_seconds:
  description: Seconds from sending a request to its first token, median of the runs; V(null) if not measured.
  type: float
  returned: always
  sample: 0.21
itl_seconds:
  description: Mean seconds from token to token of one request, median of the runs; V(null) if not measured.
  type: float
  returned: always
  sample: 0.0403
roofline_tokens_per_second:
  description: The most that the memory allows at the measured context; V(null) if it cannot be computed.
  type: float
  returned: always
  sample: 31.8
efficiency:
  description: RV(decode_tokens_per_second) as a part of RV(roofline_tokens_per_second); V(null) without a roofline.
  type: float
  returned: always
  sample: 0.78
roofline:
  description: What the roofline was computed from; V(null) if it cannot be computed.
  type: dict
  returned: always
  contains:
    memory_bandwidth:
      description: Bytes per second.
      type: float
      returned: always
    memory_bandwidth_source:
      description: Where that was learnt.
      type: str
      returned: always
    weight_bytes:
      description: Bytes of weights read for one token.
      type: float
      returned: always
    weight_source:
      description: Where that was learnt.
      type: str
      returned: always
    kv_bytes:
      description: Bytes of KV cache read for one token at the measured context.
      type: float
      returned: always
    kv_source:
      description: Where that was learnt.
      type: str
      returned: always
    context_tokens:
      description: The context of a decoding step, mean over the steps, median of the runs.
      type: float
      returned: always
runs:
  description:
    - Each single request with C(prompt_tokens), C(completion_tokens), C(ttft_seconds), C(decode_tokens_per_second),
      C(itl_seconds) and C(longest_gap_seconds).
  type: list
  elements: dict
  returned: always
concurrency:
  description: Several requests at once.
  type: list
  elements: dict
  returned: always
  contains:
    concurrency:
      description: How many.
      type: int
      returned: always
    aggregate_tokens_per_second:
      description: Tokens of all requests by the time from the first request to the last answer; V(null) if one failed.
      type: float
      returned: always
    decode_tokens_per_second:
      description: Of one request among the others, median.
      type: float
      returned: always
    ttft_seconds:
      description: Median.
      type: float
      returned: always
    preemptions:
      description: How often a request lost its place in the KV cache; V(null) if the server does not tell.
      type: int
      returned: always
    peak_kv_cache_usage:
      description: The fullest that the KV cache was seen, from 0 to 1; V(null) if the server does not tell.
      type: float
      returned: always
    alone:
      description: Whether nobody else was served meanwhile; V(null) if that is not known.
      type: bool
      returned: always
    error:
      description: What went wrong with a request; V(null) if nothing did.
      type: dict
      returned: always
gpus_under_load:
  description:
    - The GPUs while single requests were measured, each with how often it was looked at and what was seen.
    - Empty without O(sample_gpus), without a GPU, and where the requests took less time than a look.
    - A value that no look has told is V(null). Clocks, power, temperature and utilization are dictionaries with
      C(minimum), C(median) and C(maximum), in the units of M(toolserve.gpunode.gpu_info).
  type: list
  elements: dict
  returned: always
  contains:
    index:
      description: The number by which NVML and C(nvidia-smi) know it.
      type: int
      returned: always
    uuid:
      description: The name that stays the same when the order changes.
      type: str
      returned: always
    name:
      description: The product.
      type: str
      returned: always
    pci_address:
      description: Its place on the PCI bus.
      type: str
      returned: always
    samples:
      description: How often it was looked at.
      type: int
      returned: always
    throttle_reasons:
      description: In how many of the looks each reason kept the clocks down, by the names of C(nvidia-smi).
      type: dict
      returned: always
    clock_memory_mhz:
      description: The memory clock.
      type: dict
      returned: always
    clock_sm_mhz:
      description: The clock of the streaming multiprocessors.
      type: dict
      returned: always
    power_draw_watts:
      description: The power that it drew.
      type: dict
      returned: always
    power_limit_watts:
      description: The power limit in force.
      type: dict
      returned: always
    temperature_celsius:
      description: The temperature of the chip.
      type: dict
      returned: always
    utilization_percent:
      description: How much of the time something ran on it.
      type: dict
      returned: always
    processes:
      description:
        - Every program that used it at any of the looks, with C(pid), C(name) and the most C(memory_bytes) that it
          held.
      type: list
      elements: dict
      returned: always
  sample:
    - index: 0
      uuid: GPU-6c2a1f0e-8d3b-4b57-9c55-0f6f2f3f7a11
      name: NVIDIA RTX 4000 SFF Ada Generation
      pci_address: "0000:01:00.0"
      samples: 42
      throttle_reasons: {sw_power_cap: 40}
      clock_memory_mhz: {minimum: 7001, median: 7001, maximum: 7001}
      power_draw_watts: {minimum: 61.2, median: 69.4, maximum: 70.1}
checks:
  description: What was done to make sure that the measurement is one.
  type: list
  elements: dict
  returned: always
  contains:
    name:
      description:
        - V(idle) (nobody was served before), V(counters) (the server counts the same tokens as this client, so nobody
          was served meanwhile), V(prefix_cache), V(usage) (the server counts the tokens), V(length) (as many as asked)
          and V(stream) (nothing on the way holds it back).
      type: str
      returned: always
    verdict:
      description: One of V(pass), V(fail), V(skip) (not possible with this server).
      type: str
      returned: always
    observed:
      description: What was seen.
      type: str
      returned: always
idle:
  description: Whether nobody else used the server during the single runs; V(null) if that is not known.
  type: bool
  returned: always
thresholds:
  description:
    - The values of O(fail_below), O(warn_below), O(minimum_tokens_per_second) and O(step_overhead) that applied.
  type: dict
  returned: always
causes:
  description: Why the verdict is not V(pass), as far as it can be told, the most certain cause first.
  type: list
  elements: dict
  returned: always
  contains:
    symptom:
      description: What was seen.
      type: str
      returned: always
    cause:
      description: What it means.
      type: str
      returned: always
    fix:
      description: What to do.
      type: str
      returned: always
    confidence:
      description: One of V(certain), V(likely), V(possible).
      type: str
      returned: always
server:
  description: What M(toolserve.gpunode.endpoint_info) returns about the endpoint.
  type: dict
  returned: always
model:
  description: The model that was measured; V(null) if there was none.
  type: str
  returned: always
  sample: qwen
summary:
  description: A report for a terminal, at most 100 columns wide.
  type: str
  returned: always
summary_markdown:
  description: The same report as Markdown.
  type: str
  returned: always
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.toolserve.gpunode.plugins.module_utils import throughput_report as report
from ansible_collections.toolserve.gpunode.plugins.module_utils.endpoint_error import EndpointError
from ansible_collections.toolserve.gpunode.plugins.module_utils.endpoint_options import client_for, model_options
from ansible_collections.toolserve.gpunode.plugins.module_utils.gpu_samples import GpuSamples
from ansible_collections.toolserve.gpunode.plugins.module_utils.roofline import STEP_OVERHEAD
from ansible_collections.toolserve.gpunode.plugins.module_utils.sizing import SizingError
from ansible_collections.toolserve.gpunode.plugins.module_utils.throughput_judge import Bandwidth, Limits, judge
from ansible_collections.toolserve.gpunode.plugins.module_utils.throughput_result import results
from ansible_collections.toolserve.gpunode.plugins.module_utils.throughput_run import Options, run
from ansible_collections.toolserve.gpunode.plugins.module_utils.token_cost import token_cost


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **model_options(timeout=300.0),
            "prompt_tokens": {"type": "int", "default": 512, "no_log": False},  # not that kind of token
            "output_tokens": {"type": "int", "default": 256, "no_log": False},
            "runs": {"type": "int", "default": 3},
            "concurrency": {"type": "list", "elements": "int", "default": [1, 4, 8]},
            "idle_timeout": {"type": "float", "default": 10.0},
            "memory_bandwidth": {"type": "float"},
            "memory_bandwidth_source": {"type": "str", "default": "option memory_bandwidth"},
            "sample_gpus": {"type": "bool", "default": False},
            "bytes_per_token": {"type": "float", "no_log": False},
            "kv_bytes_per_token": {"type": "float", "no_log": False},
            "model_path": {"type": "path"},
            "profile": {"type": "dict"},
            "fail_below": {"type": "float", "default": 0.35},
            "warn_below": {"type": "float", "default": 0.55},
            "minimum_tokens_per_second": {"type": "float", "no_log": False},
            "step_overhead": {"type": "float", "default": STEP_OVERHEAD},
        },
        supports_check_mode=True,
    )
    params = module.params
    if problem := _problem(params):
        module.fail_json(msg=problem)
    profile = params["profile"] or {}
    floor = params["minimum_tokens_per_second"]
    limits = Limits(
        fail_below=params["fail_below"],
        warn_below=params["warn_below"],
        minimum_tokens_per_second=(profile.get("throughput") or {}).get("minimum_tokens_per_second")
        if floor is None
        else floor,
        step_overhead=params["step_overhead"],
    )
    bandwidth = params["memory_bandwidth"] and Bandwidth(params["memory_bandwidth"], params["memory_bandwidth_source"])
    options = Options(
        model=params["model"],
        prompt_tokens=params["prompt_tokens"],
        output_tokens=params["output_tokens"],
        runs=params["runs"],
        concurrency=tuple(params["concurrency"]),
        idle_timeout=params["idle_timeout"],
    )
    try:
        cost = token_cost(
            bytes_per_token=params["bytes_per_token"],
            kv_bytes_per_token=params["kv_bytes_per_token"],
            model_path=params["model_path"],
            profile=profile,
        )
        gpus = GpuSamples() if params["sample_gpus"] else None
        outcome = run(client_for(params, timeout=params["timeout"]), options, gpus)
    except SizingError as error:
        module.fail_json(msg=f"The bytes that a token costs cannot be computed: {error}.")
    except EndpointError as error:  # the options cannot be used; what the endpoint does is in the outcome
        module.fail_json(msg=str(error))
    judgement = judge(outcome, cost, bandwidth, limits)
    told = report.build(outcome, judgement)
    returned = results(outcome, judgement, cost, bandwidth, limits)
    returned |= {"summary": report.as_text(told), "summary_markdown": report.as_markdown(told)}
    if judgement.verdict == "fail":
        module.fail_json(msg=returned["summary"], **returned)
    module.exit_json(changed=False, **returned)


def _problem(params: dict[str, Any]) -> str | None:
    """What is wrong with the values of the options, before anything is asked."""
    for name in ("prompt_tokens", "runs", "timeout"):
        if params[name] <= 0:
            return f"{name} is {params[name]} and must be more than 0."
    if params["output_tokens"] < 16:
        return f"output_tokens is {params['output_tokens']}: fewer than 16 tokens are no measurement."
    if any(not 1 <= requests <= 256 for requests in params["concurrency"]):
        return f"concurrency is {params['concurrency']}: each must be from 1 to 256."
    if not 0 <= params["fail_below"] <= params["warn_below"] <= 1:
        return (
            f"fail_below is {params['fail_below']} and warn_below {params['warn_below']}: they must be from 0 to 1, "
            "fail_below not above warn_below."
        )
    for name in ("memory_bandwidth", "bytes_per_token", "kv_bytes_per_token", "minimum_tokens_per_second"):
        if params[name] is not None and params[name] <= 0:
            return f"{name} is {params[name]} and must be more than 0."
    for name in ("step_overhead", "idle_timeout"):
        if params[name] < 0:
            return f"{name} is {params[name]} and must not be negative."
    return None


if __name__ == "__main__":
    main()
