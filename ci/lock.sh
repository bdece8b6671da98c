#!/usr/bin/env bash
# Resolves everything that this repository installs, for Python 3.11 to 3.13 on any system, and writes requirements/:
#   core.txt         what evalkit itself needs, with hashes
#   dev.txt          what tests, lint, documentation and all extras need beyond core.txt, with hashes
#   build.txt        what makes a wheel, with hashes
#   torch.txt        PyTorch: its wheel, and so its hash, differs from machine to machine
#   constraints.txt  all of it without hashes, for pip's -c; a copy is in the wheel
# `make lock` calls it. Needs uv; no file names an index.
set -euo pipefail
cd "$(dirname "$0")/.."
UV=${UV:-uv}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
heading="# Resolved on $(date -u +%F) by \`make lock\`, for Python 3.11 to 3.13. Do not edit."

resolve() {
  "$UV" pip compile --quiet --universal --python-version 3.11 --upgrade --no-header --no-annotate \
    --no-emit-index-url --no-emit-find-links "$@"
}

# Torch is left out with what its own wheel brings (on some systems gigabytes for graphics cards), not what it needs.
echo "torch ; python_version < '3'" > "$scratch/no_torch.txt"
printf 'sympy\nnetworkx\nsetuptools\n' > "$scratch/torch_needs.in"
printf 'hatchling\neditables\n' > "$scratch/build.in"
torch=$(sed -n 's/^ *"\(torch==[^"]*\)".*/\1/p' pyproject.toml)

resolve --generate-hashes --all-extras --override "$scratch/no_torch.txt" --output-file "$scratch/all.txt" \
  pyproject.toml "$scratch/torch_needs.in" "$scratch/build.in"
resolve --all-extras --override "$scratch/no_torch.txt" --constraint "$scratch/all.txt" \
  --output-file "$scratch/plain.txt" pyproject.toml "$scratch/torch_needs.in" "$scratch/build.in"
resolve --generate-hashes --constraint "$scratch/all.txt" --output-file "$scratch/core.txt" pyproject.toml
resolve --generate-hashes --constraint "$scratch/all.txt" --output-file "$scratch/build.txt" "$scratch/build.in"

names() { sed -n 's/^\([A-Za-z0-9._-]*\)==.*/\1/p' "$@" | sort -u; }
beyond=()
for name in $(names "$scratch/core.txt"); do beyond+=(--no-emit-package "$name"); done
resolve --generate-hashes --all-extras --override "$scratch/no_torch.txt" --constraint "$scratch/all.txt" \
  "${beyond[@]}" --output-file "$scratch/dev.txt" pyproject.toml "$scratch/torch_needs.in"

mkdir -p requirements
write() { { echo "$heading"; cat; } > "requirements/$1"; }
write core.txt < "$scratch/core.txt"
write dev.txt < "$scratch/dev.txt"
write build.txt < "$scratch/build.txt"
write torch.txt <<< "$torch"
{ cat "$scratch/plain.txt"; echo "$torch"; } | LC_ALL=C sort | write constraints.txt
wc -l requirements/*.txt
