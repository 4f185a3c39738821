#!/usr/bin/env bash
# Make .venv from requirements-dev.lock (`create`), then put this package into it (`install`).
set -euo pipefail

minimum='3.11'
torch='torch==2.13.0+cpu'

has_uv() { uv --version >/dev/null 2>&1; }

# A name on PATH may be a shim that runs nothing: ask each candidate itself.
find_python() {
  local candidate
  for candidate in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
      "$candidate" -c 'import sys; print(sys.executable)'
      return
    fi
  done
  {
    echo "error: no Python >= $minimum found (looked for ${PYTHON:+$PYTHON, }python3, python3.14 ... python3.11)"
    echo "  hint: install one, or say where it is: make ${MAKECMDGOALS:-test} PYTHON=/path/to/python3"
  } >&2
  exit 1
}

create() {
  local python
  python=$(find_python)
  rm -rf .venv
  if has_uv; then
    echo "environment: .venv from requirements-dev.lock ($("$python" --version), uv)"
    uv venv --quiet --python "$python" .venv
    # Compiled now, as pip does: otherwise every start pays where PYTHONDONTWRITEBYTECODE is set.
    uv pip install --quiet --python .venv/bin/python --compile-bytecode \
      --require-hashes -r requirements-dev.lock
  else
    echo "environment: .venv from requirements-dev.lock ($("$python" --version), pip: a few minutes)"
    if ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
      echo "error: $python has no venv module" >&2
      echo "  hint: make setup-system (as root, on Debian), or install uv" >&2
      exit 1
    fi
    "$python" -m venv .venv
    .venv/bin/python -m pip install --quiet --disable-pip-version-check \
      --require-hashes -r requirements-dev.lock
  fi
}

# The build backend is in the lock, so nothing is downloaded here.
install() {
  if has_uv; then
    uv pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation -e .
  else
    .venv/bin/python -m pip install --quiet --disable-pip-version-check \
      --no-deps --no-build-isolation -e .
  fi
}

# torch: package indexes have builds of several gigabytes; tests want the CPU's, where pip finds one
# (a folder of wheels, an index of CPU builds). What it depends on is in the lock.
find_torch() {
  local python
  python=$(find_python)
  if "$python" -m pip --python .venv/bin/python install --quiet --disable-pip-version-check \
    --no-deps "$torch" >/dev/null 2>&1; then
    echo "environment: $torch"
  else
    echo "environment: $torch is on no index of this machine's pip: tests of torch are left out"
  fi
}

case "${1:-}" in
  create) create && find_torch ;;
  install) install ;;
  *) echo "usage: tools/environment.sh create|install" >&2; exit 2 ;;
esac
