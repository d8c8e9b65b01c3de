# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each role's argument_specs name exactly its defaults, with the same values."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

ROLES = Path(__file__).parents[3] / "roles"
ENTRY_POINTS = [
    pytest.param(role, entry, id=f"{role.name}/{entry}")
    for role in sorted(ROLES.iterdir())
    for entry in yaml.safe_load((role / "meta/argument_specs.yml").read_text())["argument_specs"]
]


def read(path: Path):
    return yaml.safe_load(path.read_text())


@pytest.mark.parametrize("role", sorted(ROLES.iterdir()), ids=lambda role: role.name)
def test_main_lists_exactly_the_defaults(role):
    options = read(role / "meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    optional = {name for name, option in options.items() if not option.get("required")}
    assert optional == set(read(role / "defaults/main.yml"))


@pytest.mark.parametrize(("role", "entry"), ENTRY_POINTS)
def test_documented_defaults_are_the_real_ones(role, entry):
    defaults = read(role / "defaults/main.yml")
    options = read(role / "meta/argument_specs.yml")["argument_specs"][entry].get("options", {})
    documented = {name: option["default"] for name, option in options.items() if "default" in option}
    assert documented == {name: defaults[name] for name in documented}


@pytest.mark.parametrize(("role", "entry"), ENTRY_POINTS)
def test_options_are_described_and_named_after_the_role(role, entry):
    for name, option in read(role / "meta/argument_specs.yml")["argument_specs"][entry].get("options", {}).items():
        assert name.startswith(f"{role.name}_")
        assert option["description"]
        assert option["type"]


@pytest.mark.parametrize(("role", "entry"), ENTRY_POINTS)
def test_every_entry_point_has_its_tasks(role, entry):
    assert (role / f"tasks/{entry}.yml").is_file()
