#!/usr/bin/env bash
# Does evalkit work with what the index has today? The newest of every dependency but torch, on the newest Python
# that is here: the tests of models, executors, interop and of LiteLLM's contract, and `evalkit run` on the test
# server. A break is told with package, version and date; it belongs into ci/known_breaks.txt and out of the range
# in pyproject.toml, and then this passes again.
set -euo pipefail
. "$(dirname "$0")/environments.sh"
here=build/newest
make_environment "$here" "$(find_python 3.13 3.12)"
version=$("$here/bin/python" -c 'import platform; print(platform.python_version())')
echo "== newest: every dependency of $(date -u +%F), on Python $version"

extras=(zh postgres ray mlflow wandb otel)
left_out=()
if [ "${version%.*}" = 3.11 ]; then
  extras+=(hf)
  "$UV" pip install --quiet --python "$here" -r requirements/torch.txt
else
  left_out=(tests/models/hf tests/models/test_served_by_transformers.py)
  echo "Not tried here, for they need torch, which is tried on Python 3.11: ${left_out[*]}"
fi
"$UV" pip install --quiet --python "$here" --constraint <(excluded) "${extras[@]/#/--extra=}" \
  -r pyproject.toml -r ci/test_tools.in
install_evalkit "$here"
echo "Other than in the lock:"
"$here/bin/python" ci/versions.py

suite=("$here/bin/python" -m pytest -q -n "$WORKERS" -o "cache_dir=$PWD/$here/cache" "${quiet[@]}" "${left_out[@]/#/--ignore=}"
       tests/models tests/executors tests/interop tests/contract)
served=("$here/bin/python" ci/served_run.py)
for part in suite served; do
  declare -n command=$part
  "${command[@]}" && continue
  echo "== BROKEN with the newest versions, on $(date -u +%F). Which one is it?"
  [ "$part" = served ] || command+=(--last-failed -x)
  "$here/bin/python" ci/culprit.py "$UV" "${command[@]}"
  exit 1
done
