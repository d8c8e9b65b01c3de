# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the tests of the plugins share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from ansible_collections.toolserve.gpunode.tests.unit.plugins.fake_endpoint import FakeEndpoint


@pytest.fixture
def serve() -> Iterator[Callable[..., FakeEndpoint]]:
    """Start stand-in servers that live as long as the test: ``serve(health=503).url``."""
    with ExitStack() as stack:
        yield lambda **fields: stack.enter_context(FakeEndpoint(**fields).serving())


@pytest.fixture
def dead_url() -> str:
    """An address at which nothing listens."""
    with FakeEndpoint().serving() as endpoint:
        return endpoint.url
