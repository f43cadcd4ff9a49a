#!/bin/sh
# Writes what Trunkline is made of, in CycloneDX (JSON), into the folder that is given: trunkline.cdx.json is the
# wheel with all that it needs, in the versions of uv.lock; engine.cdx.json is the phone engine of this machine.
set -eu
cd "$(dirname "$0")/.."
into=${1:-dist/sbom}
mkdir -p "$into"
uv=$(sh setup/uv.sh)

"$uv" export --quiet --frozen --no-dev --all-extras --no-emit-project |
	.venv/bin/cyclonedx-py requirements - --pyproject pyproject.toml --sv 1.6 --of JSON --validate -o "$into/trunkline.cdx.json"
.venv/bin/trunkline engine sbom >"$into/engine.cdx.json"
echo "==> $into/trunkline.cdx.json, $into/engine.cdx.json" >&2
