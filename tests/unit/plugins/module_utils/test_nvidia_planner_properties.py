# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What holds for every node: generated dpkg states, half-installed, held, mixed, with toolkit and foreign packages."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ansible_collections.toolserve.gpunode.plugins.module_utils import nvidia_package
from ansible_collections.toolserve.gpunode.plugins.module_utils.dpkg_status import Package
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_plan import HEALTHY
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_target import Wish
from ansible_collections.toolserve.gpunode.tests.unit.plugins.fake_node import (
    DEBIAN_STACK,
    GH200,
    NVIDIA_STACK,
    RTX_PRO_6000_BLACKWELL,
    SFF_ADA,
    UBUNTU_STACK,
    V100,
    FakeNode,
)
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

TOOLKIT = (
    *("nvidia-container-toolkit", "nvidia-container-toolkit-base", "libnvidia-container1", "libnvidia-container-tools"),
    *("nvidia-container-runtime", "nvidia-docker2"),
)
FOREIGN = (
    *("nvidia-cuda-toolkit", "cuda-compat-13-0", "cuda-toolkit-13-0", "libcudart12", "libcudnn9-cuda-12", "libnccl2"),
    *("firmware-nvidia-graphics", "nvidia-vaapi-driver", "nvidia-fs-dkms", "nvidia-driver-assistant", "nvtop"),
    *("libc6", "docker-ce", "postfix", "zfs-dkms", "xserver-xorg-core", "linux-image-6.8.0-45-generic"),
    *("linux-modules-extra-6.8.0-45-generic", "nvidia-openjdk-8-jre", "nvidia-texture-tools"),
)
STATES = ("ii", "ii", "ii", "hi", "rc", "iU", "iF", "iH", "iHR", "iW")
VERSIONS = {
    "535": "535.288.01-0ubuntu0.24.04.1",
    "550": "550.163.01-0ubuntu0.24.04.1",
    "580": "580.178.04-1ubuntu1",
    "595": "595.91.07-1ubuntu1",
    "610": "610.57.04-1",
}
STACKS = st.sampled_from(
    ["ubuntu 535", "ubuntu 550", "ubuntu 580", "ubuntu 595", "nvidia 580", "nvidia 595", "nvidia 610"]
)
WISHES = st.builds(
    Wish,
    source=st.sampled_from(["nvidia", "nvidia", "distribution"]),
    branch=st.sampled_from(["580", "595", "610"]),
    flavour=st.sampled_from(["auto", "proprietary", "open"]),
    headless=st.booleans(),
    minimum_version=st.sampled_from(["", "570.124.06", "580.65.06"]),
    replace_healthy=st.booleans(),
    remove_runfile=st.booleans(),
    change_held=st.booleans(),
)


@st.composite
def _driver_names(draw: st.DrawFn) -> tuple[str, str]:
    branch = draw(st.sampled_from(sorted(VERSIONS)))
    upstream = VERSIONS[branch].split("-")[0]
    name = draw(st.sampled_from(UBUNTU_STACK + NVIDIA_STACK + DEBIAN_STACK)).format(b=branch, v=upstream)
    return name, draw(st.sampled_from([VERSIONS[branch], f"{upstream}-1"]))


@st.composite
def nodes(draw: st.DrawFn) -> FakeNode:
    """Anything from a virgin node to a heap of leftovers; the test says in which folder it lies."""
    node = FakeNode(Path("nowhere"))
    for stack in draw(st.lists(STACKS, max_size=2)):
        node.install_stack(*stack.split())
    for name, version in draw(st.lists(_driver_names(), max_size=6)):
        node.packages[name] = (draw(st.sampled_from(STATES)), version)
    for name in draw(st.sets(st.sampled_from(TOOLKIT + FOREIGN))):
        version = draw(st.sampled_from(["1.20.0-1", "12.4.131~12.4.1-2", "595.1-1"]))
        node.packages[name] = (draw(st.sampled_from(STATES)), version)
    for name in draw(st.sets(st.sampled_from(sorted(node.packages)), max_size=4)):
        node.packages.pop(name)
    node.holds = draw(st.sets(st.sampled_from([*node.packages, "libc6"]), max_size=2))
    node.gpus = draw(st.sampled_from([(SFF_ADA,), (V100,), (RTX_PRO_6000_BLACKWELL,), (SFF_ADA, GH200)]))
    trees = ["nvidia/550.54.15: added", "nvidia/535.1, 6.8.0-45-generic, x86_64: built", "nvidia-current/535.1: added"]
    node.dkms = draw(st.lists(st.sampled_from(trees), max_size=2))
    node.uninstaller = draw(st.booleans()) and draw(st.booleans())
    node.apt_lists = draw(st.booleans())
    node.loaded = draw(st.sampled_from([None, ("550.163.01", False), ("595.91.07", True)]))
    node.other_driver = draw(st.sampled_from([None, None, "nouveau"]))
    node.reboot_required = draw(st.sampled_from([None, "libc6", "linux-image-generic"]))
    if draw(st.booleans()):
        node.kernels.append("6.8.0-51-generic")
        if draw(st.booleans()):
            node.offered["linux-headers-6.8.0-51-generic"] = [("6.8.0-51.52", "Ubuntu")]
    if draw(st.integers(0, 2)) == 0:
        node.packages.pop(f"linux-headers-{node.running}", None)
        del node.offered[f"linux-headers-{node.running}"]
    if draw(st.booleans()):
        node.offered["linux-image-generic"] = [("6.8.0-99.99", "Ubuntu")]
    node.apt_lists_age_seconds = draw(st.sampled_from([0, 0, 7200]))
    secure_boot = [(None, False), (None, False), (False, False), (True, True), (True, True), (True, False)]
    node.secure_boot, node.mok_enrolled = draw(st.sampled_from(secure_boot))
    node.files = {"var/lib/shim-signed/mok/MOK.der": ""}
    names = [name for name in node.packages if name not in FOREIGN + TOOLKIT]
    if names and draw(st.integers(0, 2)) == 0:
        node.dependents = {draw(st.sampled_from(FOREIGN)): draw(st.sampled_from(names))}
    for name in draw(st.sets(st.sampled_from(NVIDIA_STACK))):
        node.offered[name] = [(VERSIONS[branch], "NVIDIA") for branch in ("595", "580")]
    if draw(st.integers(0, 3)) == 0:
        node.libcuda = draw(st.sampled_from([None, ("570.133.07", None)]))
    if draw(st.integers(0, 3)) == 0:
        node.modules = {}
    if draw(st.booleans()) and node.libcuda:
        node.loaded = (node.libcuda[0], False)
    return node


# A reading writes the folder anew, so that examples may share it.
SETTINGS = settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@SETTINGS
@given(nodes(), WISHES)
def test_only_the_driver_is_purged_and_each_with_a_reason(tmp_path: Path, node: FakeNode, wish: Wish) -> None:
    node.root = tmp_path / "node"
    plan = node.plan(wish)
    for entry in plan.purge:
        assert entry.name in node.packages
        assert entry.name not in TOOLKIT + FOREIGN
        assert entry.why
    touched = {entry.name for entry in plan.purge} | set(plan.install)
    assert not touched & set(TOOLKIT + FOREIGN)
    # A purge has a conflict, or only clears the remains beside an install.
    if any(node.packages[entry.name][0] != "rc" and "pinning" not in entry.name for entry in plan.purge):
        assert plan.conflicts or any("other driver" not in entry.why for entry in plan.purge)


@SETTINGS
@given(nodes(), WISHES)
def test_the_plan_of_an_applied_plan_is_empty(tmp_path: Path, node: FakeNode, wish: Wish) -> None:
    node.root = tmp_path / "node"
    node.apt_lists_age_seconds = 0  # the role reads them again first
    plan = node.plan(wish)
    event(plan.state)
    if plan.stops:
        return
    untouched = {name: node.packages[name] for name in node.packages if name.partition(":")[0] in TOOLKIT + FOREIGN}
    node.apply(plan)
    again = node.plan(wish)
    assert again.empty, (again.state, again.conflicts, again.purge, again.headers, again.reboot_reasons, again.stops)
    for name, (_state, version) in untouched.items():
        assert node.packages[name][1] == version


@SETTINGS
@given(nodes(), WISHES.map(lambda wish: replace(wish, replace_healthy=False)))
def test_what_works_and_is_new_enough_is_not_replaced(tmp_path: Path, node: FakeNode, wish: Wish) -> None:
    node.root = tmp_path / "node"
    facts = node.facts(wish)
    works = facts.cuda_works and not nvidia_package.older(str(facts.libcuda.version), wish.minimum_version)
    event(f"works: {works}")
    if works:
        plan = node.plan(wish)
        assert (plan.purge, plan.install, plan.runfile_uninstall, plan.pin) == ([], [], False, None)


@SETTINGS
@given(nodes(), WISHES)
def test_a_plan_is_the_same_each_time_and_changes_nothing(tmp_path: Path, node: FakeNode, wish: Wish) -> None:
    node.root = tmp_path / "node"
    before = dict(node.packages)
    assert node.plan(wish).as_dict() == node.plan(wish).as_dict()
    assert node.packages == before


@SETTINGS
@given(
    STACKS.filter(lambda stack: stack not in ("ubuntu 535", "ubuntu 550")),
    st.sets(st.sampled_from(TOOLKIT + FOREIGN)),
    st.sampled_from(
        [Wish(), Wish(branch="580"), Wish(flavour="open"), Wish(source="distribution"), Wish(headless=True)]
    ),
)
def test_a_sound_driver_is_never_touched(tmp_path: Path, stack: str, others: set[str], wish: Wish) -> None:
    node = FakeNode(tmp_path / "node")
    version = node.install_stack(*stack.split())
    node.packages |= {name: ("ii", "1.20.0-1") for name in others}
    node.loaded = (version, False)
    plan = node.plan(wish)
    assert (plan.state, plan.changes, plan.reboot_reasons, plan.pin) == (HEALTHY, False, [], None)


@given(st.sampled_from(TOOLKIT + FOREIGN), st.text("0123456789.-~ubuntu:", max_size=20), st.sampled_from(STATES))
def test_no_version_makes_others_part_of_the_driver(name: str, version: str, state: str) -> None:
    assert nvidia_package.kind(Package(name, version, "amd64", state[0], state[1])) is None
