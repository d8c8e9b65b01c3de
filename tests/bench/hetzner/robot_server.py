# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Robot's web service knows of one server: its boot configuration, its reset button and its firewall.

Behaviour after the service's public documentation, the modules of community.hrobot with their tests, and what was seen
of real servers: an activation tells no host keys; they are new at each boot, and `/rescue/last` has them then.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

RESCUE_PASSWORD = "canary-of-the-rescue-system"
_RESCUE_SYSTEMS = ["linux", "linuxold", "vkvm"]
_RESETS = {"sw": "software", "hw": "hardware", "power": "power", "man": "manual"}
_RULE_NAME = re.compile(r"[A-Za-z0-9 .\-+_@]*")
_RULE_FIELDS = ("name", "ip_version", "dst_ip", "src_ip", "dst_port", "src_port", "protocol", "tcp_flags", "action")
MOST_RULES = 10  # in each direction

Form = Mapping[str, Sequence[str]]
Answer = tuple[int, Any]


class Refusal(Exception):
    """An answer that is an error, in the service's format."""

    def __init__(self, status: int, code: str, message: str, **fields: Any) -> None:
        super().__init__(message)
        self.status = status
        self.document = {"error": {"status": status, "code": code, "message": message, **fields}}


@dataclass(frozen=True)
class Reset:
    """A reset that a machine gets.

    ``rescue`` says that the rescue system boots, with these public keys; otherwise what is on the disks does.
    """

    server_number: int
    kind: str  # software, hardware, power or manual
    rescue: bool
    authorized_keys: tuple[str, ...] = ()


@dataclass
class Server:
    number: int
    ip: str
    name: str = "gpu1"
    product: str = "GEX44"
    ipv6_net: str = "2a01:4f8:111:4221::"
    status: str = "ready"
    reset_types: tuple[str, ...] = ("man", "hw", "sw")
    heeds_software_reset: bool = True
    polls_until_firewall: int = 1  # how often the firewall is asked for and still "in process"
    rescue: dict[str, Any] | None = None  # while it is activated and the server has not booted
    last_rescue: dict[str, Any] | None = None
    manual_reset: bool = False
    firewall: dict[str, Any] = field(default_factory=lambda: _firewall("disabled"))
    _polls_left: int = 0

    # -- /server -----------------------------------------------------------------------------------------------------

    def listed(self) -> dict[str, Any]:
        return {
            "server": {
                **self._address(),
                "server_name": self.name,
                "product": self.product,
                "dc": "FSN1-DC1",
                "traffic": "unlimited",
                "status": self.status,
                "cancelled": False,
                "paid_until": "2026-12-31",
                "ip": [self.ip],
                "subnet": [{"ip": self.ipv6_net, "mask": "64"}],
                "linked_storagebox": None,
            }
        }

    def detailed(self) -> dict[str, Any]:
        abilities = {"reset": bool(self.reset_types), "rescue": True, "vnc": True, "windows": False, "wol": False}
        return {"server": {**self.listed()["server"], **abilities, "plesk": False, "cpanel": False, "hot_swap": False}}

    def _address(self) -> dict[str, Any]:
        return {"server_ip": self.ip, "server_ipv6_net": self.ipv6_net, "server_number": self.number}

    # -- /boot -------------------------------------------------------------------------------------------------------

    def boot(self) -> dict[str, Any]:
        others = {"linux": None, "vnc": None, "windows": None, "plesk": None, "cpanel": None}
        return {"boot": {"rescue": self.rescue_state()["rescue"], **others}}

    def rescue_state(self) -> dict[str, Any]:
        if self.rescue is not None:
            return {"rescue": self.rescue}
        return {"rescue": self._rescue(active=False, os=_RESCUE_SYSTEMS, password=None, keys=[])}

    def rescue_last(self) -> dict[str, Any]:
        if self.last_rescue is None:
            raise Refusal(404, "NOT_FOUND", "No last rescue activation available")
        return {"rescue": {**self.last_rescue, "active": False, "password": None}}

    def activate_rescue(self, form: Form, keys: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        if self.rescue is not None:
            raise Refusal(409, "BOOT_ALREADY_ENABLED", "There is already a boot configuration activated for the server")
        wanted = [*form.get("authorized_key", []), *form.get("authorized_key[]", [])]
        missing = [] if form.get("os") else ["os"]
        invalid = [] if set(form.get("os", [])) <= set(_RESCUE_SYSTEMS) else ["os"]
        invalid += [] if set(wanted) <= set(keys) else ["authorized_key"]
        if missing or invalid:
            raise Refusal(400, "INVALID_INPUT", "invalid input", missing=missing or None, invalid=invalid or None)
        authorized = [
            {"key": {key: keys[each][key] for key in ("name", "fingerprint", "type", "size")}} for each in wanted
        ]
        self.rescue = self._rescue(active=True, os=form["os"][0], password=RESCUE_PASSWORD, keys=authorized)
        self.last_rescue = self.rescue
        return self.rescue_state()

    def deactivate_rescue(self) -> dict[str, Any]:
        self.rescue = None
        return self.rescue_state()

    def rescue_has_booted(self, host_keys: Mapping[str, str], boot_time: str = "2026-11-21 12:00:00") -> None:
        """The rescue system that was activated last reports its host keys: SHA-256 fingerprints by their type."""
        assert self.last_rescue is not None
        reported = [
            {"key": {"fingerprint": fingerprint.removeprefix("SHA256:"), "type": kind.upper(), "size": 256}}
            for kind, fingerprint in host_keys.items()
        ]
        self.last_rescue = {**self.last_rescue, "host_key": reported, "boot_time": boot_time}

    def _rescue(self, *, active: bool, os: Any, password: str | None, keys: list[Any]) -> dict[str, Any]:
        known = {"active": active, "os": os, "password": password, "authorized_key": keys}
        return {**self._address(), **known, "host_key": [], "boot_time": None}

    # -- /reset ------------------------------------------------------------------------------------------------------

    def reset_options(self) -> dict[str, Any]:
        if not self.reset_types:
            raise Refusal(404, "RESET_NOT_AVAILABLE", "The server has no reset option")
        return {"reset": {**self._address(), "type": list(self.reset_types), "operating_status": "not supported"}}

    def press(self, form: Form, keys: Mapping[str, Mapping[str, Any]]) -> tuple[dict[str, Any], Reset | None]:
        """The answer, and the reset that the machine gets: a technician comes later, and not all heed Ctrl+Alt+Del."""
        options = self.reset_options()["reset"]
        kind = (form.get("type") or [""])[0]
        if not kind:
            raise Refusal(400, "INVALID_INPUT", "invalid input", missing=["type"], invalid=None)
        if kind not in self.reset_types:
            raise Refusal(400, "INVALID_INPUT", "invalid input", missing=None, invalid=["type"])
        if self.manual_reset and kind == "man":
            raise Refusal(409, "RESET_MANUAL_ACTIVE", "There is already a running manual reset")
        self.manual_reset = self.manual_reset or kind == "man"
        answer = {"reset": {**self._address(), "type": kind, "operating_status": options["operating_status"]}}
        if kind == "man" or (kind == "sw" and not self.heeds_software_reset):
            return answer, None
        rescue, self.rescue = self.rescue, None  # an activation is for one boot
        authorized = [keys[each["key"]["fingerprint"]] for each in (rescue or {}).get("authorized_key", [])]
        texts = tuple(str(key["data"]) for key in authorized)
        return answer, Reset(self.number, _RESETS[kind], rescue is not None, texts)

    # -- /firewall ---------------------------------------------------------------------------------------------------

    def firewall_state(self) -> dict[str, Any]:
        in_process = self._polls_left > 0
        self._polls_left = max(0, self._polls_left - 1)
        return self._firewall_document(in_process)

    def set_firewall(self, form: Form) -> dict[str, Any]:
        if self._polls_left > 0:
            raise Refusal(409, "FIREWALL_IN_PROCESS", "The firewall is currently being configured")
        given = {name: values[0] for name, values in form.items()}
        rules = {direction: _rules(direction, given) for direction in ("input", "output")}
        invalid = [
            name for name in ("filter_ipv6", "whitelist_hos") if given.get(name, "true") not in ("true", "false")
        ]
        invalid += [] if given.get("status") in ("active", "disabled") else ["status"]
        invalid += [problem for direction in rules.values() for rule in direction for problem in _rule_problems(rule)]
        invalid += [f"rules[{direction}]" for direction in rules if len(rules[direction]) > MOST_RULES]
        if invalid:
            raise Refusal(400, "INVALID_INPUT", "invalid input", missing=None, invalid=invalid)
        self.firewall = {
            **_firewall(given["status"]),
            "filter_ipv6": given.get("filter_ipv6") == "true",
            "whitelist_hos": given.get("whitelist_hos") == "true",
            "rules": rules,
        }
        self._polls_left = self.polls_until_firewall
        return self._firewall_document(in_process=self._polls_left > 0)

    def _firewall_document(self, in_process: bool) -> dict[str, Any]:
        status = {"status": "in process"} if in_process else {}
        return {"firewall": {**self._address(), **self.firewall, **status}}


def _firewall(status: str) -> dict[str, Any]:
    return {
        "status": status,
        "filter_ipv6": False,
        "whitelist_hos": True,
        "port": "main",
        "rules": {"input": [], "output": []},
    }


def _rules(direction: str, given: Mapping[str, str]) -> list[dict[str, str | None]]:
    """The rules of one direction, from fields such as ``rules[input][0][action]``."""
    found: dict[int, dict[str, str | None]] = {}
    for name, value in given.items():
        match = re.fullmatch(rf"rules\[{direction}\]\[(\d+)\]\[(\w+)\]", name)
        if match:
            found.setdefault(int(match[1]), dict.fromkeys(_RULE_FIELDS))[match[2]] = value
    return [found[position] for position in sorted(found)]


def _rule_problems(rule: Mapping[str, str | None]) -> list[str]:
    version, protocol = rule.get("ip_version"), rule.get("protocol")
    wrong = {
        "name": not _RULE_NAME.fullmatch(rule.get("name") or ""),
        "action": rule.get("action") not in ("accept", "discard"),
        "ip_version": version not in (None, "ipv4", "ipv6"),
        # Without a version a rule has neither protocol nor addresses, and version 6 filters neither addresses nor ICMP.
        "protocol": bool(protocol and not version) or (protocol == "icmp" and version == "ipv6"),
        "src_ip": bool(rule.get("src_ip")) and version != "ipv4",
        "dst_ip": bool(rule.get("dst_ip")) and version != "ipv4",
        "tcp_flags": bool(rule.get("tcp_flags")) and protocol != "tcp",
        "src_port": bool(rule.get("src_port")) and protocol not in (None, "tcp", "udp"),
        "dst_port": bool(rule.get("dst_port")) and protocol not in (None, "tcp", "udp"),
    }
    return [name for name, is_wrong in wrong.items() if is_wrong]
