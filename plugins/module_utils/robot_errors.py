# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a failed request to Robot's web service means, and what to do about it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_IN_TEXT = re.compile(r"Request failed: (?P<status>\d{3}) (?P<code>[A-Z_]+)")
_STATUS = re.compile(r"(HTTP status code|Status code was|HTTP Error) (?P<status>-?\d+)")
_MODULE_TEXTS = {
    "server does not exist": "SERVER_NOT_FOUND",
    "no boot configuration available": "BOOT_NOT_AVAILABLE",
    "no reset option available": "RESET_NOT_AVAILABLE",
    "reset method is not supported": "RESET_TYPE",
    "manual reset is already running": "RESET_MANUAL_ACTIVE",
    "reset failed due to": "RESET_FAILED",
    "waiting for firewall": "FIREWALL_IN_PROCESS",
}
_MEANINGS = {
    "UNAUTHORIZED": (
        "Robot does not accept this user and password. They are those of the web service user (Robot, Settings, "
        "Web service and app settings), not those of the customer's account. Correct hetzner_bootstrap_robot_user "
        "and hetzner_bootstrap_robot_password, or HROBOT_API_USER and HROBOT_API_PASSWORD. After three failed "
        "logins Robot refuses this address for ten minutes, also with the right password: then wait before the "
        "next run."
    ),
    "SERVER_NOT_FOUND": (
        "Robot knows no server {number} that this user may see. Compare hetzner_bootstrap_server_number with the "
        "number that Robot shows, and see whether the web service user belongs to the account that has rented the "
        "server."
    ),
    "RATE_LIMIT_EXCEEDED": (
        "Robot takes no more requests for now: {limit}. All programs that use this account count together. Run the "
        "playbook again when that time has passed; it goes on where it stopped. "
        "hetzner_bootstrap_robot_rate_limit_seconds says how long a run waits by itself."
    ),
    "UNAVAILABLE": (
        "Robot's web service is down for maintenance. Run the playbook again later; it goes on where it stopped."
    ),
    "BOOT_ALREADY_ENABLED": (
        "Another boot configuration was activated for server {number} at the same time. See in Robot who did so, "
        "and run the playbook again."
    ),
    "BOOT_NOT_AVAILABLE": (
        "Robot offers no rescue system for server {number}. A server that has just been rented, is cancelled or is "
        "being worked on has none; ask Hetzner's support."
    ),
    "BOOT_BLOCKED": "Robot has blocked the boot configuration of server {number}; ask Hetzner's support.",
    "BOOT_ACTIVATION_FAILED": "Robot failed to activate the rescue system of server {number}. Run the playbook again.",
    "BOOT_DEACTIVATION_FAILED": (
        "Robot failed to take back the boot configuration of server {number}. Run the playbook again."
    ),
    "RESET_NOT_AVAILABLE": (
        "Server {number} cannot be reset by Robot. Start its rescue system by hand and set "
        "hetzner_bootstrap_access to rescue."
    ),
    "RESET_TYPE": (
        "Server {number} has no such reset. Set hetzner_bootstrap_reset to one that it has: Robot lists them under "
        "Reset."
    ),
    "RESET_MANUAL_ACTIVE": (
        "A technician has been asked to reset server {number}, and Robot accepts no other reset until that is "
        "done. Wait for the mail that says so, and run the playbook again."
    ),
    "RESET_FAILED": "Robot failed to reset server {number}. Run the playbook again, or reset it in Robot by hand.",
    "KEY_ALREADY_EXISTS": (
        "Robot has this SSH key already: somebody has deposited it at the same time. Run the playbook again."
    ),
    "KEY_CREATE_FAILED": (
        "Robot failed to store an SSH key. Run the playbook again, or deposit the key in Robot by hand."
    ),
    "SSH_KEY": (
        "Robot does not accept an SSH key of hetzner_bootstrap_ssh_public_keys. It takes RSA, ECDSA and ED25519, "
        "and the rescue system only keys that are deposited in Robot."
    ),
    "FIREWALL_IN_PROCESS": (
        "The firewall of server {number} is still being set up. That takes about half a minute; run the playbook again."
    ),
    "FIREWALL_NOT_AVAILABLE": "Server {number} has no firewall in Robot. Set hetzner_bootstrap_firewall to none.",
    "UNREACHABLE": (
        "This machine does not reach https://robot-ws.your-server.de. See whether it has a way to the internet, "
        "and whether its proxy (HTTPS_PROXY) lets it through."
    ),
}
_BY_STATUS = {401: "UNAUTHORIZED", 503: "UNAVAILABLE", -1: "UNREACHABLE"}


def meaning(code: str, number: int, limit: str = "") -> str:
    """What an error of the service's documentation means for a server; nothing of an error that is not known here."""
    return _MEANINGS.get(code, "").format(number=number or "", limit=limit)


def explain(failed: Mapping[str, Any], number: int = 0) -> str:
    """A message for a person, from the result of a failed task of ``community.hrobot`` or ``ansible.builtin.uri``.

    :param number: the server's number.
    """
    for item in failed.get("results") or []:
        if item.get("failed"):
            return explain(item, number)
    seen = str(failed.get("msg") or "").strip()
    error = failed.get("error") or _of_json(failed) or {}
    code = _code(failed, error, seen)
    meant = meaning(code, number, _limit(error, seen)) or "Robot refused the request; this is all that it says."
    return f"{meant}\nSeen: {seen}" if seen else meant


def _code(failed: Mapping[str, Any], error: Mapping[str, Any], seen: str) -> str:
    code = str(error.get("code") or "")
    match = _IN_TEXT.search(seen)
    if not code and match:
        code = match["code"]
    if code == "INVALID_INPUT" and re.search("authorized_key|data", f"{error.get('invalid')} {seen}"):
        return "SSH_KEY"
    if code in _MEANINGS:
        return code
    for text, meant in _MODULE_TEXTS.items():
        if text in seen:
            return meant
    status = failed.get("status")
    in_text = _STATUS.search(seen)
    return _BY_STATUS.get(int(status) if isinstance(status, int) else int(in_text["status"]) if in_text else 0, code)


def _of_json(failed: Mapping[str, Any]) -> Mapping[str, Any] | None:
    answer = failed.get("json")
    error = answer.get("error") if isinstance(answer, Mapping) else None
    return error if isinstance(error, Mapping) else None


def _limit(error: Mapping[str, Any], seen: str) -> str:
    most = error.get("max_request") or error.get("max_requests")
    seconds = error.get("interval")
    in_text = re.search(r"Maximum allowed requests: (\d+). Time interval in seconds: (\d+)", seen)
    if in_text:
        most, seconds = in_text.groups()
    return f"at most {most} in {seconds} seconds" if most and seconds else "its limit is reached"
