# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes this clone importable as ansible_collections.toolserve.gpunode, wherever it lies."""

from __future__ import annotations

import sys
from pathlib import Path

from ansible.plugins.loader import init_plugin_loader

COLLECTIONS = str(Path(__file__).parents[1] / "collections")
sys.path.insert(0, COLLECTIONS)
init_plugin_loader([COLLECTIONS])
