#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Unit tests and the syntax of every playbook under the newest supported ansible-core, which needs Python 3.12 or later.
set -eu
cd "$(dirname "$0")/../.."
venv=.venv-newest-core

for python in python3.13 python3.12 "$HOME"/.pyenv/versions/3.13*/bin/python3 "$HOME"/.pyenv/versions/3.12*/bin/python3; do
  if "$python" -c '' 2>/dev/null; then break; fi
  python=
done
if [ -z "$python" ]; then
  echo "Skipped: the newest ansible-core needs Python 3.12 or 3.13, and this machine has neither."
  exit 0
fi

if [ ! "$venv/.ready" -nt pyproject.toml ]; then
  "$python" tests/bench/make_venv.py "$venv" newest-core
  touch "$venv/.ready"
fi
PATH="$PWD/$venv/bin:$PATH"
ansible --version | head -1
pytest -q -p no:cacheprovider --numprocesses auto --dist worksteal
for playbook in site.yml playbooks/*.yml; do
  ansible-playbook --syntax-check -i inventory.example/hosts.yml "$playbook"
done
