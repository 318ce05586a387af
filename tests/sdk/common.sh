# Sourced by the scripts beside it: PREFIX CXX CC -> an empty folder to work in, with that khost on the PATH and nothing else of it.
set -euo pipefail
prefix=$1
export CXX=${2-} CC=${3-}
unset KHOST_SHARE KHOST_PLUGIN_PATH CMAKE_PREFIX_PATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export PATH=$prefix/bin:$PATH KHOST_CACHE=$work/cache CMAKE_BUILD_PARALLEL_LEVEL=2
cd "$work"

fail() {
  printf '%s\n' "$*" >&2
  exit 1
}

# says TEXT COMMAND...: runs it, and fails unless its output has TEXT. The output is kept in $said.
says() {
  local text=$1
  shift
  said=$("$@" 2>&1) || fail "$* failed:
$said"
  [[ $said == *"$text"* ]] || fail "$* does not say '$text' but:
$said"
}

# The folder of NAME's only run.
run_of() { echo "$work/$1/runs/$1"/*; }
