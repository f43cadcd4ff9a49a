#!/bin/sh
# What the tests need beside Python: a SIP phone, a SIP carrier, a JavaScript client, a PostgreSQL
# server and a firewall, all real ones, and the tools of the documented samples.
set -eu
cd "$(dirname "$0")/.."

missing=""
need() { command -v "$1" >/dev/null || missing="$missing $2"; }
need baresip baresip-core
need sipp sip-tester
need node nodejs
need npm npm
need curl curl
need openssl openssl
need espeak-ng espeak-ng
need nft nftables
need ip iproute2
need faketime faketime
# The server's own programs are not on the path; the tests start a private one.
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="$missing postgresql"

if [ -n "$missing" ]; then
	if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
		echo "==> Installing what the tests need:$missing"
		sh setup/apt.sh $missing
	else
		echo "error: the tests need some programs that are not here. Run this, then make test again:" >&2
		echo "    sudo apt-get install --no-install-recommends$missing" >&2
		exit 1
	fi
fi

# fail2ban is unpacked and not installed: its package would start a daemon that closes ports.
if ! command -v fail2ban-regex >/dev/null && ! [ -e tests/fail2ban/usr/bin/fail2ban-regex ]; then
	echo "==> Fetching fail2ban (tests/fail2ban)"
	fetched="$(mktemp -d)"
	chmod 755 "$fetched"
	(cd "$fetched" && apt-get -o APT::Sandbox::User=root download -qq fail2ban)
	dpkg-deb -x "$fetched"/fail2ban_*.deb tests/fail2ban
	rm -r "$fetched"
fi

stamp=tests/js/node_modules/.stamp
if [ -f tests/js/package-lock.json ] && ! [ "$stamp" -nt tests/js/package-lock.json ]; then
	echo "==> Installing the JavaScript clients (tests/js)"
	npm ci --prefix tests/js --no-audit --no-fund --loglevel=error
	touch "$stamp"
fi
