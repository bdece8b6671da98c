#!/usr/bin/env bash
# Do the floors of pyproject.toml hold? The lowest version of every direct dependency, on the oldest Python: the
# tests of what needs no big extra, and `evalkit run` on the test server.
set -euo pipefail
. "$(dirname "$0")/environments.sh"
here=build/lowest
make_environment "$here" "$(find_python 3.11)"
echo "== lowest: the floor of every direct dependency, on $("$here/bin/python" --version)"
left_out=(
  tests/tracking tests/models/hf tests/executors tests/models/test_served_by_transformers.py  # big extras
  tests/browser tests/leaderboard/test_board_in_browser.py                                     # and -m "not browser"
  tests/docs tests/benchmarks_defined tests/realdata                                           # other than code
)
# LiteLLM 1.84 reports the Gemini model that was asked for, not the one that answered, which the fast lane reads.
unlike=(
  "tests/models/test_fast_lane.py::test_both_lanes_send_and_read_the_same[gemini/gemini-2.5-flash]"
  "tests/models/test_fast_lane.py::test_reasons_of_other_dialects_mean_the_same[stop-gemini/gemini-2.5-flash]"
  "tests/models/test_fast_lane.py::test_reasons_of_other_dialects_mean_the_same[length-gemini/gemini-2.5-flash]"
  "tests/models/test_remembered.py::test_a_later_run_sends_the_same_without_litellm[gemini/gemini-2.5-flash]"
)
echo "Not tried here: tests that open a browser, ${left_out[*]} ${unlike[*]}"
"$UV" pip compile --quiet --python "$here" --resolution lowest-direct --extra zh --extra postgres \
  --output-file "$here/floor.txt" pyproject.toml
"$UV" pip install --quiet --python "$here" -r "$here/floor.txt" -r ci/test_tools.in
install_evalkit "$here"
"$here/bin/python" -m pytest -q -n "$WORKERS" -p no:cacheprovider -m "not browser" "${left_out[@]/#/--ignore=}" \
  "${unlike[@]/#/--deselect=}" tests
"$here/bin/python" ci/served_run.py
