# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the toolserve.gpunode authors
"""What hypothesis draws for the parser's property tests."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

# A busy machine is no reason to fail.
FEW = settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
MANY = settings(FEW, max_examples=400)

RANDOMS = st.randoms(use_true_random=False)  # for outputs.py
SOME_TEXT = st.text() | st.text(alphabet='<tols_ca/>{}[]",:`\\ \nname"arguments')
JSON_STRINGS = st.text(max_size=12) | st.sampled_from(["</tools>", "<tools>{", '"}', "\\", "```", "\n", "\ud83d"])
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | JSON_STRINGS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(JSON_STRINGS, inner, max_size=3),
    max_leaves=6,
)
ARGUMENTS = st.dictionaries(JSON_STRINGS, JSON_VALUES, max_size=3)
