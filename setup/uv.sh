#!/bin/sh
# Prints the path of a uv; fetches one into .uv/ if the machine has none. All other words go to stderr.
# A machine may have Python without venv, without pip, or with neither: each way is tried in turn.
set -eu
cd "$(dirname "$0")/.."

say() { echo "==> $*" >&2; }
works() { "$1" --version >/dev/null 2>&1; }

found() {
	for uv in "$(command -v uv || true)" .uv/bin/uv .uv/target/bin/uv; do
		if [ -n "$uv" ] && works "$uv"; then
			echo "$uv"
			exit 0
		fi
	done
}

by_venv() {
	python3 -c 'import venv, ensurepip' 2>/dev/null || return 1
	say "Fetching uv into .uv (python3 -m venv, pip install uv)"
	python3 -m venv --clear .uv >&2 && .uv/bin/python -m pip install --quiet --disable-pip-version-check uv >&2
}

by_pip() {
	python3 -m pip --version >/dev/null 2>&1 || return 1
	say "Fetching uv into .uv (pip install --target; this Python has no venv)"
	python3 -m pip install --quiet --disable-pip-version-check --upgrade --target .uv/target uv >&2
}

by_apt() {
	[ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
	say "Installing python3-venv (apt-get), for this Python has neither venv nor pip"
	sh setup/apt.sh python3-venv && by_venv
}

command -v python3 >/dev/null || {
	echo "error: there is no python3. Install Python 3.11 or later, such as: apt-get install python3 python3-venv" >&2
	exit 1
}
found
by_venv || by_pip || by_apt || true
found
cat >&2 <<'WORDS'
error: uv is needed and could not be fetched. Any of these gives it; then run make again:
    sudo apt-get install python3-venv       (make then fetches uv by itself)
    pipx install uv                         (or any other way of https://docs.astral.sh/uv/)
If the words above are about the network: make needs to reach PyPI, directly or by a mirror (pip.conf).
WORDS
exit 1
