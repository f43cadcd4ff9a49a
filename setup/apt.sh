#!/bin/sh
# Installs Debian packages, as root, with nothing asked. Fetches the lists first where there are none.
set -eu
export DEBIAN_FRONTEND=noninteractive
install() { apt-get install --yes --no-install-recommends -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 "$@"; }

# The lists may be missing, as in most containers, or name packages that the mirror has replaced.
install --quiet=2 "$@" >&2 2>/dev/null || {
	apt-get update --quiet=2 >&2 || echo "==> apt-get update had trouble; going on with what there is" >&2
	install --quiet=2 "$@" >&2
}
