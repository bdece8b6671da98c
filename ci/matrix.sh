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

# The newest version of LiteLLM that a word of the command line means, into a folder; prints the folder.
fetch() {
  local wanted
  case $1 in
    floor) wanted="litellm==$floor.*" ;;
    locked) wanted="litellm==$locked" ;;
    newest) wanted="litellm" ;;
    *.*.*) wanted="litellm==$1" ;;
    *) wanted="litellm==$1.*" ;;
  esac
  local folder="$here/litellm-$1"
  rm -rf "$folder"
  "$UV" pip install --quiet --python "$here/openai3" --no-deps --target "$folder" "$wanted"
  echo "$folder"
}

bad=0
rm -f "$here"/*.json
for word in "$@"; do
  folder=$(fetch "$word")
  major=$("$here/openai3/bin/python" ci/openai_major.py "$folder")
  EVALKIT_CONTRACT_TABLE="$PWD/$here/$word.json" PYTHONPATH="$PWD/$folder" \
    "$here/openai$major/bin/python" -m pytest -q -n "$WORKERS" -p no:cacheprovider tests/contract || bad=1
done
"$here/openai3/bin/python" ci/contract_table.py "$here"/*.json
exit $bad
