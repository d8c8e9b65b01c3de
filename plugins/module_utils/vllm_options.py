# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which command line options each release of vLLM knows, read from the argument parsers of those releases.

Written by `python -m tests.contract --write-options`, and held against the releases by the contract tests.
"""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.toolserve.gpunode.plugins.module_utils.release_expectations import Release, parse_release

# The releases that were read, oldest first.
READ = (
    "0.9.2",
    "0.10.1.1",
    "0.10.2",
    "0.11.2",
    "0.13.0",
    "0.14.1",
    "0.15.1",
    "0.17.1",
    "0.19.1",
    "0.20.2",
    "0.22.1",
    "0.23.0",
    "0.24.0",
    "0.28.0",
    "0.29.0",
    "0.30.0",
    "0.32.0",
    "0.33.0",
)

# First and last of these with the options, "" for the newest; "no-x" is the negation of x, where it has one.
_OPTIONS: dict[tuple[str, str], str] = {
    ("0.9.2", ""): """
additional-config allow-credentials allowed-headers allowed-local-media-path allowed-methods allowed-origins
api-key block-size chat-template chat-template-content-format code-revision collect-detailed-traces
compilation-config config-format cpu-offload-gb data-parallel-address data-parallel-backend data-parallel-rank
data-parallel-rpc-port data-parallel-size data-parallel-size-local disable-cascade-attn disable-chunked-mm-input
disable-custom-all-reduce disable-fastapi-docs disable-hybrid-kv-cache-manager disable-log-stats
disable-sliding-window disable-uvicorn-access-log distributed-executor-backend download-dir dtype
enable-auto-tool-choice enable-chunked-prefill enable-eplb enable-expert-parallel enable-force-include-usage
enable-lora enable-prefix-caching enable-prompt-embeds enable-prompt-tokens-details enable-request-id-headers
enable-server-load-tracking enable-sleep-mode enable-ssl-refresh enforce-eager fully-sharded-loras
generation-config gpu-memory-utilization help hf-config-path hf-overrides hf-token host ignore-patterns
kv-cache-dtype kv-events-config kv-transfer-config limit-mm-per-prompt load-format log-config-file
long-prefill-token-threshold lora-dtype lora-modules max-cpu-loras max-log-len max-logprobs max-lora-rank
max-loras max-model-len max-num-batched-tokens max-num-seqs max-parallel-loading-workers media-io-kwargs
middleware mm-processor-kwargs model model-impl model-loader-extra-config no-disable-cascade-attn
no-disable-chunked-mm-input no-disable-custom-all-reduce no-disable-hybrid-kv-cache-manager
no-disable-sliding-window no-enable-chunked-prefill no-enable-eplb no-enable-expert-parallel no-enable-lora
no-enable-prefix-caching no-enable-prompt-embeds no-enable-sleep-mode no-enforce-eager no-fully-sharded-loras
no-ray-workers-use-nsight no-skip-tokenizer-init no-trust-remote-code no-use-tqdm-on-load
num-gpu-blocks-override otlp-traces-endpoint override-generation-config pipeline-parallel-size port
prefix-caching-hash-algo pt-load-map-location quantization ray-workers-use-nsight reasoning-parser response-role
return-tokens-as-token-ids revision root-path scheduler-cls scheduling-policy seed served-model-name
show-hidden-metrics-for-version skip-tokenizer-init speculative-config ssl-ca-certs ssl-cert-reqs ssl-certfile
ssl-keyfile tensor-parallel-size tokenizer tokenizer-mode tokenizer-revision tool-call-parser tool-parser-plugin
trust-remote-code use-tqdm-on-load uvicorn-log-level worker-cls worker-extension-cls
""",
    ("0.9.2", "0.10.1.1"): """
enable-prompt-adapter no-enable-multimodal-encoder-data-parallel override-neuron-config
""",
    ("0.9.2", "0.10.2"): """
disable-async-output-proc enable-lora-bias max-seq-len-to-capture no-enable-lora-bias
no-guided-decoding-disable-additional-properties no-guided-decoding-disable-any-whitespace
no-guided-decoding-disable-fallback preemption-mode rope-scaling rope-theta scheduler-delay-factor
""",
    ("0.9.2", "0.11.2"): """
cuda-graph-sizes disable-mm-preprocessor-cache enable-multimodal-encoder-data-parallel eplb-log-balancedness
eplb-step-interval eplb-window-size guided-decoding-backend guided-decoding-disable-additional-properties
guided-decoding-disable-any-whitespace guided-decoding-disable-fallback lora-extra-vocab-size
no-eplb-log-balancedness num-lookahead-slots num-redundant-experts override-pooler-config task
""",
    ("0.9.2", "0.15.1"): """
disable-log-requests logits-processor-pattern
""",
    ("0.9.2", "0.17.1"): """
disable-frontend-multiprocessing swap-space
""",
    ("0.9.2", "0.24.0"): """
calculate-kv-scales max-long-partial-prefills max-num-partial-prefills no-calculate-kv-scales
override-attention-dtype
""",
    ("0.9.2", "0.9.2"): """
device enable-reasoning expand-tools-even-if-tool-choice-none long-lora-scaling-factors max-prompt-adapter-token
max-prompt-adapters multi-step-stream-outputs no-disable-mm-preprocessor-cache no-enable-prompt-adapter
no-enable-reasoning no-multi-step-stream-outputs num-scheduler-steps prompt-adapters qlora-adapter-name-or-path
tokenizer-pool-extra-config tokenizer-pool-size tokenizer-pool-type use-v2-block-manager
""",
    ("0.10.1.1", ""): """
api-server-count async-scheduling config convert data-parallel-hybrid-lb data-parallel-start-rank
default-mm-loras enable-log-outputs enable-log-requests enable-tokenizer-info-endpoint
exclude-tools-when-tool-choice-none h11-max-header-count h11-max-incomplete-event-size headless
interleave-mm-strings kv-sharing-fast-prefill logits-processors logprobs-mode mamba-cache-dtype
mamba-ssm-cache-dtype mm-processor-cache-gb no-allow-credentials no-async-scheduling no-data-parallel-hybrid-lb
no-disable-fastapi-docs no-disable-uvicorn-access-log no-enable-auto-tool-choice no-enable-force-include-usage
no-enable-log-outputs no-enable-log-requests no-enable-prompt-tokens-details no-enable-request-id-headers
no-enable-server-load-tracking no-enable-ssl-refresh no-enable-tokenizer-info-endpoint
no-exclude-tools-when-tool-choice-none no-interleave-mm-strings no-kv-sharing-fast-prefill
no-return-tokens-as-token-ids no-skip-mm-profiling runner skip-mm-profiling tool-server uds
""",
    ("0.10.1.1", "0.15.1"): """
no-disable-log-requests
""",
    ("0.10.1.1", "0.17.1"): """
no-disable-frontend-multiprocessing
""",
    ("0.10.2", ""): """
decode-context-parallel-size eplb-config io-processor-plugin kv-cache-memory-bytes log-error-stack
mm-encoder-tp-mode no-log-error-stack safetensors-load-strategy
""",
    ("0.11.2", ""): """
aggregate-engine-logging all2all-backend allowed-media-domains cudagraph-capture-sizes data-parallel-external-lb
dbo-decode-token-threshold dbo-prefill-token-threshold dcp-kv-cache-interleave-size
disable-nccl-for-dp-synchronization ec-transfer-config enable-dbo enable-mm-embeds expert-placement-strategy
kv-offloading-backend kv-offloading-size mamba-block-size master-addr master-port max-cudagraph-capture-size
mm-encoder-attn-backend mm-processor-cache-type mm-shm-cache-max-object-size-mb nnodes
no-data-parallel-external-lb no-disable-nccl-for-dp-synchronization no-enable-dbo no-enable-mm-embeds
no-tokens-only no-trust-request-chat-template node-rank pooler-config reasoning-parser-plugin stream-interval
structured-outputs-config tokens-only trust-request-chat-template video-pruning-rate
""",
    ("0.13.0", ""): """
attention-backend attention-config cp-kv-cache-interleave-size cudagraph-metrics enable-layerwise-nvtx-tracing
kv-cache-metrics kv-cache-metrics-sample no-cudagraph-metrics no-enable-layerwise-nvtx-tracing
no-kv-cache-metrics optimization-level prefill-context-parallel-size profiler-config
""",
    ("0.14.1", ""): """
allow-deprecated-quantization default-chat-template-kwargs enable-log-deltas enable-logging-iteration-details
enable-mfu-metrics enable-offline-docs enable-return-routed-experts enable-tower-connector-lora
no-allow-deprecated-quantization no-enable-log-deltas no-enable-logging-iteration-details no-enable-mfu-metrics
no-enable-offline-docs no-enable-return-routed-experts no-enable-tower-connector-lora ubatch-size
""",
    ("0.15.1", ""): """
mamba-cache-mode mm-encoder-only no-mm-encoder-only ssl-ciphers
""",
    ("0.17.1", ""): """
cpu-offload-params disable-access-log-for-endpoints enable-elastic-ep enable-flashinfer-autotune
fail-on-environ-validation kernel-config language-model-only moe-backend no-enable-elastic-ep
no-enable-flashinfer-autotune no-fail-on-environ-validation no-language-model-only no-specialize-active-lora
offload-backend offload-group-size offload-num-in-group offload-params offload-prefetch-step performance-mode
specialize-active-lora weight-transfer-config
""",
    ("0.17.1", "0.17.1"): """
no-use-gpu-for-pooling-score use-gpu-for-pooling-score
""",
    ("0.19.1", ""): """
dcp-comm-backend distributed-timeout-seconds enable-ep-weight-filter gdn-prefill-backend
kv-cache-dtype-skip-layers lora-target-modules mm-tensor-ipc no-enable-ep-weight-filter
no-scheduler-reserve-full-isl reasoning-config renderer-num-workers scheduler-reserve-full-isl shutdown-timeout
""",
    ("0.20.2", ""): """
enable-flash-late-interaction enable-mamba-cache-stochastic-rounding grpc ir-op-priority mamba-backend
mamba-cache-philox-rounds no-enable-flash-late-interaction no-enable-mamba-cache-stochastic-rounding
no-numa-bind numa-bind numa-bind-cpus numa-bind-nodes
""",
    ("0.22.1", ""): """
cpu-distributed-timeout-seconds data-parallel-multi-port-external-lb data-parallel-supervisor-port
dp-supervisor-probe-failure-threshold dp-supervisor-probe-interval-s dp-supervisor-probe-timeout-s
enable-cumem-allocator enable-mixed-moe-lora-format fingerprint-mode fingerprint-value linear-backend
mm-encoder-attn-dtype mm-encoder-fp8-scale-path mm-encoder-fp8-scale-save-margin mm-encoder-fp8-scale-save-path
no-enable-cumem-allocator no-enable-mixed-moe-lora-format no-use-fp64-gumbel quantization-config
safetensors-prefetch-block-size safetensors-prefetch-num-threads spec-method spec-model spec-tokens
use-fp64-gumbel
""",
    ("0.24.0", ""): """
device-ids diffusion-config jit-monitor-verbose no-jit-monitor-verbose prefill-schedule-interval watermark
""",
    ("0.28.0", ""): """
cohere-format cohere-is-reasoning-model ec-manager-config enable-fault-tolerance enable-moe-shared-loras
enable-per-request-metrics fault-tolerance-config jit-monitor-mode kda-prefill-backend mamba-ssu-algorithm
max-num-scheduled-tokens mm-device-do-normalize mm-hasher-algorithm mm-ipc-gpu-memory-gb mm-processor-device
model-class-overrides no-cohere-is-reasoning-model no-enable-fault-tolerance no-enable-moe-shared-loras
no-enable-per-request-metrics no-mm-device-do-normalize no-return-sampling-mask no-use-replayssm
prefix-match-unit replayssm-buffer-len return-sampling-mask use-replayssm video-pruning-method
""",
    ("0.28.0", "0.29.0"): """
enable-bf16x3-router-gemm no-enable-bf16x3-router-gemm
""",
    ("0.29.0", ""): """
dcp-q-replicate enable-batch-sharded-sampling enable-trace-replay max-num-queued-reqs max-num-queued-tokens
no-dcp-q-replicate no-enable-batch-sharded-sampling no-enable-trace-replay per-request-spec-decode-metrics
prefix-cache-retention-interval sse-keep-alive-interval
""",
    ("0.30.0", ""): """
dp-sync-interval elastic-ep-max-dp-size enable-nccl-comm-suspend enable-scale-out engram-config
kda-decode-backend no-enable-nccl-comm-suspend no-enable-scale-out sparse-indexer-topk-backend watermark-config
""",
    ("0.30.0", "0.30.0"): """
enable-mamba-fine-grained-prefix-cache no-enable-mamba-fine-grained-prefix-cache
""",
    ("0.32.0", ""): """
anthropic-disabled-thinking-effort aux-output-config custom-histogram-buckets device-memory-utilization
enable-hc-sp enable-mamba-shared-prefix-checkpoint enable-shm-tensor-arena grpc-port log-level logging-config
long-prefill-token-threshold-adaptive max-lora-cls-labels max-num-active-seqs no-enable-hc-sp
no-enable-mamba-shared-prefix-checkpoint no-enable-shm-tensor-arena no-long-prefill-token-threshold-adaptive
no-sleep-mode-offload-cudagraph no-swa-bounded-replay no-trust-request-mm-kwargs sleep-mode-offload-cudagraph
sleep-preserve-parameter-names swa-bounded-replay tool-strict-level trust-request-mm-kwargs
""",
    ("0.33.0", ""): """
disable-auto-tool-choice disable-batch-sharded-sampling disable-chunked-prefill disable-cumem-allocator
disable-dbo disable-elastic-ep disable-ep-weight-filter disable-eplb disable-expert-parallel
disable-fault-tolerance disable-flash-late-interaction disable-flashinfer-autotune disable-force-include-usage
disable-hc-sp disable-layerwise-nvtx-tracing disable-log-deltas disable-log-outputs disable-log-requests
disable-logging-iteration-details disable-lora disable-mamba-cache-stochastic-rounding
disable-mamba-shared-prefix-checkpoint disable-mfu-metrics disable-mixed-moe-lora-format disable-mm-embeds
disable-moe-shared-loras disable-nccl-comm-suspend disable-offline-docs disable-per-request-metrics
disable-prefix-caching disable-prompt-embeds disable-prompt-tokens-details disable-request-id-headers
disable-return-routed-experts disable-scale-out disable-server-load-tracking disable-shm-tensor-arena
disable-sleep-mode disable-ssl-refresh disable-tokenizer-info-endpoint disable-tower-connector-lora
disable-trace-replay enable-cascade-attn enable-chunked-mm-input enable-custom-all-reduce enable-fastapi-docs
enable-hybrid-kv-cache-manager enable-nccl-for-dp-synchronization enable-sliding-window
enable-uvicorn-access-log monokernel no-monokernel reasoning-effort-map sleep-mode-backend watchdog-config
""",
}


def known(option: str, release: Release) -> bool:
    """Whether the release has this option. True where that was not read and could be: newer releases, and those between
    the last with and the first without it."""
    found = _RANGES.get(option)
    if found is None or release > _RELEASES[-1]:
        return release > _RELEASES[-1]
    return any(_before(first) < release < _after(last) for first, last in found)


def names(release: Release) -> list[str]:
    """Every option of the release."""
    return sorted(option for option in _RANGES if known(option, release))


def span(option: str) -> str | None:
    """In words: the releases that have the option; None where none has it."""
    found = _RANGES.get(option)
    return " and ".join(_words(first, last) for first, last in found) if found else None


def _words(first: Release, last: Release) -> str:
    since, until = ".".join(map(str, first)), ".".join(map(str, last))
    if first == _RELEASES[0]:
        return f"up to {until}"
    return f"since {since}" if last == _RELEASES[-1] else f"from {since} to {until}"


def _before(release: Release) -> Release:
    """The last release that was read before this one."""
    position = _RELEASES.index(release)
    return _RELEASES[position - 1] if position else (0, 0, 0)


def _after(release: Release) -> Release:
    """The first release that was read after this one."""
    position = _RELEASES.index(release) + 1
    return _RELEASES[position] if position < len(_RELEASES) else (release[0], release[1], release[2] + 1)


def _parsed() -> Iterator[tuple[str, Release, Release]]:
    for (first, last), options in _OPTIONS.items():
        for option in options.split():
            yield option, _release(first), _release(last or READ[-1])


def _release(name: str) -> Release:
    release = parse_release(name)
    if release is None:
        raise ValueError(f"{name} names no release of vLLM")
    return release


_RELEASES: list[Release] = [_release(name) for name in READ]
_RANGES: dict[str, list[tuple[Release, Release]]] = {}
for _option, _first, _last in _parsed():
    _RANGES.setdefault(_option, []).append((_first, _last))
