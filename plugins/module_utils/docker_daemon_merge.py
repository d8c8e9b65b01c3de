# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which options end up in Docker's daemon.json: the owner's own, what is asked for, and defaults in the gaps."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import Any

_LOG_DRIVER = "log-driver"
_LOG_OPTIONS = "log-opts"
_STOCK_LOG_DRIVER = "json-file"  # what dockerd takes without the option


@dataclass(frozen=True)
class Merged:
    """The options, and those of the owner that had to go for them."""

    options: dict[str, Any]
    dropped: list[str]


def merge(owner: dict[str, Any], options: dict[str, Any], defaults: dict[str, Any]) -> Merged:
    """Lay options over the owner's document, and put defaults where it then still says nothing.

    Options win: objects merge at every depth, everything else is replaced. Defaults never touch a value: they add
    options that are missing, and entries that are missing in an object such as log-opts or default-ulimits. An entry
    itself is one choice and is never mixed from two.

    log-opts belong to a log driver, and dockerd does not start with those of another one. So options that change the
    driver take the old driver's log-opts away, and defaults for one driver stay out where another is chosen.
    """
    result = deepcopy(owner)
    dropped = []
    if _LOG_DRIVER in options and _LOG_OPTIONS in result and options[_LOG_DRIVER] != _log_driver(result):
        del result[_LOG_OPTIONS]
        dropped.append(_LOG_OPTIONS)
    _overlay(result, options)
    _fill(result, defaults)
    return Merged(result, dropped)


def _overlay(below: dict[str, Any], above: dict[str, Any]) -> None:
    for key, value in above.items():
        if isinstance(below.get(key), dict) and isinstance(value, dict):
            _overlay(below[key], value)
        else:
            below[key] = deepcopy(value)


def _fill(result: dict[str, Any], defaults: dict[str, Any]) -> None:
    logging_is_chosen = _LOG_DRIVER in result or _LOG_OPTIONS in result
    if logging_is_chosen and _log_driver(result) != _log_driver(defaults):
        defaults = {key: value for key, value in defaults.items() if key not in (_LOG_DRIVER, _LOG_OPTIONS)}
    for key, value in defaults.items():
        present = result.setdefault(key, deepcopy(value))
        if isinstance(present, dict) and isinstance(value, dict):
            for entry, default in value.items():
                present.setdefault(entry, deepcopy(default))


def _log_driver(options: dict[str, Any]) -> Any:
    return options.get(_LOG_DRIVER, _STOCK_LOG_DRIVER)
