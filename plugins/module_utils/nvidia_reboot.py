# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why a node has to boot again before its driver can work."""

from __future__ import annotations

from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_facts import NodeFacts

# Of a new kernel, the one that boots next tells; the headers come for it.
_RELATED = ("nvidia", "libnvidia")


def reasons(facts: NodeFacts, replaced_by: str = "") -> list[str]:
    """The reasons that hold now.

    :param replaced_by: the driver that is about to be installed, or nothing.
    """
    found = (
        _other_driver(facts),
        _replaced(facts, replaced_by) if replaced_by else _loaded_is_not_on_disk(facts),
        "" if replaced_by else _loaded_is_not_of_libcuda(facts),
        "" if replaced_by else _other_flavour(facts),
        "" if replaced_by else _kernel_without_module(facts),
        _requested(facts),
    )
    return [reason for reason in found if reason]


def unrelated_request(facts: NodeFacts) -> str:
    """What to tell where the node wants a reboot, but not for the driver."""
    if facts.reboot_required is None or _requested(facts):
        return ""
    packages = ", ".join(dict.fromkeys(facts.reboot_required)) or "what it does not name"
    return f"The node asks for a reboot because of {packages}. The driver does not need it."


def _other_driver(facts: NodeFacts) -> str:
    name = facts.module.other_driver
    if name is None:
        return ""
    return (
        f"The driver {name} is loaded. It holds the GPU, and NVIDIA's module cannot take it over while the system runs."
    )


def _replaced(facts: NodeFacts, replaced_by: str) -> str:
    loaded = facts.module.loaded_version
    if not loaded:
        return ""
    return f"The kernel module {loaded} is loaded and stays in memory while {replaced_by} takes its place on disk."


def _loaded_is_not_on_disk(facts: NodeFacts) -> str:
    loaded, disk = facts.module.loaded_version, facts.module.on_disk.get(facts.kernels.running)
    if not loaded or disk is None or disk.version == loaded:
        return ""
    return f"The kernel module {loaded} is loaded, on disk is {disk.version}. Only a boot exchanges it for certain."


def _loaded_is_not_of_libcuda(facts: NodeFacts) -> str:
    loaded, library = facts.module.loaded_version, facts.libcuda.version
    disk = facts.module.on_disk.get(facts.kernels.running)
    if not loaded or not library or loaded == library or (disk and disk.version != loaded):
        return ""
    return (
        f"The kernel module {loaded} is loaded, libcuda.so.1 is {library}. Programs fail with CUDA error 803 until "
        "both are the same."
    )


def _other_flavour(facts: NodeFacts) -> str:
    loaded, disk = facts.module.open_flavour, facts.module.on_disk.get(facts.kernels.running)
    if loaded is None or disk is None or disk.open_flavour in (None, loaded):
        return ""
    words = {True: "open", False: "proprietary"}
    return f"The {words[loaded]} kernel module is loaded, on disk is the {words[disk.open_flavour is True]} one."


def _kernel_without_module(facts: NodeFacts) -> str:
    running, upcoming, on_disk = facts.kernels.running, facts.kernels.next_boot, facts.module.on_disk
    if running in on_disk or upcoming not in on_disk:
        return ""
    return f"The running kernel {running} has no NVIDIA module; {upcoming}, which boots next, has one."


def _requested(facts: NodeFacts) -> str:
    """A request of the driver's own packages; it is settled where library and loaded module are in step."""
    packages = facts.reboot_required or ()
    loaded = facts.module.loaded_version
    if not any(name.startswith(_RELATED) for name in packages) or (loaded and loaded == facts.libcuda.version):
        return ""
    return f"The node asks for a reboot in /run/reboot-required ({', '.join(dict.fromkeys(packages))})."
