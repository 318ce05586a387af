#!/bin/bash
# same_records.sh BEFORE AFTER [MANIFEST...]: whether two builds of khost compute the same, to the last bit. BEFORE and AFTER are the
# programs; each runs every manifest (the quickstart, unless others are named) for two seeds on every backend, with a cache of its own, and
# the records of both must be the same bytes. For a change that is to move code and no figure. Prints a table; the exit code tells.
#
# BACKENDS="onednn openblas" limits the backends; those that need a key of their own in the manifest (cblas) are left out.
set -euo pipefail
before=$(realpath "$1") after=$(realpath "$2")
shift 2
here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
[[ $# -gt 0 ]] || set -- "$here/../../experiments/quickstart.manifest"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
: "${BACKENDS=openblas onednn blis reference}"
texts=${KHOST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/khost}/corpora
for side in before after; do
  mkdir "$work/$side.cache"
  [[ ! -d $texts ]] || cp -r "$texts" "$work/$side.cache"
done

run() { # run SIDE PROGRAM MANIFEST BACKEND
  KHOST_CACHE=$work/$1.cache "$2" run "$3" --backend "$4" --seeds 2 --out "$work/$1" >"$work/log" 2>&1 || {
    echo "$2 run $3 --backend $4 failed:" && cat "$work/log" && exit 1
  }
}

differ=0
for manifest in "$@"; do
  for backend in $BACKENDS; do
    rm -rf "$work/before" "$work/after"
    run before "$before" "$manifest" "$backend"
    run after "$after" "$manifest" "$backend"
    records=$(($(wc -l <"$work/before/records.csv") - 1))
    if cmp -s "$work/before/records.csv" "$work/after/records.csv"; then
      verdict=same
    else
      verdict="DIFFERENT in $(diff "$work/before/records.csv" "$work/after/records.csv" | grep -c '^>' || true)" differ=1
    fi
    printf '%-24s %-10s %7d records  %s\n' "$(basename "$manifest")" "$backend" "$records" "$verdict"
  done
done
exit $differ
