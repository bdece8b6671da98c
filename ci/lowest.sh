#!/usr/bin/env bash
# Do the floors of pyproject.toml hold? The lowest version of every direct dependency, on the oldest Python: the
# tests of what needs no big extra, and `evalkit run` on the test server.
set -euo pipefail
. "$(dirname "$0")/environments.sh"
here=build/lowest
make_environment "$here" "$(find_python 3.11)"
echo "== lowest: the floor of every direct dependency, on $("$here/bin/python" --version)"
left_out=(
  tests/tracking tests/executors                                                              # big extras
  tests/browser tests/leaderboard/test_board_in_browser.py tests/findings/test_one_answer.py   # and -m "not browser"
  tests/test_dockerfile.py                                                                     # needs pip
  tests/models                               # details of the locked LiteLLM; tests/contract is tried on its floor
  tests/docs tests/benchmarks_defined tests/realdata                                           # other than code
)
echo "Not tried here: tests that open a browser, ${left_out[*]}"
"$UV" pip compile --quiet --python "$here" --resolution lowest-direct --extra zh --extra postgres --extra math \
  --output-file "$here/floor.txt" pyproject.toml
"$UV" pip install --quiet --python "$here" -r "$here/floor.txt" -r ci/test_tools.in
install_evalkit "$here"
"$here/bin/python" -m pytest -q -n "$WORKERS" -p no:cacheprovider -m "not browser" "${quiet[@]}" \
  "${left_out[@]/#/--ignore=}" tests
"$here/bin/python" ci/served_run.py
