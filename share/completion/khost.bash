# Completion of khost's command line for bash: khost itself answers (framework/app/shell_answer.hpp).
# Installed as share/bash-completion/completions/khost; from a build tree: source share/completion/khost.bash

_khost() {
  local khost=khost form=bash
  [[ ${COMP_WORDS[0]} != */* ]] || khost=${COMP_WORDS[0]/#\~\//$HOME/}
  COMPREPLY=()
  if [[ $3 == *[\<\>] ]]; then # a file that the shell opens
    compopt -o filenames +o nospace 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "$2")
    return
  fi
  [[ ${COMP_TYPE-} != 63 ]] || form=bash-list # the second TAB: a list to read
  mapfile -t COMPREPLY < <(COLUMNS=${COLUMNS-80} "$khost" complete "$form" "$COMP_WORDBREAKS" "${COMP_LINE:0:COMP_POINT}" 2>/dev/null)
}

complete -o nospace -F _khost khost
