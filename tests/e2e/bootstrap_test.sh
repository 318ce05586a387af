#!/bin/bash
# What ./bootstrap does that can be seen without root and network: it runs in a copy of the tree's root, against a PATH that
# has no sudo, and with apt, dpkg-query, id and cmake replaced where a case needs them.
# Usage: bootstrap_test.sh SOURCE_FOLDER
set -uo pipefail

source_folder=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

# check WHAT COMMAND...: counts and says a failure.
check() {
  local what=$1
  shift
  "$@" || {
    echo "FAILED: $what"
    sed 's/^/    out: /' "$work/out"
    sed 's/^/    err: /' "$work/err"
    failures=$((failures + 1))
  }
}
equal() { [[ $1 == "$2" ]]; }
err_has() { grep -qF -- "$1" "$work/err"; }
err_lacks() { ! grep -qF -- "$1" "$work/err"; }
out_has() { grep -qF -- "$1" "$work/out"; }
err_lines() { [[ $(wc -l <"$work/err") == "$1" ]]; }
called() { grep -qE -- "$1" "$work/calls"; }
not_called() { ! called "$1"; }

# A checkout with nothing but what bootstrap itself reads, and programs of this machine without sudo.
checkout=$work/checkout
mkdir -p "$checkout" "$work/tools" "$work/fake"
cp "$source_folder/bootstrap" "$source_folder/CMakePresets.json" "$checkout"
for folder in /bin /usr/bin; do ln -sf "$folder"/* "$work/tools" 2>/dev/null; done
rm -f "$work/tools/sudo"

# run [VARIABLE=VALUE...] WORD...: exit code in $code, output in out and err.
run() {
  local variables=()
  while [[ $1 == *=* ]]; do
    variables+=("$1")
    shift
  done
  : >"$work/calls"
  env -i HOME="$work/home" PATH="$work/fake:$work/tools" CALLS="$work/calls" WORK="$work" "${variables[@]}" \
    "$checkout/bootstrap" "$@" >"$work/out" 2>"$work/err" </dev/null
  code=$?
}

# fake NAME: a program from stdin that also notes its call.
fake() {
  { printf '#!/bin/bash\necho "%s $*" >>"$CALLS"\n' "$1"; cat; } >"$work/fake/$1"
  chmod +x "$work/fake/$1"
}
no_fakes() { rm -f "$work/fake"/*; }

# ---- words
run help
check "help: exit code" equal "$code" 0
check "help: usage" out_has "./bootstrap run M.manifest [khost options]"
check "help: packages with their reason" out_has "vector kernels"
check "help: nothing on stderr" err_lines 0

run frobnicate
check "unknown word: exit code" equal "$code" 2
check "unknown word: named" err_has 'bootstrap: unknown word "frobnicate"'
check "unknown word: usage" err_has "./bootstrap test [--all]"

run ''
check "empty word: exit code" equal "$code" 2
for wrong in "--minutes" "--minutes 0" "--minutes 1.5" "nothing" "manifest elf"; do
  # shellcheck disable=SC2086  # several words
  run fuzz $wrong
  check "fuzz $wrong: exit code" equal "$code" 2
done
check "fuzz: names its targets" err_has "manifest safetensors trial elf measure record_path schema tokens"

run run
check "run without manifest: exit code" equal "$code" 2
check "run without manifest: said" err_has "bootstrap: run needs a manifest"

run run nowhere.manifest
check "no such manifest: exit code" equal "$code" 2
check "no such manifest: said" err_has "bootstrap: nowhere.manifest: no such manifest"
check "no such manifest: nothing started" test ! -e "$checkout/build"

# ---- something missing, neither root nor sudo
all_packages() { sed -n "/^packages() {/,/^}/s/^\([a-z0-9.+-]*\)|.*/\1/p" "$checkout/bootstrap"; }
{ all_packages && echo libomp-dev; } >"$work/packages"  # asked for with clang++ alone
check "the list of packages was read" grep -q '^libhwy-dev$' "$work/packages"
# Everything is installed but what $LACKING names, until $WORK/installed exists.
dpkg_query='
while read -r name; do
  if [[ " $LACKING " != *" $name "* || -e $WORK/installed ]]; then echo "$name 1.0 installed"; fi
done <"$WORK/packages"'

fake id <<<'echo 1000'
fake dpkg-query <<<"$dpkg_query"
fake apt-get <<<'exit 100'
run LACKING="libhwy-dev doctest-dev" build
check "no root: exit code" equal "$code" 2
check "no root: one line" err_lines 1
check "no root: the command" err_has "as root: apt-get install --no-install-recommends doctest-dev libhwy-dev"
check "no root: apt was not tried" not_called '^apt-get'

no_fakes
rm -f "$work/tools/apt-get"
run build
check "no apt: exit code" equal "$code" 2
check "no apt: said" err_has "this machine has no apt; khost needs Debian 12 and its packages g++ cmake"

# ---- apt would remove a package: Boost goes into build/prefix, headers and library, the rest is installed
# deb NAME FILE TEXT: a package with that one file.
deb() {
  local root=$work/deb/$1
  rm -rf "$root"
  mkdir -p "$root/DEBIAN" "$(dirname "$root/$2")"
  printf 'Package: %s\nVersion: 1.81.0-5\nArchitecture: all\nMaintainer: a <a@b.c>\nDescription: test\n' "$1" >"$root/DEBIAN/control"
  echo "$3" >"$root/$2"
  dpkg-deb --build "$root" "$work/debs/$1_1.81.0-5_all.deb" >/dev/null
}
mkdir -p "$work/debs"
libraries=usr/lib/x86_64-linux-gnu
deb libboost1.81-dev usr/include/boost/version.hpp '#define BOOST_VERSION 108100'
deb libboost-program-options1.81-dev $libraries/libboost_program_options.so 'the link'
deb libboost-program-options1.81.0 $libraries/libboost_program_options.so.1.81.0 'the library'
boost=build/prefix/$libraries/libboost_program_options.so

fake id <<<'echo 0'
fake dpkg-query <<<"$dpkg_query"
fake apt-get <<'SCRIPT'
case "$*" in
  *" -s "*libboost1.81-dev*) echo "Remv libboost1.74-dev [1.74.0]"; echo "Inst libboost1.81-dev" ;;
  *" -s "*libboost-program-options1.81-dev*) echo "Remv libboost-program-options1.74-dev [1.74.0]" ;;
  *" -s "*) echo "Inst something" ;;
  download*) shift && for name; do cp "$WORK/debs/${name}_"* . || exit 100; done ;;
  install*) touch "$WORK/installed" ;;
esac
SCRIPT
fake cmake <<<'echo "CMake Error: no such luck"; exit 1'
# dpkg-query answers with version 1.0 throughout, so the corpora are not those of the noted packages.
fake bible <<<'printf "Ge1:1 In the beginning.\nGe1:2 And  so.\nGe2:1 Thus.\n1Jn1:1 That.\n"'
run LACKING="libboost1.81-dev libboost-program-options1.81-dev libhwy-dev" build
check "conflict: said" err_has "apt would remove libboost1.74-dev; unpacking it into build/prefix"
check "conflict: headers" test -f "$checkout/build/prefix/usr/include/boost/version.hpp"
check "conflict: the library's link" test -f "$checkout/$boost"
check "conflict: the library" test -f "$checkout/$boost.1.81.0"
check "conflict: the rest is installed, removing nothing" called '^apt-get install -y .*--no-remove .*libhwy-dev'
check "conflict: Boost is not installed" not_called '^apt-get install -y .*libboost'
check "conflict: no list was updated" not_called '^apt-get update'
rm -f "$work/installed"

# With the prefix there, Boost is not missing; cmake hears of it, and its failure is shown and named.
run LACKING="libboost1.81-dev libboost-program-options1.81-dev" build
check "prefix: Boost is not asked for again" not_called '^apt-get'
check "prefix: cmake is told" called "^cmake .*-DKHOST_BOOST_ROOT=$checkout/build/prefix/usr"
check "compiler: g++ by name" called "^cmake .*-DCMAKE_CXX_COMPILER=g\+\+"
check "cmake fails: exit code" equal "$code" 1
check "cmake fails: its output" err_has "CMake Error: no such luck"
check "cmake fails: last line" equal "$(tail -n 1 "$work/err" | cut -d'(' -f1)" "bootstrap: cmake could not configure the build "
# Headers that are installed, and a library that conflicts or is not there: all of it from one place.
run LACKING="libboost-program-options1.81-dev" build
check "headers alone are installed: the prefix serves" not_called '^apt-get'
check "headers alone are installed: cmake is told" called "^cmake .*-DKHOST_BOOST_ROOT=$checkout/build/prefix/usr"
rm "$checkout/$boost.1.81.0"
run LACKING="libboost-program-options1.81-dev" build
check "a prefix without the library: the conflict" err_has "apt would remove libboost-program-options1.74-dev; unpacking it"
check "a prefix without the library: unpacked anew" test -f "$checkout/$boost.1.81.0"
check "a prefix without the library: nothing is installed" not_called '^apt-get install -y'
mv "$work/debs/libboost-program-options1.81.0_1.81.0-5_all.deb" "$work/kept"
deb libboost-program-options1.81.0 usr/share/empty ''
rm "$checkout/$boost.1.81.0"
run LACKING="libboost-program-options1.81-dev" build
check "packages of another form: exit code" equal "$code" 1
check "packages of another form: said" err_has "libboost-program-options1.81.0 have not what khost needs of Boost 1.81"
mv "$work/kept" "$work/debs/libboost-program-options1.81.0_1.81.0-5_all.deb"
fake id <<<'echo 1000'
rm -rf "$checkout/build/prefix"
run LACKING="libboost1.81-dev libboost-program-options1.81-dev" build
check "no root: Boost is unpacked" test -f "$checkout/$boost.1.81.0"
check "no root: said" err_has "Boost 1.81: cannot be installed without root; unpacking it into build/prefix"
check "no root: nothing is installed" not_called '^apt-get install'
fake id <<<'echo 0'

run CXX=clang++ build
check "compiler: CXX is left to cmake" not_called "-DCMAKE_CXX_COMPILER=g"
run CXX=clang++ LACKING="libomp-dev" build
check "compiler: clang++ gets its omp.h" called '^apt-get install -y .*libomp-dev'
rm -f "$work/installed"
run LACKING="libomp-dev" build
check "compiler: g++ needs none" not_called '^apt-get'

# Something else would be removed: refused.
fake apt-get <<<'echo "Remv precious [1.0]"'
run LACKING="libhwy-dev" build
check "removal: exit code" equal "$code" 2
check "removal: refused" err_has "apt would remove precious, which khost never does"
check "removal: nothing installed" not_called '^apt-get install -y'

# ---- test and test --all: with cmake, ninja and ctest that only say what they were asked
fake cmake <<<'exit 0'
fake ninja <<<'echo "ninja: no work to do."'
fake ctest <<<'[[ "$*" != *broken* ]]'
run LACKING="" test
check "test: exit code" equal "$code" 0
check "test: without the slow ones" called "^ctest --test-dir $checkout/build .*-LE slow"
check "test: no sanitizer" not_called 'asan|tsan'
run LACKING="" test --all -R some
check "test --all: exit code" equal "$code" 0
check "test --all: the slow ones too" not_called 'LE slow'
for sanitizer in asan-ubsan tsan; do
  check "test --all: configures $sanitizer" called "^cmake --fresh --preset $sanitizer "
  check "test --all: builds only tests of $sanitizer" called "^ninja -C $checkout/build-$sanitizer .*khost_checked"
  check "test --all: runs $sanitizer, with the options given" called "^ctest --preset $sanitizer .*-R some"
done
run LACKING="" test --all -R broken
check "test --all: a failure is one" equal "$code" 1
check "test --all: goes on after a failure" called "^ctest --preset tsan"

# Lists that know nothing: updated once, and the failure is apt's own words.
fake apt-get <<<'case "$*" in *" -s "*) echo "E: Unable to locate package libhwy-dev"; exit 100 ;; esac'
run LACKING="libhwy-dev" build
check "unknown package: exit code" equal "$code" 1
check "unknown package: lists were updated" called '^apt-get update'
check "unknown package: apt's words" err_has "E: Unable to locate package libhwy-dev"

# ---- corpora: form, checksums, determinism
cache=$work/cache
run KHOST_CACHE="$cache" corpora
check "corpora: exit code" equal "$code" 0
check "corpora: another version is a note" err_has "note: corpus kjv is not from bible-kjv=4.38"
expected=$'In the beginning. And  so.\nThus.\nThat.'
check "kjv: a chapter a line, references stripped" equal "$(cat "$cache/corpora/kjv.txt")" "$expected"
fake bible <<<'echo "bible: no such book"'
rm -rf "$cache"
run KHOST_CACHE="$cache" corpora
check "kjv in another form: exit code" equal "$code" 1
check "kjv in another form: said" err_has "not a verse: bible: no such book"
check "kjv in another form: nothing is left" equal "$(ls -A "$cache/corpora" | grep -c kjv)" 0

no_fakes
if [[ ! -x /usr/bin/bible || ! -d /usr/share/wordnet ]]; then
  echo "corpora are not installed: their text was not checked"
else
  ln -sf /usr/bin/apt-get "$work/tools"
  run KHOST_CACHE="$cache" LC_ALL=C.UTF-8 corpora
  check "real corpora: exit code" equal "$code" 0
  check "real corpora: a sum that sha256sum reads" env -C "$cache/corpora" sha256sum --status -c kjv.txt.sha256 wordnet.txt.sha256
  check "kjv: chapters" equal "$(wc -l <"$cache/corpora/kjv.txt")" 1189
  check "kjv: no reference is left" equal "$(grep -c '[0-9]' "$cache/corpora/kjv.txt")" 0
  check "kjv: last words" equal "$(tail -c 12 "$cache/corpora/kjv.txt")" " all. Amen."
  check "wordnet: a gloss for each synset" equal "$(wc -l <"$cache/corpora/wordnet.txt")" "$(cat /usr/share/wordnet/data.* | grep -c '^[0-9]')"
  check "wordnet: trimmed" equal "$(grep -cE '^[[:space:]]|[[:space:]]$|^$|\|' "$cache/corpora/wordnet.txt")" 0
  sums=$(cat "$cache"/corpora/*.sha256)
  run KHOST_CACHE="$cache" corpora
  check "corpora again: nothing is done" err_lines 0
  echo "tampered with" >>"$cache/corpora/kjv.txt"
  rm "$cache/corpora/wordnet.txt.sha256"
  run XDG_CACHE_HOME="$work/xdg" HOME="$work/other" corpora
  check "XDG cache" test -f "$work/xdg/khost/corpora/kjv.txt"
  run KHOST_CACHE="$cache" LANG=C corpora
  check "damaged corpora are extracted again" err_has "corpus kjv: 1189 documents"
  check "the same text again" equal "$(cat "$cache"/corpora/*.sha256)" "$sums"
  check "the same text elsewhere" equal "$(cat "$work"/xdg/khost/corpora/*.sha256)" "$sums"
  check "nothing else is left" equal "$(ls -A "$cache/corpora" | wc -l)" 4
fi

echo "$failures failures"
[[ $failures == 0 ]]
