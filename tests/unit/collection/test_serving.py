# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""vLLM's command line as it follows from a profile, for each release."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.toolserve.gpunode.plugins.filter.vllm_command import FilterModule
from ansible_collections.toolserve.gpunode.plugins.module_utils import serving, vllm_options
from ansible_collections.toolserve.gpunode.plugins.module_utils.profile import merged
from ansible_collections.toolserve.gpunode.plugins.module_utils.release_expectations import parse_release
from ansible_collections.toolserve.gpunode.plugins.module_utils.serving import Command, UnusableCommandError

from tests.profiles import reading

OLD = "0.9.2"
REFERENCE = "qwen2.5-14b-instruct-awq"


def options(arguments: list[str]) -> dict[str, str | bool]:
    found: dict[str, str | bool] = {}
    for index, part in enumerate(arguments):
        if part.startswith("--"):
            following = arguments[index + 1] if index + 1 < len(arguments) else "--"
            found[part] = True if following.startswith("--") else following
    return found


def command(
    profile: dict[str, Any], extra: dict[str, Any] | None = None, release: str = "0.32.0", **more: Any
) -> Command:
    return serving.command(profile, release, extra, **more)


def rendered(name: str, extra: dict[str, Any] | None = None, **more: Any) -> dict[str, str | bool]:
    return options(command(reading.read(name), extra, **more).arguments)


def refusal(name: str, extra: dict[str, Any] | None = None, **more: Any) -> str:
    with pytest.raises(UnusableCommandError) as caught:
        command(reading.read(name), extra, **more)
    return str(caught.value)


EXAMPLES = "/vllm-workspace/examples/tool_chat_template"
OURS = {
    "--host": "0.0.0.0",
    "--port": "8000",
    "--enable-auto-tool-choice": True,
    "--enable-force-include-usage": True,
}
QWEN = {
    "--model": "Qwen/Qwen2.5-14B-Instruct-AWQ",
    "--served-model-name": "qwen2.5-14b-instruct-awq",
    "--max-model-len": "32768",
    "--tool-call-parser": "qwen_tools",
    "--tool-parser-plugin": "/opt/gpunode/tool_parsers/qwen_tools.py",
    "--chat-template": "/opt/gpunode/chat_templates/qwen_tools.jinja",
    "--gpu-memory-utilization": "0.92",
}


class TestCommand:
    @pytest.mark.parametrize("release", [OLD, "0.32.0"])
    def test_the_model_of_the_reference_node(self, release):
        found = command(reading.read(REFERENCE), release=release)
        assert found.entrypoint == ["python3", "-m", "vllm.entrypoints.openai.api_server"]
        assert options(found.arguments) == OURS | QWEN
        assert found.warnings == []

    @pytest.mark.parametrize("name", reading.names())
    @pytest.mark.parametrize("release", ["0.10.2", "0.32.0", "0.33.0", "0.34.0"])
    def test_every_profile_is_rendered_the_same_each_time(self, name, release):
        profile = reading.read(name)
        if parse_release(release) < parse_release(profile["vllm"]["minimum_release"]):
            assert "needs vLLM" in refusal(name, release=release)
        else:
            assert command(profile, release=release) == command(profile, release=release)

    @pytest.mark.parametrize(
        "name", [name for name in reading.names() if "quantization" in reading.read(name)["model"]]
    )
    def test_a_quantised_checkpoint_gets_no_quantization_option(self, name):
        assert "--quantization" not in rendered(name)

    def test_a_local_model_is_served_from_its_mount(self):
        assert rendered("pocket", local_model=True)["--model"] == "/models/pocket"

    def test_a_pinned_revision_reaches_the_command_line_but_for_a_local_model(self):
        pinned = merged(reading.read(REFERENCE), {"model": {"revision": "0123abc"}})
        assert options(command(pinned).arguments)["--revision"] == "0123abc"
        assert "--revision" not in command(pinned, local_model=True).arguments

    def test_gpt_oss(self):
        found = rendered("gpt-oss-20b")
        assert found["--tool-call-parser"] == "openai" and found["--reasoning-parser"] == "openai_gptoss"
        assert "--chat-template" not in found and "--tool-parser-plugin" not in found
        assert "gpt-oss-20b needs vLLM 0.10.2 or newer" in refusal("gpt-oss-20b", release="0.10.1")

    def test_mistral_is_read_in_the_format_of_transformers_where_vllm_would_choose_its_own(self):
        hf = {"--tokenizer-mode": "hf", "--config-format": "hf", "--load-format": "hf"}
        new, old = rendered("mistral-7b-instruct-v0.3"), rendered("mistral-7b-instruct-v0.3", release=OLD)
        assert new.items() >= hf.items() and not old.keys() & hf.keys()
        assert new["--chat-template"] == f"{EXAMPLES}_mistral_parallel.jinja" == old["--chat-template"]

    def test_a_template_at_a_path_of_the_container_stays_there(self):
        own = merged(reading.read("pocket"), {"tool_calls": {"chat_template": "/models/pocket/mine.jinja"}})
        assert options(command(own).arguments)["--chat-template"] == "/models/pocket/mine.jinja"

    def test_entries_for_releases_are_laid_over_the_rest_where_they_apply(self):
        later = {"since": "0.11.0", "why": "x", "arguments": {"max_num_seqs": 4}, "environment": {"A": "1"}}
        earlier = {"before": "0.32.0", "why": "x", "arguments": {"max-num-seqs": 2, "dtype": None}}
        profile = merged(reading.read("pocket"), {"vllm": {"by_release": [later, earlier], "minimum_release": "0.9.2"}})
        profile["vllm"]["arguments"].pop("exclude-tools-when-tool-choice-none")
        assert options(command(profile).arguments)["--max-num-seqs"] == "4"
        assert command(profile).environment == {"VLLM_CPU_KVCACHE_SPACE": "1", "A": "1"}
        old = options(command(profile, release=OLD).arguments)
        assert old["--max-num-seqs"] == "2" and "--dtype" not in old
        assert command(profile, release=OLD).environment == {"VLLM_CPU_KVCACHE_SPACE": "1"}

    def test_a_release_that_is_known_to_be_bad_is_refused(self):
        bad = {"since": "0.32.0", "before": "0.32.1", "why": "it writes nonsense", "source": "issue 1"}
        profile = merged(reading.read("pocket"), {"vllm": {"known_bad": [bad]}})
        with pytest.raises(UnusableCommandError, match=r"it writes nonsense \(issue 1\)\. Set it to 0\.32\.1 or newer"):
            command(profile)
        assert command(profile, release="0.33.0")

    @pytest.mark.parametrize("release", ["latest", "0.8.5", ""])
    def test_what_is_no_release_is_refused(self, release):
        assert "no release number" in refusal("pocket", release=release)


class TestOptionsOfTheUser:
    def test_one_wins_over_the_profile_and_null_takes_one_away(self):
        found = rendered(
            "pocket", {"--max_num_seqs": 2, "enforce-eager": None, "seed": 7, "enable-force-include-usage": None}
        )
        assert found["--max-num-seqs"] == "2" and found["--seed"] == "7"
        assert not found.keys() & {"--enforce-eager", "--enable-force-include-usage"}

    @pytest.mark.parametrize("release", ["0.32.0", "0.33.0"])
    def test_false_switches_off_what_vllm_has_on_by_default(self, release):
        assert "--no-enable-prefix-caching" in rendered("pocket", {"enable-prefix-caching": False}, release=release)

    def test_structured_values_become_json(self):
        found = rendered("pocket", {"override-generation-config": {"temperature": 0.5}})
        assert found["--override-generation-config"] == '{"temperature": 0.5}'

    def test_an_option_that_was_renamed_is_rendered_as_the_release_knows_it(self):
        for name in ("cuda-graph-sizes", "cudagraph-capture-sizes"):
            assert rendered(REFERENCE, {name: 8}, release=OLD)["--cuda-graph-sizes"] == "8"
            assert rendered(REFERENCE, {name: 8})["--cudagraph-capture-sizes"] == "8"

    @pytest.mark.parametrize("name", ["api_key", "hf-token"])
    def test_a_secret_may_not_stand_on_the_command_line(self, name):
        assert "shows secrets" in refusal("pocket", {name: "s3cret"})

    @pytest.mark.parametrize("name", ["tool-call-parser", "chat-template", "served-model-name", "host"])
    def test_one_may_not_undo_what_the_checks_rely_on(self, name):
        assert "gpunode_profile_overrides" in refusal("pocket", {name: "x"})

    @pytest.mark.parametrize("name", ["--max_model_len", "max-model-len"])
    def test_the_context_has_a_setting_of_its_own(self, name):
        assert "vllm_max_model_len" in refusal("pocket", {name: 4096})

    def test_a_setting_of_the_role_wins_over_the_profile_and_the_user_over_both(self):
        settings = {"gpu-memory-utilization": 0.5, "max-num-seqs": "", "max-num-batched-tokens": None}
        assert rendered(REFERENCE, settings=settings)["--gpu-memory-utilization"] == "0.5"
        assert "--max-num-seqs" not in rendered(REFERENCE, settings=settings)
        both = command(reading.read(REFERENCE), {"gpu_memory_utilization": 0.6}, settings=settings)
        assert options(both.arguments)["--gpu-memory-utilization"] == "0.6"
        (warning,) = both.warnings
        assert "vllm_gpu_memory_utilization is 0.5" in warning and "to 0.6, which wins" in warning
        assert command(reading.read(REFERENCE), {"gpu_memory_utilization": 0.5}, settings=settings).warnings == []

    def test_arguments_of_a_profile_may_not_contradict_its_other_fields(self):
        twofold = merged(reading.read("pocket"), {"vllm": {"arguments": {"max_model_len": 999}}})
        with pytest.raises(UnusableCommandError, match=r"The profile's vllm\.arguments sets max-model-len"):
            command(twofold)

    @pytest.mark.parametrize(
        ("given", "release", "told"),
        [
            ({"max-model-length": 1}, "0.32.0", "did you mean max-model-len?"),
            ({"swap-space": 4}, "0.32.0", "(known up to 0.17.1); there is no swapping any more"),
            ({"tool-strict-level": "auto"}, "0.20.2", "(known since 0.32.0)"),
            ({"enable-force-include-usage": False}, OLD, "set it to null to leave it out"),
            ({"xyzzy": 1}, "0.32.0", "see vllm serve --help"),
        ],
    )
    def test_one_that_the_release_does_not_know_is_refused(self, given, release, told):
        said = refusal(REFERENCE, given, release=release)
        assert f"vLLM {release} has no option" in said and told in said

    def test_a_newer_release_than_those_that_were_read_may_know_more(self):
        assert rendered("pocket", {"xyzzy": 1}, release="0.34.0")["--xyzzy"] == "1"

    def test_all_problems_are_told_at_once(self):
        said = refusal("pocket", {"api-key": "x", "port": 1, "xyzzy": 1}, release=OLD)
        assert all(part in said for part in ("needs vLLM 0.32.0", "shows secrets", "sets port", "no option --xyzzy"))


class TestQuantization:
    def test_awq_forces_the_slow_kernel_up_to_0_20_2(self):
        for release in (OLD, "0.20.2"):
            assert "23 instead of 123" in refusal(REFERENCE, {"quantization": "awq"}, release=release)
        assert "gptq_marlin" in refusal(REFERENCE, {"quantization": "gptq"}, release=OLD)

    def test_later_it_is_only_needless(self):
        found = command(reading.read(REFERENCE), {"quantization": "awq"})
        assert "quantised already (awq)" in found.warnings[0]

    def test_the_reference_node_may_keep_its_awq_marlin(self):
        found = command(reading.read(REFERENCE), {"quantization": "awq_marlin"}, release=OLD)
        assert options(found.arguments)["--quantization"] == "awq_marlin" and not found.warnings

    def test_quantizing_a_plain_checkpoint_is_no_matter_of_warning(self):
        assert not command(reading.read("qwen2.5-7b-instruct"), {"quantization": "fp8"}).warnings


class TestWarnings:
    def test_code_of_the_repository_is_warned_of(self):
        (warning,) = command(reading.read("internlm2.5-7b-chat")).warnings
        assert "trust-remote-code" in warning and "Pin model.revision" in warning
        pinned = merged(reading.read("internlm2.5-7b-chat"), {"model": {"revision": "abc"}})
        assert "Read it first" in command(pinned).warnings[0]
        assert "trust-remote-code" in command(reading.read(REFERENCE), {"trust_remote_code": True}).warnings[0]

    @pytest.mark.parametrize(("release", "warned"), [("0.11.2", False), ("0.20.2", True), ("0.32.0", False)])
    def test_a_missing_chat_template_is_warned_of_where_it_is_dangerous(self, release, warned):
        assert (
            any("CVE-2026-115911" in text for text in command(reading.read("jamba-1.5-mini"), release=release).warnings)
            == warned
        )

    @pytest.mark.parametrize(
        ("name", "release", "told"),
        [
            ("hermes-3-llama-3.1-8b", "0.17.1", "Set vllm_release to 0.19.1 or newer"),
            ("hermes-3-llama-3.1-8b", "0.32.0", None),
            ("jamba-1.5-mini", "0.33.0", "No release does yet"),
            ("gpt-oss-20b", "0.32.0", None),
            (REFERENCE, OLD, None),
        ],
    )
    def test_a_parser_that_loses_parts_of_streamed_calls_is_told_of(self, name, release, told):
        found = [text for text in command(reading.read(name), release=release).warnings if "streamed" in text]
        assert [told in text for text in found] == ([] if told is None else [True])


class TestTable:
    def test_releases_between_two_that_were_read_may_have_what_either_has(self):
        assert vllm_options.known("swap-space", (0, 17, 1)) and vllm_options.known("swap-space", (0, 18, 0))
        assert not vllm_options.known("swap-space", (0, 19, 1))
        assert vllm_options.known("tool-strict-level", (0, 31, 0)) and not vllm_options.known(
            "tool-strict-level", (0, 30, 0)
        )

    def test_the_negation_of_0_33_is_known_by_both_its_names(self):
        newest = parse_release("0.33.0")
        assert vllm_options.known("disable-prefix-caching", newest) and vllm_options.known(
            "no-enable-prefix-caching", newest
        )


class TestFilters:
    filters = FilterModule().filters()

    def test_it_gives_what_compose_needs(self):
        found = self.filters["vllm_command"](reading.read("pocket"), "0.32.0", local_model=True)
        assert set(found) == {"entrypoint", "arguments", "environment", "warnings"}
        assert found["arguments"][:2] == ["--model", "/models/pocket"]

    def test_errors_are_reported_as_ansible_does(self):
        with pytest.raises(AnsibleFilterError, match="port"):
            self.filters["vllm_command"](reading.read("pocket"), "0.32.0", {"port": 1})

    def test_problems_are_told_without_failing(self):
        problems = self.filters["vllm_command_problems"]
        assert problems(reading.read("pocket"), "0.32.0") == {"stops": [], "notes": []}
        told = problems(reading.read("pocket"), "0.32.0", {"port": 1, "api-key": "x"})
        assert len(told["stops"]) == 2 and not told["notes"]
        assert problems(reading.read("internlm2.5-7b-chat"), "0.32.0")["notes"]
