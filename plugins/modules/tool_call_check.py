#!/usr/bin/python
# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tool_call_check
short_description: Prove that tool calls arrive from an OpenAI-compatible endpoint
version_added: 0.1.0
description:
  - Puts questions with random values to a model that is being served, most of them in one piece and streamed, and
    judges the C(tool_calls) that come back as a client sees them. The name must be known, the arguments must be JSON,
    conform to the tool's schema and be exactly those asked for, C(finish_reason) must be right, nothing of the call may
    be left in the text, and the streamed answer must make the same calls as the plain one.
  - Also checked are C(tool_choice) in all its forms, whole turns with results, calls that C(max_tokens) cuts, calls at
    the same moment, the chat template, the limits of the context, and access without the key.
  - What a release of vLLM is expected to do goes by the version that it reports; a server that reports none may do what
    any known release does.
  - When a probe fails, the module fails, says what was seen, and names the cause and the fix where it knows them.
extends_documentation_fragment:
  - toolserve.gpunode.attributes
  - toolserve.gpunode.attributes.read_only
  - toolserve.gpunode.attributes.standard_library
  - toolserve.gpunode.attributes.action_group
  - toolserve.gpunode.endpoint
  - toolserve.gpunode.endpoint.model
options:
  profile:
    description:
      - A profile of this collection, as its lookup P(toolserve.gpunode.profile#lookup) returns it. Its keys
        C(capabilities), C(context) and C(tool_calls.parser) are looked at here.
      - With C(capabilities.parallel=false) the probes for two calls in one answer are skipped, with
        C(capabilities.nested_arguments=false) the one for structured arguments, with C(capabilities.streaming=false)
        nothing is asked for as a stream, and the probes for values that a list C(capabilities.tool_choice) lacks are
        skipped; without V(auto) that is every probe that leaves the choice to the model.
      - C(capabilities.flaky) holds, by probe, C(tries) and C(pass_rate) for what this model is known not to do each
        time.
      - C(context.maximum) and C(context.output) say how long a prompt clients may send.
      - Without a profile everything is expected to work.
    type: dict
  probes:
    description:
      - The probes to run, such as V(T3-read). A number without a name, such as V(T3), means all probes with that
        number.
      - By default all of them.
      - V(T0-endpoint) looks at health, version, models and metrics.
      - V(T1-chat) is plain chat without tools, V(T1-unknown-model) asks for a model that is not served.
      - V(T2-no-tool) offers tools to a question that needs none.
      - V(T3-read) and V(T3-bash) ask for one call with a path or a command copied exactly.
      - V(T4-parallel) asks for two calls in one answer, V(T4-one-at-a-time) does with C(parallel_tool_calls=false).
      - V(T5-named) and V(T5-enforced) name the tool to call, V(T6-required) and V(T6-enforced) require a call, and
        V(T7-none) forbids it; the enforced ones put a question that needs no call.
      - V(T8-result) and V(T8-two-results) hand over results of tools and expect an answer that uses them.
      - V(T9-enum) asks for two arguments, one of them out of a fixed choice, V(T9-text) for text that is not ASCII,
        V(T9-nested) for every type of JSON.
      - V(T10-no-arguments) asks for a tool without arguments.
      - V(T11-cut) lets C(max_tokens) cut a call.
      - V(T12-text-and-call) asks for text before a call.
      - V(T13-concurrent) asks for eight calls at once.
      - V(T14-many-tools) offers twenty tools.
      - V(T15-own-id) replays the server's own call with a result.
      - V(T16-template) compares the length of the prompt with tools and without.
      - V(T17-limits), V(T17-full) and V(T17-overflow) try the limits of the context.
      - V(T18-access) asks without the key.
      - V(T19-reasoning) sends what agents send to models that reason. That the server refuses it is a warning, and a
        failure only where the profile serves the model with a reasoning parser.
    type: list
    elements: str
    default: []
  skip:
    description:
      - Probes to leave out, named as in O(probes).
    type: list
    elements: str
    default: []
  tries:
    description:
      - How often a behavioural probe may be put, each time with other values. It ends as soon as its verdict is
        certain.
      - A broken contract is final at once. That is markup left in the text, arguments that are no JSON, a tool that
        does not exist, a stream that differs from the plain answer, and the like.
    type: int
    default: 2
  pass_rate:
    description:
      - The share of O(tries) that must be right for a behavioural probe to pass, more than 0 and at most 1.
      - With the defaults one of two must be right. A strict check is O(tries=10) with O(pass_rate=0.9).
    type: float
    default: 0.5
  concurrency:
    description:
      - How many probes are put at a time. More is faster and loads the server more.
      - V(T13-concurrent) has eight requests under way by itself.
    type: int
    default: 2
  timeout:
    default: 120.0
  max_tokens:
    description:
      - How many tokens each answer may have.
    type: int
    default: 512
  seed:
    description:
      - Determines the random values in the questions, to repeat a check exactly.
      - By default a new one each time; it is returned as RV(seed).
    type: int
notes:
  - Puts about 60 requests of some 50 tokens each, and one with a prompt as long as the context, though of no more than
    32768 tokens; O(skip=[T17-full]) spares that. On a busy server it takes its turn like every other client.
seealso:
  - module: toolserve.gpunode.wait_for_endpoint
  - module: toolserve.gpunode.endpoint_info
author:
  - toolserve.gpunode authors (@toolserve)
"""

EXAMPLES = r"""
---
- name: Prove that tool calls arrive from the endpoint of this node
  toolserve.gpunode.tool_call_check:
    api_key: "{{ vault_vllm_api_key }}"
  register: tool_calls

- name: Show the report
  ansible.builtin.debug:
    msg: "{{ tool_calls.summary.splitlines() }}"

- name: Check any OpenAI-compatible endpoint from here, without parallel calls
  toolserve.gpunode.tool_call_check:
    base_url: https://inference.example.com/v1
    model: qwen
    profile:
      capabilities:
        parallel: false
  delegate_to: localhost

- name: Be strict about what the model chooses, and look at calls only
  toolserve.gpunode.tool_call_check:
    tries: 10
    pass_rate: 0.9
    skip: [T0, T17, T18]

- name: Repeat one probe with the values of an earlier run
  toolserve.gpunode.tool_call_check:
    probes: [T3-read]
    seed: 1763697600
"""

RETURN = r"""
passed:
  description: Whether all probes passed that were not skipped, and at least one did.
  type: bool
  returned: always
  sample: true
probes:
  description: What came of each probe.
  type: list
  elements: dict
  returned: always
  contains:
    id:
      description: Identifies the probe.
      type: str
      returned: always
      sample: T3-read
    title:
      description: What it checks.
      type: str
      returned: always
    proves:
      description: What a pass proves.
      type: str
      returned: always
    whom:
      description: Who needs it.
      type: str
      returned: always
    kind:
      description:
        - V(contract) judges what the server guarantees, whatever the model is like; V(behavioural) also judges what the
          model chooses and copies.
      type: str
      returned: always
    verdict:
      description: One of V(pass), V(fail), V(warn), V(skip), V(inconclusive).
      type: str
      returned: always
    expected:
      description: The right answer, in words.
      type: str
      returned: always
    observed:
      description: What came, in words.
      type: str
      returned: always
    findings:
      description:
        - What is wrong with it, each with C(class), C(message), C(detail), C(mode) (V(plain), V(streamed), or empty
          for what is no chat) and C(severity) (V(fail) or V(warn)).
        - The classes are V(InvalidJson), V(UnknownName), V(SchemaMismatch), V(MarkupLeak), V(MissingToolCalls),
          V(StreamMismatch), V(WrongFinishReason), V(UnexpectedCalls), V(WrongArguments), V(WrongAnswer),
          V(AnswerCut), V(ChoiceIgnored), V(TruncatedCall), V(ConcurrencyFault), V(BadToolId), V(ToolsNotRendered),
          V(ContextMismatch), V(Unprotected), V(NotHealthy), V(ProtocolError) and V(RequestFailed).
      type: list
      elements: dict
      returned: always
    evidence:
      description:
        - For each request by name, mostly C(plain) and C(streamed), the request (tools by name), the response and how
          many seconds it took.
      type: dict
      returned: always
    tries:
      description: How often the question was put; the evidence is that of the last time.
      type: int
      returned: always
    right:
      description: How often the answer was right.
      type: int
      returned: always
causes:
  description: Why probes failed, as far as it can be told, the most certain cause first.
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
  description: The model that was asked; V(null) if there was none.
  type: str
  returned: always
  sample: qwen
seed:
  description: The seed of the random values.
  type: int
  returned: always
  sample: 1763697600
summary:
  description: A report for a terminal, at most 100 columns wide.
  type: str
  returned: always
summary_markdown:
  description: The same report as Markdown.
  type: str
  returned: always
"""

import secrets

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.toolserve.gpunode.plugins.module_utils.endpoint_error import EndpointError
from ansible_collections.toolserve.gpunode.plugins.module_utils.endpoint_options import client_for, model_options
from ansible_collections.toolserve.gpunode.plugins.module_utils.tool_call_result import results
from ansible_collections.toolserve.gpunode.plugins.module_utils.tool_call_run import Options, run


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **model_options(timeout=120.0),
            "profile": {"type": "dict"},
            "probes": {"type": "list", "elements": "str", "default": []},
            "skip": {"type": "list", "elements": "str", "default": []},
            "tries": {"type": "int", "default": 2},
            "pass_rate": {"type": "float", "default": 0.5, "no_log": False},  # nor that kind of pass
            "concurrency": {"type": "int", "default": 2},
            "max_tokens": {"type": "int", "default": 512, "no_log": False},  # not that kind of token
            "seed": {"type": "int"},
        },
        supports_check_mode=True,
    )
    params = module.params
    for name in ("tries", "pass_rate", "concurrency", "timeout", "max_tokens"):
        if params[name] <= 0:
            module.fail_json(msg=f"{name} is {params[name]} and must be more than 0.")
    if params["pass_rate"] > 1:
        module.fail_json(msg=f"pass_rate is {params['pass_rate']} and must be at most 1, which is every try.")
    options = Options(
        model=params["model"],
        probes=params["probes"],
        skip=params["skip"],
        tries=params["tries"],
        pass_rate=params["pass_rate"],
        concurrency=params["concurrency"],
        max_tokens=params["max_tokens"],
        seed=secrets.randbelow(2**31) if params["seed"] is None else params["seed"],
        profile=params["profile"] or {},
    )
    try:
        outcome = run(client_for(params, timeout=params["timeout"]), options)
    except EndpointError as error:  # the options cannot be used; what the endpoint does is in the outcome
        module.fail_json(msg=str(error))
    except ValueError as error:
        module.fail_json(msg=f"probes: {error}")
    returned = results(outcome)
    if not outcome.passed:
        module.fail_json(msg=returned["summary"], **returned)
    module.exit_json(changed=False, **returned)


if __name__ == "__main__":
    main()
