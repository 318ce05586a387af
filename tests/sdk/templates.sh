#!/bin/bash
# templates.sh PREFIX CXX CC: every kind that `khost new` knows begins a folder that builds without a warning, is formatted, passes its
# tests and runs in its manifest. (The probe's is newcomer.sh's.)
. "$(dirname "$0")/common.sh"
export CXXFLAGS=-Werror CFLAGS=-Werror
count=0
for template in "$prefix"/share/khost/templates/*/; do
  kind=$(basename "$template")
  [[ $kind != common && $kind != probe ]] || continue
  name=an_$kind
  says "khost $name.manifest" khost new "$kind" "$name"
  if grep -rniE "my_?$kind" "$name"; then fail "'$name' still has the template's name"; fi
  cd "$name"
  if type -P clang-format >/dev/null; then clang-format --dry-run -Werror -- *.[ch]*; fi
  says 'Build files have been written' cmake -B build
  says "$name" cmake --build build
  says '100% tests passed' ctest --test-dir build --output-on-failure
  says "$name" khost "$name.manifest"
  [[ -s $(run_of "$name")/report.html ]] || fail "$name.manifest made no report"
  cd ..
  count=$((count + 1))
done
[[ $count -ge 7 ]] || fail "only $count kinds have a template"

# A backend is C and needs no CMake.
"$CC" -std=c11 -O2 -fPIC -shared -fvisibility=hidden -I "$prefix/include" an_compute/plugin.c -o an_compute.so
says 'plain loops' khost inspect ./an_compute.so

said=$(khost new probes mine 2>&1) && fail "a kind that is none was taken"
[[ $said == *"did you mean 'probe'"* ]] || fail "the message does not help: $said"
said=$(khost new probe Mine 2>&1) && fail "a name that is none was taken"
[[ $said == *"small letters"* ]] || fail "the message does not help: $said"
said=$(khost new probe snr 2>&1) && fail "the name of another plugin was taken"
[[ $said == *"there is a plugin 'snr' already"* ]] || fail "the message does not help: $said"
said=$(khost new policy an_policy 2>&1) && fail "a folder that is there was overwritten"
[[ $said == *"is there already"* ]] || fail "the message does not help: $said"
