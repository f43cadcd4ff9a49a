#!/bin/sh
# Installs Debian packages, as root, with nothing asked. Fetches the lists first where there are none.
set -eu
export DEBIAN_FRONTEND=noninteractive

# apt waits for dpkg's lock, and not for those of its lists and downloads: an apt whose terminal was
# closed, or a timer's, may hold them for a while.
apt() {
	waited=0
	while :; do
		status=0
		said=$(LC_ALL=C.UTF-8 apt-get -o DPkg::Lock::Timeout=300 "$@" 2>&1) || status=$?
		case $said in
		*"Could not get lock"*) [ $waited -lt 300 ] || break ;;
		*) break ;;
		esac
		[ $waited -gt 0 ] || echo "==> Waiting for another apt to end" >&2
		waited=$((waited + 1))
		sleep 1
	done
	return $status
}
install() { apt install --yes --no-install-recommends -o Dpkg::Use-Pty=0 --quiet=2 "$@"; }

# The lists may be missing, as in most containers, or name packages that the mirror has replaced.
install "$@" || {
	apt update --quiet=2 || echo "==> apt-get update had trouble; going on with what there is: $said" >&2
	install "$@" || {
		echo "$said" >&2
		exit 1
	}
}
