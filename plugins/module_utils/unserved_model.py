# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A wrong model name: the cause that every check tells in the same words, so that it is told once."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.toolserve.gpunode.plugins.module_utils.cause import CERTAIN, Cause
from ansible_collections.toolserve.gpunode.plugins.module_utils.endpoint_error import EndpointError


def unserved_model(error: EndpointError, model: str | None, served: Sequence[str]) -> Cause | None:
    """Why the server refused, if the name is none of those that it lists."""
    if error.status != 404 or not served or model in served:
        return None
    return Cause(
        f"HTTP 404 for the model {model!r}",
        f"The server serves {', '.join(served)} and no other name.",
        "Set model to a served name, or serve it under this one with --served-model-name.",
        CERTAIN,
    )
