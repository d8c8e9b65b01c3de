# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Text from anywhere in a Markdown page."""

from __future__ import annotations


def escaped(text: str) -> str:
    """Text that Markdown shows as it is: server and model may have sent anything."""
    text = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|")
    return text.replace("`", "\\`").replace("*", "\\*").replace("[", "\\[")
