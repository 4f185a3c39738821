#!/usr/bin/env bash
# Install the Debian packages that building, checking and testing need, where they are missing.
set -euo pipefail

missing=()
need() { command -v "$1" >/dev/null 2>&1 || missing+=("$2"); }

need git git
need mount mount       # tests that fill a small tmpfs
need unshare util-linux
need faketime faketime   # tests of clocks that are wrong
need node nodejs       # pyright runs on it
need podman podman     # steps in containers; runc, because crun needs rights that CI may lack
need runc runc
need buildah buildah
need dockerd docker.io
need mmdebstrap mmdebstrap # a base image without a registry
need ceph-mon ceph-mon # a real S3 server
need ceph-osd ceph-osd
need radosgw radosgw
need ceph ceph-common
need docker-registry docker-registry # where models are pulled from
need Rscript r-base-core # steps in R, with a package that Debian builds
[ -d /usr/lib/R/site-library/jsonlite ] || missing+=(r-cran-jsonlite)
# Debian keeps the server's programs off PATH.
compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || missing+=(postgresql)
# uv makes its own environments; without it, venv has to be there.
if ! uv --version >/dev/null 2>&1 && ! python3 -c 'import ensurepip, venv' >/dev/null 2>&1; then
  missing+=(python3-venv)
fi

# A server that speaks Azure's protocol; Debian has none. npm comes with Node, but not with Debian's.
azurite() {
  command -v azurite-blob >/dev/null 2>&1 && return
  if ! command -v npm >/dev/null 2>&1; then
    echo 'setup-system: there is no npm: the tests that need azurite-blob are left out'
  elif ! npm install --global --no-fund --no-audit azurite@3.35.0; then
    echo 'error: azurite could not be installed by npm' >&2
    echo '  hint: run `make setup-system` as root, or see that npm reaches its registry' >&2
    exit 1
  fi
}

if [ ${#missing[@]} -eq 0 ]; then
  azurite
  echo 'setup-system: all Debian packages are there'
  exit 0
fi
if ! command -v apt-get >/dev/null 2>&1 || [ "$(id -u)" -ne 0 ]; then
  echo "error: these Debian packages are missing: ${missing[*]}" >&2
  echo '  hint: run `make setup-system` as root on Debian, or install their like by hand' >&2
  exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -q </dev/null
apt-get install -q -y --no-install-recommends "${missing[@]}" </dev/null
azurite
