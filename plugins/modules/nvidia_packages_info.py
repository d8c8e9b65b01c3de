#!/usr/bin/python
# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: nvidia_packages_info
short_description: Look at the NVIDIA driver of a machine and plan what to do about it
version_added: 0.1.0
description:
  - Reads everything that the state of a driver follows from. This is dpkg and its holds, apt's candidates and their
    origins, repositories and keys, DKMS, the kernels with their headers and modules, libcuda.so.1, the GPUs, Secure
    Boot, traces of NVIDIA's C(.run) file, and whether a reboot is outstanding.
  - Makes a plan from it for the driver that the options ask for. The plan says what to purge and why, what to pin and
    to install, which kernel headers, why to reboot, and what stands in the way.
  - A driver with which CUDA works and that is not older than O(minimum_version) is not replaced, whoever installed it
    and however, unless O(replace_healthy=true). What would speak against it is told as a warning. Where dpkg was cut
      off in packages of another branch, it is left alone too, and that is a reason to stop.
  - A driver that is sound is left alone, whatever its branch. Sound means that all its packages are of one vendor and
    one branch and fully installed, that libcuda.so.1 is there and of the version of the kernel module, that it drives
    the GPUs of the machine, and that it is not older than O(minimum_version).
  - Only packages of the driver are ever purged, and each with a reason. The container toolkit, the libraries of CUDA
    and packages of others are no part of the driver.
  - Nothing is changed. The role P(toolserve.gpunode.nvidia_driver#role) carries the plan out.
extends_documentation_fragment:
  - toolserve.gpunode.attributes
  - toolserve.gpunode.attributes.read_only
options:
  source:
    description:
      - Who packages the driver.
      - V(nvidia) is NVIDIA's own repository.
      - V(distribution) is Ubuntu's C(restricted) with kernel modules that Canonical has built and signed, or Debian's
        C(non-free), which has one branch only.
    type: str
    choices: [nvidia, distribution]
    default: nvidia
  branch:
    description: The driver branch, three digits. Debian's own packages have the branch that Debian has.
    type: str
    default: "595"
  flavour:
    description:
      - Which kernel modules.
      - V(auto) takes the open ones where a GPU needs them (Grace Hopper, Blackwell) or where they are there already in
        this branch, else the proprietary ones.
    type: str
    choices: [auto, proprietary, open]
    default: auto
  headless:
    description: Only what CUDA needs, without the parts that draw.
    type: bool
    default: false
  minimum_version:
    description:
      - The oldest driver that will do, such as V(580.65.06) for CUDA 13.0. Without it any version will.
    type: str
    default: ""
  replace_healthy:
    description: Plan to replace a driver that is sound or that works too, if it is not the one asked for.
    type: bool
    default: false
  remove_runfile:
    description: Consent to NVIDIA's own uninstaller where a C(.run) file has installed a driver.
    type: bool
    default: false
  change_held:
    description: Consent to changing packages that are on hold.
    type: bool
    default: false
  accept_secure_boot:
    description:
      - Statement that the kernel takes modules that DKMS builds here although Secure Boot is on.
      - Not needed where a module that DKMS has built is loaded, or where its key is enrolled.
    type: bool
    default: false
  repository_url:
    description:
      - NVIDIA's repository, if it is a mirror. Other files that name it are planned to be put aside.
    type: str
    default: ""
  owed:
    description:
      - Packages beside the driver, such as C(nvidia-fabricmanager), that an interrupted run has removed and not brought
        back yet.
    type: list
    elements: str
    default: []
  lock_timeout:
    description:
      - How many seconds to wait for a process that holds a lock of dpkg, such as unattended-upgrades, before the node
        is looked at again. Waited for only where there is something to do.
    type: int
    default: 600
notes:
  - Needs Python 3.10 or later on the target, and nothing else. Run it as root (C(become)).
  - It does not refresh apt's package lists. Where they were never read, what apt has is taken for granted; what lists
    of more than an hour ago lack is no reason to stop.
  - Where a kernel module of NVIDIA's is loaded and C(libcuda.so.1) is there, it starts CUDA to see whether that works,
    as M(toolserve.gpunode.cuda_check) does.
seealso:
  - module: toolserve.gpunode.gpu_info
  - name: NVIDIA Driver Installation Guide
    description: NVIDIA's repositories, package names and pinning.
    link: https://docs.nvidia.com/datacenter/tesla/driver-installation-guide/
author:
  - toolserve.gpunode authors (@toolserve)
"""

EXAMPLES = r"""
---
- name: Look at the driver and plan
  toolserve.gpunode.nvidia_packages_info:
    branch: "595"
    minimum_version: 580.65.06
  become: true
  register: driver

- name: Show what would be done, and why
  ansible.builtin.debug:
    var: driver.plan.text

- name: Stop where the plan says so
  ansible.builtin.assert:
    that: driver.plan.stops | length == 0
    fail_msg: "{{ driver.plan.stops | join('\n') }}"

- name: Which packages of whom are there
  ansible.builtin.debug:
    msg: "{{ item.name }} {{ item.version }} ({{ item.vendor }}, branch {{ item.branch }}, {{ item.state }})"
  loop: "{{ driver.facts.packages }}"
  loop_control:
    label: "{{ item.name }}"

- name: Plan for a node with Secure Boot, with Ubuntu's signed modules
  toolserve.gpunode.nvidia_packages_info:
    source: distribution
    branch: "580"
    flavour: open
    headless: true
  become: true
"""

RETURN = r"""
facts:
  description: What was read.
  type: dict
  returned: always
  contains:
    distribution:
      description: The V(id) and V(release) of os-release, and dpkg's V(architecture).
      type: dict
      returned: always
    packages:
      description: The packages of the driver that dpkg knows, also those of which only the configuration is left.
      type: list
      elements: dict
      returned: always
      contains:
        name:
          description: Its name.
          type: str
          returned: always
        version:
          description: Its version, with Debian revision.
          type: str
          returned: always
        architecture:
          description: Its architecture.
          type: str
          returned: always
        state:
          description: As dpkg abbreviates it, such as V(ii), V(rc), V(iF).
          type: str
          returned: always
        held:
          description: Whether it is on hold.
          type: bool
          returned: always
        vendor:
          description: Who packaged it, one of V(ubuntu), V(debian), V(nvidia), V(unknown).
          type: str
          returned: always
        branch:
          description: Its driver branch; V(null) for a helper with a version of its own.
          type: str
          returned: always
        kind:
          description:
            - V(stack) is a part of the driver that must be of its branch. V(pinning) is a pin that NVIDIA packages.
              V(helper) has a version of its own and stands in nobody's way.
          type: str
          returned: always
    dkms:
      description: NVIDIA's modules in DKMS, each with V(module), V(version), V(kernel) and V(status).
      type: list
      elements: dict
      returned: always
    kernels:
      description: The kernels, by the names that C(uname -r) prints.
      type: dict
      returned: always
      contains:
        running:
          description: The one that runs.
          type: str
          returned: always
        newest_installed:
          description: The newest in C(/boot); the running one where nothing is there.
          type: str
          returned: always
        next_boot:
          description: The one that boots next, if nobody has chosen another in the boot loader.
          type: str
          returned: always
        installed:
          description: Those in C(/boot), the oldest first.
          type: list
          elements: str
          returned: always
        headers_installed:
          description: Those whose headers are installed.
          type: list
          elements: str
          returned: always
        meta_headers_package:
          description: The package that brings the headers of later kernels too; V(null) where none fits.
          type: str
          returned: always
    module:
      description: NVIDIA's kernel module.
      type: dict
      returned: always
      contains:
        loaded_version:
          description: The version that is loaded; V(null) for none.
          type: str
          returned: always
        open:
          description: Whether the loaded one is of the open flavour.
          type: bool
          returned: always
        on_disk:
          description: The version on disk, by kernel; a kernel without the module is absent.
          type: dict
          returned: always
    libcuda:
      description: The library that CUDA programs load.
      type: dict
      returned: always
      contains:
        path:
          description: Where it is; V(null) for nowhere.
          type: str
          returned: always
        version:
          description: From the name of the file that it leads to.
          type: str
          returned: always
        package:
          description: The package that it belongs to; V(null) if dpkg knows none.
          type: str
          returned: always
    modules_loadable:
      description: Whether kernel modules can be loaded; V(false) in a container that has those of its host.
      type: bool
      returned: always
    cuda:
      description:
        - Whether CUDA works, with the return values of M(toolserve.gpunode.cuda_check); V(null) where it was not
          started, because there is no C(libcuda.so.1) or no kernel module is loaded.
      type: dict
      returned: always
    gpus:
      description:
        - NVIDIA's GPUs on the PCI bus with V(pci_address), V(pci_id) and the V(kernel_driver) that holds each.
      type: list
      elements: dict
      returned: always
    nouveau_loaded:
      description: Whether nouveau or nova is loaded.
      type: bool
      returned: always
    secure_boot:
      description: Whether Secure Boot is on; V(null) where it cannot be read.
      type: bool
      returned: always
    secure_boot_key_enrolled:
      description:
        - Whether the key that DKMS signs modules with is enrolled; V(null) unless Secure Boot is on.
      type: bool
      returned: always
    runfile:
      description: The V(uninstaller) of NVIDIA's C(.run) file, if it is there, and all V(traces) of one.
      type: dict
      returned: always
    snap_docker:
      description: Whether Docker is installed as a snap. It does not see the host's container toolkit.
      type: bool
      returned: always
    repositories:
      description: Repositories of NVIDIA's software that apt is told of, each with V(path), V(uri) and V(signed_by).
      type: list
      elements: dict
      returned: always
    keys:
      description: Files with keys of NVIDIA's repositories.
      type: list
      elements: str
      returned: always
    reboot_required_file:
      description: Whether the distribution asks for a reboot.
      type: bool
      returned: always
    boot_free_bytes:
      description: The free space of C(/boot).
      type: int
      returned: always
    policy:
      description:
        - What apt has V(installed) and what it would install (V(candidate)), by the names that matter to the plan.
      type: dict
      returned: always
plan:
  description: What to do, in the order of its fields.
  type: dict
  returned: always
  contains:
    state:
      description:
        - V(healthy) if the driver stays. V(install) if there is none. V(repair) if there is a conflict. V(stopped) if
          the plan must not be carried out; its other fields then say what would be done.
      type: str
      returned: always
    target:
      description: The driver that is asked for, in words.
      type: str
      returned: always
    conflicts:
      description: V(what) was found and V(why) it cannot stay.
      type: list
      elements: dict
      returned: always
    dpkg_finish:
      description: Packages that dpkg was cut off in and has to finish first (C(dpkg --configure)).
      type: list
      elements: str
      returned: always
    hold_changes:
      description: Packages whose hold is in the way.
      type: list
      elements: str
      returned: always
    runfile_uninstall:
      description: Whether NVIDIA's own uninstaller has to run.
      type: bool
      returned: always
    purge:
      description:
        - The packages to purge, each with V(name), V(version) and V(why). The name ends in an architecture if that is
          not the machine's own.
      type: list
      elements: dict
      returned: always
    purge_forced:
      description:
        - Whether apt can purge nothing on this node, so that dpkg has to do it (C(dpkg --purge --force-depends)).
          Rehearse what comes after it first, on what M(toolserve.gpunode.dpkg_status_copy) writes.
      type: bool
      returned: always
    dkms_remove:
      description:
        - Modules in DKMS that no package looks after, as C(dkms remove --all) takes them, such as
          V(nvidia/550.54.15).
      type: list
      elements: str
      returned: always
    remove_files:
      description: Files with nothing but sources that are in the way, each with V(path) and V(why).
      type: list
      elements: dict
      returned: always
    pin:
      description: V(path) and V(content) of apt's preferences; V(null) where no driver is installed.
      type: dict
      returned: always
    kept_pin:
      description:
        - V(path) and V(content) of the preferences that would hold apt to the branch of a driver that stays. They are
          no part of what is to be done. V(null) where no driver stays, or its branch is not known.
      type: dict
      returned: always
    headers:
      description: Packages with kernel headers, and with a kernel where RV(plan.kernel_upgrade) says so.
      type: list
      elements: str
      returned: always
    kernel_upgrade:
      description: Whether a newer kernel has to be installed, because the headers of the running one are nowhere.
      type: bool
      returned: always
    reboot_first:
      description: Reasons to reboot after the headers and before the driver. They are in RV(plan.reboot_reasons) too.
      type: list
      elements: str
      returned: always
    install:
      description: The packages to install or bring up to their candidate.
      type: list
      elements: str
      returned: always
    candidates:
      description: What the candidate of each must match once the pin is in place, such as V(595.*).
      type: dict
      returned: always
    dkms_autoinstall:
      description: Kernels that lack the module of a driver that is sound otherwise (C(dkms autoinstall -k)).
      type: list
      elements: str
      returned: always
    reboot_reasons:
      description: Why to reboot, now or after the install. Ask again after the install what is left of them.
      type: list
      elements: str
      returned: always
    stops:
      description: Why the plan must not be carried out, each with what to do about it.
      type: list
      elements: str
      returned: always
    warnings:
      description: What does not stand in the way but should be known.
      type: list
      elements: str
      returned: always
    empty:
      description: Whether there is nothing to do, to reboot for or to stop at.
      type: bool
      returned: always
    text:
      description: The plan as lines to read.
      type: list
      elements: str
      returned: always
"""

import re
import time
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.toolserve.gpunode.plugins.module_utils import (
    dpkg_lock,
    nvidia_collateral,
    nvidia_facts,
    nvidia_plan_text,
    nvidia_planner,
    nvidia_stops,
)
from ansible_collections.toolserve.gpunode.plugins.module_utils.command import ask
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_facts import NodeFacts
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_plan import Plan
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_target import Wish

_ROOT = Path("/")
_LOCK_POLL_SECONDS = 5
_BRANCH = re.compile(r"\d{3}")
_VERSION = re.compile(r"\d{3}(\.\d+)+")


def _settled(wish: Wish, seconds: int) -> tuple[NodeFacts, Plan]:
    """What is seen while another process changes packages is only half of it: wait for that, and look again."""
    deadline = time.monotonic() + seconds
    while True:
        facts = nvidia_facts.look(wish, _ROOT, ask)
        plan = nvidia_planner.make(facts, wish)
        nvidia_collateral.add(plan, facts, ask)
        holder = dpkg_lock.holder(_ROOT)
        if holder is None or not plan.changes:
            return facts, plan
        if time.monotonic() >= deadline:
            nvidia_stops.add_locked(plan, holder, seconds)
            return facts, plan
        time.sleep(_LOCK_POLL_SECONDS)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "source": {"type": "str", "choices": ["nvidia", "distribution"], "default": "nvidia"},
            "branch": {"type": "str", "default": "595"},
            "flavour": {"type": "str", "choices": ["auto", "proprietary", "open"], "default": "auto"},
            "headless": {"type": "bool", "default": False},
            "minimum_version": {"type": "str", "default": ""},
            "replace_healthy": {"type": "bool", "default": False},
            "remove_runfile": {"type": "bool", "default": False},
            "change_held": {"type": "bool", "default": False},
            "accept_secure_boot": {"type": "bool", "default": False},
            "repository_url": {"type": "str", "default": ""},
            "owed": {"type": "list", "elements": "str", "default": []},
            "lock_timeout": {"type": "int", "default": 600},
        },
        supports_check_mode=True,
    )
    wish = Wish(**{name: value for name, value in module.params.items() if name != "lock_timeout"})
    if not _BRANCH.fullmatch(wish.branch):
        module.fail_json(msg=f"branch is {wish.branch!r}. A driver branch has three digits, such as 595.")
    if wish.minimum_version and not _VERSION.fullmatch(wish.minimum_version):
        module.fail_json(msg=f"minimum_version is {wish.minimum_version!r}. A driver version looks like 580.65.06.")
    facts, plan = _settled(wish, module.params["lock_timeout"])
    module.exit_json(
        changed=False, facts=facts.as_dict(), plan={**plan.as_dict(), "text": nvidia_plan_text.lines(plan)}
    )


if __name__ == "__main__":
    main()
