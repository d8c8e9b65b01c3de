# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What hetzner_bootstrap does with Robot and with host keys: the real modules before a stand-in of Robot."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils.ssh_host_keys import read
from ansible_collections.toolserve.gpunode.tests.unit.plugins.fake_ssh_server import FakeSshServer, host_key

from tests.bench.hetzner.robot_api import PASSWORD, Robot
from tests.bench.hetzner.robot_server import RESCUE_PASSWORD, Reset, Server

pytestmark = pytest.mark.plays
REPOSITORY = Path(__file__).parents[3]
NUMBER = 321
INTO_RESCUE = ("robot_server", "robot", "rescue", "reset")


class Bench:
    """One server with its SSH port, the Robot that knows it, and the controller's file of known hosts."""

    def __init__(self, folder: Path, ssh: FakeSshServer) -> None:
        self.folder, self.ssh = folder, ssh
        self.keys = folder / "keys"
        self.keys.mkdir()
        self.known_hosts = folder / "known_hosts"
        self.server = Server(NUMBER, "127.0.0.1", reset_types=("man", "hw", "sw", "power"))
        self.robot = Robot([self.server], on_reset=self.reset)
        self.resets: list[Reset] = []
        self.login = f"{host_key(self.keys)} me@laptop"
        self.reported: Mapping[str, str] | None = None  # in place of the keys that it has
        self.lets_in = 'exec sh -c "$command"'

    @property
    def name(self) -> str:
        return f"[127.0.0.1]:{self.ssh.port}"

    def reset(self, reset: Reset) -> Mapping[str, str] | None:
        self.resets.append(reset)
        if not reset.rescue:
            return None
        self.ssh.keys = (host_key(self.keys), host_key(self.keys, "ecdsa"))
        shown = {key.kind: key.sha256 for key in read("\n".join(self.ssh.keys))}
        return self.reported or shown

    def knows(self, *keys: str) -> bool:
        """Whether SSH knows the server by these keys and by no others."""
        command = ["ssh-keygen", "-F", self.name, "-f", str(self.known_hosts)]
        found = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        return set(read(found)) == set(read("\n".join(keys)))

    def play(self, *files: str, options: tuple[str, ...] = (), passes: bool = False, **settings: Any) -> str:
        """Run files of the role's tasks, and return what the play said, in one line; no secret is in it."""
        known = {
            "ansible_host": "127.0.0.1",
            "ansible_port": self.ssh.port,
            "ansible_ssh_executable": str(self._login()),
            "ansible_ssh_common_args": f"-F none -o UserKnownHostsFile={self.known_hosts}",
            "hetzner_bootstrap_server_number": NUMBER,
            "hetzner_bootstrap_confirm": str(NUMBER),
            "hetzner_bootstrap_rescue_timeout_seconds": 4,
            "hetzner_bootstrap_robot_rate_limit_seconds": 0,
            **{name: value for name, value in settings.items() if not name.startswith("__")},
        }
        decided = {
            "__hetzner_bootstrap_public_keys": [self.login],
            "__hetzner_bootstrap_state": "unreachable",
            "__hetzner_bootstrap_robot_poll_seconds": 1,
            "__hetzner_bootstrap_firewall_poll_seconds": 1,
            "__hetzner_bootstrap_firewall_proof_seconds": 2,
            "__hetzner_bootstrap_scan_seconds": 1,
            "__hetzner_bootstrap_ask_seconds": 0,
            **{name: value for name, value in settings.items() if name.startswith("__")},
        }
        decided = {name: value for name, value in decided.items() if value is not None}
        role = "toolserve.gpunode.hetzner_bootstrap"
        tasks = [{"ansible.builtin.include_role": {"name": role, "tasks_from": name}} for name in files]
        (self.folder / "hosts.json").write_text(json.dumps({"all": {"hosts": {"gpu1": known}}}))
        play = {"hosts": "gpu1", "gather_facts": False, "tasks": tasks}
        return self.run([play], *options, "-i", "hosts.json", "-e", json.dumps(decided), passes=passes)

    def run(self, playbook: list[dict[str, Any]], *options: str, passes: bool = True) -> str:
        (self.folder / "play.yml").write_text(json.dumps(playbook))
        environment = {
            **os.environ,
            **self.robot.environment(),
            "ANSIBLE_CONFIG": str(REPOSITORY / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(REPOSITORY / "collections"),
            "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
        }
        command = [sys.executable, "-m", "ansible", "playbook", "play.yml", *options]
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)
        print(done.stdout, done.stderr)  # shown where a test fails
        assert (done.returncode == 0) is passes
        said = " ".join((done.stdout + done.stderr).split())
        assert PASSWORD not in said and RESCUE_PASSWORD not in said
        return said

    def _login(self) -> Path:
        """In place of ssh: whoever reaches the server is logged in, on this machine, or sees what ``lets_in`` says."""
        program = self.folder / "login"
        program.write_text(
            "#!/bin/sh\n"
            'case " $* " in *" -O "*) exit 0 ;; esac\n'
            f"echo >> {self.folder}/logins\n"
            f"ssh-keyscan -T 5 -p {self.ssh.port} 127.0.0.1 2> /dev/null | grep -q . || exit 255\n"
            f"for command; do :; done\n{self.lets_in}\n"
        )
        program.chmod(0o755)
        return program

    def logins(self) -> int:
        """How often somebody tried to log in."""
        tried = self.folder / "logins"
        return len(tried.read_text().splitlines()) if tried.exists() else 0

    def changes(self) -> list[str]:
        """What changed something in Robot since this was asked last."""
        changed = [f"{request.method} {request.path}" for request in self.robot.changes()]
        self.robot.requests.clear()
        return changed


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with FakeSshServer().serving() as ssh:
        bench = Bench(tmp_path, ssh)
        with bench.robot.serving():
            yield bench


def test_into_a_rescue_system_whose_key_robot_tells(bench: Bench) -> None:
    bench.known_hosts.write_text(f"other.example,{bench.name} {bench.login}\n*.example.org {bench.login}\n")
    bench.play(*INTO_RESCUE, passes=True)
    fingerprint = read(bench.login)[0].md5
    assert bench.changes() == ["POST /key", f"POST /boot/{NUMBER}/rescue", f"POST /reset/{NUMBER}"]
    assert bench.robot.keys[fingerprint]["name"] == "me@laptop"
    assert [(reset.kind, reset.rescue, reset.authorized_keys) for reset in bench.resets] == [
        ("hardware", True, (" ".join(bench.login.split()[:2]),))
    ]
    assert bench.knows(*bench.ssh.keys)
    written = bench.known_hosts.read_text()
    assert f"other.example {bench.login.split()[0]}" in written and "*.example.org" in written
    assert bench.name not in written  # hashed

    # An interrupted run left it there: the next one neither activates nor resets anything.
    bench.known_hosts.unlink()
    bench.play("robot_server", "robot", passes=True)
    assert bench.changes() == [] and bench.knows(*bench.ssh.keys)


def test_a_dry_run_only_reads(bench: Bench) -> None:
    said = bench.play(*INTO_RESCUE, options=("--check",), passes=True)
    assert bench.changes() == [] and bench.resets == [] and not bench.known_hosts.exists()
    assert f"rescue system of server {NUMBER} by a hardware reset" in said


def test_what_robot_has_already_is_not_made_again(bench: Bench) -> None:
    fingerprint = bench.robot.add_key("laptop", bench.login)
    bench.server.activate_rescue({"os": ["linux"], "authorized_key[]": [fingerprint]}, bench.robot.keys)
    bench.play(*INTO_RESCUE, passes=True, __hetzner_bootstrap_state="installed_other")
    assert bench.changes() == [f"POST /reset/{NUMBER}"]
    assert [key["name"] for key in bench.robot.keys.values()] == ["laptop"]
    assert [reset.kind for reset in bench.resets] == ["software"]  # a system that runs may end in order


def test_without_the_confirmation_nothing_is_touched(bench: Bench) -> None:
    said = bench.play(*INTO_RESCUE, hetzner_bootstrap_confirm="")
    assert "set hetzner_bootstrap_confirm to that number" in said
    assert bench.changes() == []


def test_a_server_that_is_not_the_one_of_the_inventory(bench: Bench) -> None:
    bench.server.ip, bench.server.status = "192.0.2.7", "in process"
    said = bench.play(*INTO_RESCUE)
    assert "The inventory leads to 127.0.0.1, but server 321 has 192.0.2.7 and 2a01:4f8:111:4221::/64" in said
    assert "Robot says of server 321: in process" in said
    assert "Robot knows no server 322 that this user may see" in bench.play(
        "robot_server", hetzner_bootstrap_server_number=322
    )
    assert bench.changes() == []


def test_a_key_that_robot_refuses(bench: Bench) -> None:
    bench.robot.fail("POST /key", 400, "INVALID_INPUT", "invalid input", missing=None, invalid=["data"])
    assert "Robot does not accept an SSH key of hetzner_bootstrap_ssh_public_keys" in bench.play(*INTO_RESCUE)
    assert bench.resets == []


def test_a_reset_that_is_not_to_be_had(bench: Bench) -> None:
    bench.server.reset_types = ("man",)
    assert "has not the reset that is needed (auto); it has manual" in bench.play(*INTO_RESCUE)
    assert bench.changes() == []


def whole(bench: Bench, *options: str, passes: bool = False, **settings: Any) -> str:
    """The role from its beginning, with a key that the server shows and the confirmation."""
    bench.ssh.keys = bench.ssh.keys or (host_key(bench.keys),)
    given: dict[str, Any] = {
        "hetzner_bootstrap_disks": [{"serial": "none-of-this-machine"}],
        "hetzner_bootstrap_ssh_public_keys": [bench.login],
        "__hetzner_bootstrap_state": None,  # it is what the server says
    }
    return bench.play("main", options=options, passes=passes, **given | settings)


def refuses(message: str) -> str:
    """What ssh does in place of a login."""
    return f"echo '{message}' >&2; exit 255"


UNKNOWN_KEY = "Host key verification failed."
CHANGED_KEY = "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @"
REFUSED = "root@127.0.0.1: Permission denied (publickey)."


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        pytest.param(refuses(UNKNOWN_KEY), "whose host key this machine does not know", id="key"),
        pytest.param(refuses(REFUSED), "and refuses the login", id="login"),
        pytest.param("echo Please log in as another user.", "does not say what it is", id="other"),
    ],
)
def test_a_system_that_answers_is_not_erased_unseen(bench: Bench, seen: str, told: str) -> None:
    """With the confirmation: it may be a finished node, and a second run may have been typed elsewhere."""
    bench.lets_in = seen
    said = whole(bench)
    assert told in said and "It may be a finished node" in said
    assert bench.changes() == [] and bench.resets == []


def test_a_server_that_shows_nothing_or_may_be_lost_goes_into_the_rescue_system(bench: Bench) -> None:
    bench.reported = {"ssh-ed25519": "SHA256:" + "A" * 43}  # so that the play ends once it has arrived there
    into_rescue = ["POST /key", f"POST /boot/{NUMBER}/rescue", f"POST /reset/{NUMBER}"]
    bench.lets_in = refuses("ssh: connect to host 127.0.0.1 port 22: Connection refused")
    assert "shows a host key that the rescue system has not" in whole(bench)
    assert bench.changes() == into_rescue
    bench.lets_in = refuses(REFUSED)
    whole(bench, hetzner_bootstrap_reinstall=True)
    assert bench.changes() == into_rescue[1:]
    bench.lets_in = refuses(CHANGED_KEY)
    assert "another host key than the one that is known" in whole(bench, hetzner_bootstrap_reinstall=True)
    assert bench.changes() == []


def test_a_rescue_system_that_lets_nobody_in_is_started_anew(bench: Bench) -> None:
    """Robot knows its host key: nobody's system is lost."""
    bench.ssh.keys = (host_key(bench.keys),)
    activate_and_boot(bench)
    bench.reported = {"ssh-ed25519": "SHA256:" + "A" * 43}
    bench.lets_in = refuses(REFUSED)
    whole(bench)
    assert bench.changes()[-1] == f"POST /reset/{NUMBER}"


def activate_and_boot(bench: Bench) -> None:
    """Robot has started the rescue system, which shows the keys of now."""
    bench.server.activate_rescue({"os": ["linux"]}, bench.robot.keys)
    bench.server.rescue, shown = None, read("\n".join(bench.ssh.keys))
    bench.server.rescue_has_booted({key.kind: key.sha256 for key in shown})


def test_one_login_that_comes_to_nothing_is_tried_again(bench: Bench) -> None:
    """A lost packet, or a server that starts."""
    once = bench.folder / "once"
    bench.lets_in = f"test -e {once} || {{ touch {once}; exit 255; }}\n{refuses(REFUSED)}"
    assert "refuses the login" in whole(bench, __hetzner_bootstrap_ask_seconds=2)
    assert bench.changes() == []


IN_RESCUE = """printf '{"uid": "0", "hostname": "rescue", "rescue": "yes", "uefi": "yes", "conf": ""}\\n'"""


def test_a_rescue_system_is_that_of_the_server_with_the_number(bench: Bench) -> None:
    """It runs already, so that neither Robot's keys nor a reset would show which server it is."""
    in_rescue = {
        "__hetzner_bootstrap_question": IN_RESCUE,
        "__hetzner_bootstrap_unit_question": ["printf", "ActiveState=inactive\\nDescription=none\\n"],
    }
    assert "No disk of the server has serial" in whole(bench, **in_rescue)
    bench.server.ip = "192.0.2.7"
    said = whole(bench, **in_rescue)
    assert "The inventory leads to 127.0.0.1, but server 321 has 192.0.2.7" in said and "No disk" not in said
    said = whole(bench, **in_rescue, hetzner_bootstrap_access="rescue")
    assert "No disk of the server has serial" in said  # nobody asks Robot


def test_a_dry_run_before_a_verified_rescue_system_says_so(bench: Bench) -> None:
    """It would have to write known_hosts to log in, and gives no advice to remove keys."""
    bench.ssh.keys = (host_key(bench.keys),)
    given = {
        "hetzner_bootstrap_access": "rescue",
        "hetzner_bootstrap_rescue_host_key_fingerprints": [read(bench.ssh.keys[0])[0].sha256],
    }
    for seen in (UNKNOWN_KEY, CHANGED_KEY):
        bench.lets_in = refuses(seen)
        said = whole(bench, "--check", passes=True, **given)
        assert "its host key is the right one" in said
        assert "is not in the rescue system" not in said and "ssh-keygen -R" not in said
    given["hetzner_bootstrap_rescue_host_key_fingerprints"] = []
    assert "another host key than the one that is known" in whole(bench, "--check", **given)

    activate_and_boot(bench)
    said = whole(bench, "--check", passes=True)
    assert "its host key is the right one" in said and "by a hardware reset" not in said
    assert bench.changes() == [] and not bench.known_hosts.exists()


RESCUE = {"os": "linux", "authorized_keys": ["00:" * 15 + "00"]}
MODULES: dict[str, dict[str, Any]] = {
    "ssh_key_info": {},
    "boot": {"server_number": NUMBER, "rescue": RESCUE},
    "reset": {"server_number": NUMBER, "reset_type": "hardware"},
    "reset_info": {"server_number": NUMBER},
    "firewall": {"server_number": NUMBER},
    "firewall_info": {"server_number": NUMBER},
}
# What happens, the module that meets it, and what the user is told.
FAULTS = [
    (403, "RATE_LIMIT_EXCEEDED", "ssh_key_info", "Robot takes no more requests for now: at most 500 in 3600 seconds"),
    (503, "", "ssh_key_info", "web service is down for maintenance"),
    (404, "SERVER_NOT_FOUND", "boot", "Robot knows no server 321"),
    (404, "BOOT_NOT_AVAILABLE", "boot", "Robot offers no rescue system for server 321"),
    (409, "BOOT_ALREADY_ENABLED", "boot", "Another boot configuration was activated for server 321 at the same time"),
    (409, "BOOT_BLOCKED", "boot", "Robot has blocked the boot configuration of server 321"),
    (400, "INVALID_INPUT", "boot", "the rescue system only keys that are deposited in Robot"),
    (409, "RESET_MANUAL_ACTIVE", "reset", "A technician has been asked to reset server 321"),
    (500, "RESET_FAILED", "reset", "Robot failed to reset server 321"),
    (404, "RESET_NOT_AVAILABLE", "reset_info", "Server 321 cannot be reset by Robot"),
    (404, "FIREWALL_NOT_AVAILABLE", "firewall_info", "Server 321 has no firewall in Robot"),
    (409, "FIREWALL_IN_PROCESS", "firewall", "The firewall of server 321 is still being set up"),
    (500, "INTERNAL_ERROR", "ssh_key_info", "Robot refused the request"),
]


def test_each_fault_of_robot_is_told_with_what_to_do(bench: Bench, tmp_path: Path) -> None:
    """The texts of the real modules, each in one play."""
    for status, code, module, _told in FAULTS:
        extra: dict[str, Any] = {"max_request": 500, "interval": 3600} if status == 403 else {}
        extra |= {"missing": None, "invalid": ["authorized_key"]} if status == 400 else {}
        method = "POST" if module in ("boot", "reset", "firewall") and status != 404 else "GET"
        bench.robot.fail(f"{method} /{module.split('_')[-2 if 'info' in module else -1]}", status, code, code, **extra)
    login = {"hetzner_user": bench.robot.user, "hetzner_password": PASSWORD, "rate_limit_retry_timeout": 0}
    tasks = [
        {
            "block": [{f"community.hrobot.{module}": {**MODULES[module], **login}}],
            "rescue": [{"debug": {"msg": "{{ ansible_failed_result | toolserve.gpunode.robot_failure(321) }}"}}],
        }
        for _status, _code, module, _told in FAULTS
    ]
    said = bench.run([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}])
    explained = said.split("TASK [debug]")[1:]
    assert len(explained) == len(FAULTS)
    for (_status, _code, _module, told), text in zip(FAULTS, explained, strict=True):
        assert told in text


def test_a_wrong_password_is_tried_once(bench: Bench) -> None:
    said = bench.play(*INTO_RESCUE, hetzner_bootstrap_robot_password="wrong")
    assert "Robot does not accept this user and password" in said and "for ten minutes" in said
    assert [request.status for request in bench.robot.requests] == [401]


def test_no_way_to_robot(bench: Bench) -> None:
    bench.robot._environment |= {"HTTPS_PROXY": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
    assert "This machine does not reach https://robot-ws.your-server.de" in bench.play("robot_server")


def test_a_rescue_system_that_never_comes_up(bench: Bench) -> None:
    bench.server.heeds_software_reset = False
    said = bench.play(*INTO_RESCUE, hetzner_bootstrap_reset="software")
    assert "has not come up within 4 seconds after a software reset" in said
    assert "may not heed Ctrl+Alt+Del: set hetzner_bootstrap_reset to hardware" in said
    assert not bench.known_hosts.exists()


def test_a_host_key_that_robot_does_not_tell_stops_everything(bench: Bench) -> None:
    bench.reported = {"ssh-ed25519": "SHA256:" + "A" * 43}
    before = f"{bench.name} {bench.login}\n"
    bench.known_hosts.write_text(before)
    said = bench.play(*INTO_RESCUE)
    for key in read("\n".join(bench.ssh.keys)):
        assert key.shown in said
    assert "A" * 43 in said and "somebody stands in between" in said
    assert bench.known_hosts.read_text() == before


def test_a_rescue_system_that_was_started_by_hand_is_checked_by_its_fingerprints(bench: Bench) -> None:
    bench.ssh.keys = (host_key(bench.keys), host_key(bench.keys, "ecdsa"))
    right, other = read("\n".join(bench.ssh.keys))
    for fingerprint in (right.sha256, f"MD5:{right.md5.upper()}"):
        bench.known_hosts.write_text("")
        bench.play("rescue_host_key", passes=True, hetzner_bootstrap_rescue_host_key_fingerprints=[fingerprint])
        assert bench.knows(right.text) and not bench.knows(other.text)
    bench.ssh.keys = (host_key(bench.keys),)
    said = bench.play("rescue_host_key", hetzner_bootstrap_rescue_host_key_fingerprints=[right.sha256])
    assert "shows a host key that the rescue system of hetzner_bootstrap_rescue_host_key_fingerprints has not" in said
    assert bench.knows(right.text)


def test_the_new_systems_keys_are_known_before_it_starts(bench: Bench) -> None:
    rescue, installed = host_key(bench.keys), host_key(bench.keys)
    log = bench.folder / "installimage.log"
    log.write_text(
        f"\x1b[1mExecuting post installation script\r\ngpunode-host-key: {installed}\nINSTALLATION COMPLETE\n"
    )
    bench.known_hosts.write_text(f"{bench.name} {rescue}\nother.example {bench.login}\n")
    settings = {"ansible_connection": "local", "__hetzner_bootstrap_install_log": str(log)}
    bench.play("host_keys", passes=True, **settings)
    assert bench.knows(rescue, installed)  # the rescue system still runs
    awaited = {
        "what": "the new system",
        "expected": [read(installed)[0].sha256],
        "previous": [read(rescue)[0].sha256],
        "seconds": 3,
    }
    bench.ssh.keys = (rescue,)
    said = bench.play("await_host", __hetzner_bootstrap_awaited=awaited)
    assert "still shows the host key that it had before" in said
    bench.ssh.keys = (installed,)
    bench.play("await_host", passes=True, __hetzner_bootstrap_awaited=awaited)
    assert bench.knows(installed) and "other.example" in bench.known_hosts.read_text()
    bench.ssh.keys = (host_key(bench.keys),)
    said = bench.play("await_host", __hetzner_bootstrap_awaited=awaited)
    assert "somebody stands in between" in said and bench.knows(installed)
    log.write_text("INSTALLATION COMPLETE\n")
    assert "its host keys are not in" in bench.play("host_keys", **settings)


def test_the_rescue_systems_keys_are_forgotten_by_a_later_run(bench: Bench) -> None:
    """The run that installed was cut off before the first boot: known_hosts has the keys of both."""
    rescue, installed, other = (host_key(bench.keys) for _n in range(3))
    bench.ssh.keys = (installed, host_key(bench.keys, "ecdsa"))
    known = f"{bench.name} {rescue}\n{bench.name} {installed}\nother.example {other}\n"
    settings = {"ansible_connection": "local", "__hetzner_bootstrap_state": "installed_wanted"}
    files = ("ssh_target", "own_host_keys")
    bench.known_hosts.write_text(known)
    bench.play(*files, options=("--check",), passes=True, **settings)
    assert bench.knows(rescue, installed)
    bench.play(*files, passes=True, **settings)
    assert bench.knows(installed) and f"other.example {other}" in bench.known_hosts.read_text()
    assert "changed=0" in bench.play(*files, passes=True, **settings)

    bench.ssh.keys = ()  # behind a jump host
    bench.known_hosts.write_text(known)
    bench.play(*files, passes=True, **settings)
    bench.ssh.keys = (other,)  # of none that is known
    bench.play(*files, passes=True, **settings)
    assert bench.knows(rescue, installed)


LOOSE = "-F none -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"ansible_ssh_common_args": LOOSE}, "SSH is told to remember no host keys of 127.0.0.1"),
        ({"ansible_ssh_common_args": LOOSE}, "StrictHostKeyChecking of SSH is no"),
        (
            {"ansible_ssh_common_args": LOOSE, "hetzner_bootstrap_known_hosts": "/tmp/x"},
            "hetzner_bootstrap_known_hosts is /tmp/x, and SSH reads /dev/null",
        ),
        ({"ansible_host_key_checking": False}, "Ansible is told not to check host keys"),
    ],
)
def test_ssh_that_would_log_in_to_anybody_is_refused_before_it_does(
    bench: Bench, settings: dict[str, Any], told: str
) -> None:
    bench.ssh.keys = (host_key(bench.keys),)
    for files in (("state",), INTO_RESCUE):
        assert told in bench.play(*files, **settings)
    assert bench.logins() == 0 and bench.robot.requests == []


def test_host_keys_that_are_not_checked_by_the_environment(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.ssh.keys = (host_key(bench.keys),)
    monkeypatch.setenv("ANSIBLE_HOST_KEY_CHECKING", "False")
    assert "Ansible is told not to check host keys" in bench.play("state") and bench.logins() == 0
    monkeypatch.delenv("ANSIBLE_HOST_KEY_CHECKING")
    bench.play("state", passes=True)
    assert bench.logins() > 0


class TestFirewall:
    def test_it_is_set_up_once_and_ssh_is_tried_anew(self, bench: Bench) -> None:
        bench.ssh.keys = (host_key(bench.keys),)
        said = bench.play(
            "firewall", options=("--check", "--diff"), passes=True, hetzner_bootstrap_firewall_ports=[443]
        )
        assert bench.changes() == [] and "TCP 443" in said
        bench.play("firewall", passes=True, hetzner_bootstrap_firewall_ports=[443])
        assert bench.changes() == [f"POST /firewall/{NUMBER}"]
        rules = bench.server.firewall["rules"]
        assert bench.server.firewall["status"] == "active"
        assert [rule["dst_port"] for rule in rules["input"]][:2] == [str(bench.ssh.port), "443"]
        bench.play("firewall", passes=True, hetzner_bootstrap_firewall_ports=[443])
        assert bench.changes() == []

    def test_one_that_locks_out_is_taken_back(self, bench: Bench) -> None:
        shown = bench.ssh.keys = (host_key(bench.keys),)
        allow = {"name": "all", "action": "accept"}
        bench.server.set_firewall(
            {"status": ["active"], **{f"rules[input][0][{name}]": [value] for name, value in allow.items()}}
        )
        before = json.loads(json.dumps(bench.server.firewall))

        def only_the_old_one_lets_in(server: Server) -> None:
            bench.ssh.keys = shown if server.firewall["rules"]["input"][0]["name"] == "all" else ()

        bench.robot.on_firewall = only_the_old_one_lets_in
        said = bench.play("firewall")
        assert "SSH no longer answered" in said and "as it was before" in said
        assert bench.server.firewall == before
        assert bench.changes() == [f"POST /firewall/{NUMBER}"] * 2

    def test_one_that_cannot_be_taken_back(self, bench: Bench) -> None:
        bench.ssh.keys = (host_key(bench.keys),)

        def locks_out(_server: Server) -> None:
            bench.ssh.keys = ()
            bench.robot.limit = (0, 3600)

        bench.server.polls_until_firewall = 0
        bench.robot.on_firewall = locks_out
        said = bench.play("firewall")
        assert "could not be put back" in said and "Robot takes no more requests" in said
        assert f"Disable the firewall of server {NUMBER} in Robot" in said

    def test_one_of_another_server_is_left_alone(self, bench: Bench) -> None:
        bench.ssh.keys = (host_key(bench.keys),)
        bench.server.ip = "192.0.2.7"
        said = bench.play("firewall")
        assert "The inventory leads to 127.0.0.1, but server 321 has 192.0.2.7" in said
        assert bench.changes() == []

    def test_one_is_proven_when_it_is_in_force(self, bench: Bench) -> None:
        """The module only warns where the switch takes longer, and the rules from before still let in."""
        bench.ssh.keys = (host_key(bench.keys),)
        bench.server.polls_until_firewall = 99
        slow = {"__hetzner_bootstrap_firewall_timeout_seconds": 1, "__hetzner_bootstrap_firewall_in_force_seconds": 1}
        said = bench.play("firewall", **slow)
        assert "is still being set up" in said and "not in force yet" in said and "Log in through it" not in said
        bench.server._polls_left = 0
        bench.server.polls_until_firewall = 4
        slow["__hetzner_bootstrap_firewall_in_force_seconds"] = 30
        said = bench.play("firewall", passes=True, hetzner_bootstrap_firewall_ports=[443], **slow)
        assert "Log in through it" in said and bench.server._polls_left == 0

    def test_one_that_robot_is_still_at(self, bench: Bench) -> None:
        bench.ssh.keys = (host_key(bench.keys),)
        bench.robot.fail("POST /firewall", 409, "FIREWALL_IN_PROCESS", "The firewall is currently being configured")
        assert "is still being set up" in bench.play("firewall")


def test_bad_settings_are_refused_before_anything_is_asked(bench: Bench) -> None:
    said = bench.play(
        "inputs",
        hetzner_bootstrap_robot_password="",
        hetzner_bootstrap_rescue_host_key_fingerprints=["ab:cd"],
        hetzner_bootstrap_firewall="managed",
        hetzner_bootstrap_firewall_ports=list(range(8000, 8009)),
        __hetzner_bootstrap_robot_collections=["community.hrobot", "community.none"],
    )
    assert "The collection community.none is missing" in said and "community.hrobot is missing" not in said
    assert "ansible-galaxy collection install community.none" in said
    for told in ("Robot needs a user and a password", "'ab:cd' is no fingerprint", "Robot takes 10"):
        assert told in said
    assert bench.robot.requests == []


def test_the_dynamic_inventory_of_the_examples(bench: Bench) -> None:
    gpu = Server(NUMBER, "192.0.2.7", name="gpu1")
    coming = Server(322, "192.0.2.8", name="gpu2", status="in process")
    bench.robot.servers = [gpu, coming, Server(11, "192.0.2.9", name="www", product="EX44")]
    command = [sys.executable, "-m", "ansible", "inventory", "-i", "inventory.example/hetzner/robot.yml", "--list"]
    environment = {**os.environ, **bench.robot.environment()}
    said = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=True).stdout
    inventory = json.loads(said)
    assert inventory["gpunodes"]["hosts"] == ["gpu1"]
    known = inventory["_meta"]["hostvars"]
    assert set(known) == {"gpu1", "gpu2"}
    texts = {name: value.get("__ansible_unsafe") for name, value in known["gpu1"].items() if isinstance(value, dict)}
    assert (texts["ansible_host"], texts["ansible_user"]) == ("192.0.2.7", "root")
    assert known["gpu1"]["hetzner_bootstrap_server_number"] == NUMBER
    assert PASSWORD not in said and bench.changes() == []
