#!/bin/bash
# The manual page: groff has nothing to say about it, and it says what the commands' own help says. man_test.sh BUILD
set -euo pipefail
build=$1
page=$build/man/man1/khost.1
failed=0
fail() {
  echo "$*" >&2
  failed=1
}

cmp "$page" <("$build/bin/khost" man) || fail "$page is not what khost man prints"
complaints=$(groff -man -Tutf8 -ww -rF0 "$page" 2>&1 >/dev/null)
[[ -z $complaints ]] || fail "groff: $complaints"
shown=$(groff -man -Tascii -P-c -P-b -P-u -rLL=400n "$page")
for section in NAME SYNOPSIS DESCRIPTION COMMANDS ENVIRONMENT FILES 'EXIT STATUS' EXAMPLES 'SEE ALSO'; do
  grep -qx "$section" <<<"$shown" || fail "no section $section"
done

# Every option and example of every command, letter for letter as its help has them.
commands=$("$build/bin/khost" complete -- help '' | cut -f1)
[[ $(wc -w <<<"$commands") -ge 12 ]] || fail "few commands: $commands"
count=0
for command in $commands; do
  while read -r words; do
    count=$((count + 1))
    grep -qF -- "$words" <<<"$shown" || fail "khost $command --help has '$words', the page has not"
  done < <("$build/bin/khost" "$command" --help | sed -n -E 's/^  (--[a-z-]+( [A-Z=]+)?)  .*/\1/p; s/^  (khost .*)/\1/p')
done
[[ $count -ge 60 ]] || fail "only $count options and examples were looked for"
exit $failed
