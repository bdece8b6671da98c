#!/usr/bin/env bash
# tests/contract, which is what evalkit needs of LiteLLM in each lane, against versions of LiteLLM:
#   ci/matrix.sh 1.90.3 newest     `floor`, `locked` and `newest` are those of pyproject.toml, lock and index;
#   ci/matrix.sh                   one of each step between floor and newest.
# Each version lies in a folder of its own before one of two environments: LiteLLM's other packages with openai 2
# or with openai 3. Ends with a table; fails where the contract is broken.
set -euo pipefail
. "$(dirname "$0")/environments.sh"
here=build/matrix
mkdir -p "$here"
floor=$(sed -n 's/^ *"litellm>=\([0-9.]*\),.*/\1/p' pyproject.toml)
locked=$(sed -n 's/^litellm==\([^ ;]*\).*/\1/p' requirements/constraints.txt)
[ $# -gt 0 ] || set -- floor 1.90 1.100 1.104 1.106 1.108.0 1.108.14 1.109 locked newest

for major in 2 3; do
  make_environment "$here/openai$major" "$(find_python 3.11)"
  # litellm itself comes from the folders; its extras and the SDK's next major are none of this environment's.
  "$UV" pip install --quiet --python "$here/openai$major" -r pyproject.toml "openai==$major.*" -r ci/test_tools.in
  install_evalkit "$here/openai$major"
done

# What a word of the command line means, for the installer.
meaning() {
  case $1 in
    floor) echo "litellm==$floor.*" ;;
    locked) echo "litellm==$locked" ;;
    newest) echo "litellm" ;;
    *.*.*) echo "litellm==$1" ;;
    *) echo "litellm==$1.*" ;;
  esac
}

# The contract on the LiteLLM in a folder, quiet but for the end; one process, which writes the rows of the table.
try() {
  local folder=$1 major
  major=$("$here/openai3/bin/python" ci/openai_major.py "$folder")
  EVALKIT_CONTRACT_TABLE="$PWD/$folder.json" PYTHONPATH="$PWD/$folder" \
    "$here/openai$major/bin/python" -m pytest -q -n 0 -p no:cacheprovider "${quiet[@]}" tests/contract > "$folder.log" 2>&1 && return
  echo "== BROKEN on ${folder##*/}, $(date -u +%F):"
  grep -E "^(E  |FAILED|ERROR)" "$folder.log" || tail -20 "$folder.log"
  return 1
}

rm -rf "$here"/litellm-* "$here/fetched"
bad=0
for word in "$@"; do
  wanted=$(meaning "$word")
  "$UV" pip install --quiet --python "$here/openai3" --no-deps --target "$here/fetched" "$wanted"
  folder=$here/$(basename "$here"/fetched/litellm-*.dist-info .dist-info)
  if [ -e "$folder" ]; then
    rm -rf "$here/fetched"   # two words mean the same version
    continue
  fi
  mv "$here/fetched" "$folder"
  [ "$(jobs -pr | wc -l)" -lt "$WORKERS" ] || wait -n || bad=1
  try "$folder" &
done
while [ -n "$(jobs -p)" ]; do wait -n || bad=1; done
"$here/openai3/bin/python" ci/contract_table.py "$here"/litellm-*.json
exit $bad
