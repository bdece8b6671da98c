# Sourced by the scripts beside it: which Python, which installer, and environments under build/.

cd "$(dirname "${BASH_SOURCE[0]}")/.."
UV=${UV:-$PWD/.venv/bin/uv}
export UV_FIND_LINKS=${UV_FIND_LINKS:-${PIP_FIND_LINKS:-}}   # where this machine has wheels, uv finds them too
[ -n "$UV_FIND_LINKS" ] || unset UV_FIND_LINKS
WORKERS=${WORKERS:-2}
# What another package leaves open when it ends is looked at on the locked versions, not on all others.
quiet=(-W ignore::ResourceWarning -W ignore::pytest.PytestUnraisableExceptionWarning)

# The path of the newest of these Pythons that starts, from PATH or pyenv; of the one of .venv if there is none.
find_python() {
  local version candidate
  for version in "$@"; do
    for candidate in "python$version" "$HOME"/.pyenv/versions/"$version".*/bin/python; do
      if "$candidate" -c 'import ssl, sqlite3' 2>/dev/null; then
        "$candidate" -c 'import sys; print(sys.executable)'
        return
      fi
    done
  done
  echo .venv/bin/python
}

# An empty environment DIR on PYTHON.
make_environment() {
  rm -rf "$1"
  "$UV" venv --quiet --python "$2" "$1"
}

# evalkit itself, as it stands here, into the environment DIR.
install_evalkit() {
  "$UV" pip install --quiet --python "$1" --no-deps --editable .
}

# ci/known_breaks.txt as constraints.
excluded() {
  sed -n 's/^\([A-Za-z0-9._-]*\)==\([^ ]*\).*/\1!=\2/p' ci/known_breaks.txt
}
