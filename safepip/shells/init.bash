# safepip for bash. In ~/.bashrc:  eval "$(safepip init bash)"
# shellcheck shell=bash
# Evaluated twice it does no harm. Aliases of the user's stand: `function NAME` does not expand them.

_safepip_program=__PROGRAM__
_safepip_state=__STATE__
_safepip_home=__HOME__
_safepip_links=__LINKS__
_safepip_words=__WORDS__
_safepip_hooked=

# SAFEPIP_HOOK: what comes is in use without more ado, so that there is no need to say how.
function safepip {
  SAFEPIP_HOOK=$_safepip_hooked "$_safepip_program" "$@"
  local code=$?
  [[ $_safepip_home/bin -nt $_safepip_links ]] && "$_safepip_program" init --links
  return $code
}
function pip { safepip "$@"; }
function pip3 { safepip "$@"; }
function python { _safepip_python python "$@"; }
function python3 { _safepip_python python3 "$@"; }

_safepip_python() {
  local name=$1
  if [[ ${2-} == -m && ${3-} == pip ]]; then
    shift 3
    type -P "$name" >/dev/null || name= # any will do, as for pip
    SAFEPIP_PYTHON=$name safepip "$@"
  else
    command "$@"
  fi
}

# The programs of the home environment come last.
if [[ -n $_safepip_links && :$PATH: != *":$_safepip_links:"* ]]; then
  PATH=$PATH:$_safepip_links
fi

# <complete>
_safepip_complete() {
  local IFS=$' \t\n' current=${COMP_WORDS[COMP_CWORD]} own=
  case "$COMP_CWORD ${1##*/} ${COMP_WORDS[1]-}" in
    "1 safepip "*) own=$_safepip_words ;;
    "2 safepip init") own="bash zsh fish sh tcsh powershell xonsh nushell" ;;
    "2 safepip run") mapfile -t COMPREPLY < <(compgen -c -- "$current"); return ;;
  esac
  # What pip's protocol gives are words; mapfile would not split at spaces.
  # shellcheck disable=SC2207
  COMPREPLY=(
    $(compgen -W "$own" -- "$current")
    $(COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD=$COMP_CWORD PIP_AUTO_COMPLETE=1 "$_safepip_program" 2>/dev/null)
  )
}
# </complete>
complete -o default -F _safepip_complete pip pip3 safepip

# <activate>
# The environment of the project is active as long as the prompt is in it. Nothing below starts a process.
_safepip_off=
_safepip_hooked=1

_safepip_hook() {
  local code=$? at=${SAFEPIP_ACTIVATED-} _safepip_found=
  if [[ -n ${VIRTUAL_ENV-} && ($VIRTUAL_ENV != "$at" || -n ${_OLD_VIRTUAL_PATH-}) ]]; then
    return $code # activated by hand
  fi
  if [[ ${CONDA_DEFAULT_ENV:-base} == base ]]; then _safepip_find; fi
  [[ $_safepip_found == "$_safepip_off" ]] || _safepip_off=
  if [[ -n $at && -z ${VIRTUAL_ENV-} && $_safepip_found == "$at" ]]; then _safepip_off=$at; fi # by hand
  [[ -z $_safepip_off ]] || _safepip_found=
  if [[ $_safepip_found != "$at" ]]; then
    [[ -z $at ]] || _safepip_leave
    [[ -z $_safepip_found ]] || _safepip_enter "$_safepip_found"
  fi
  return $code
}

# Puts the project's environment, if it may be activated, into _safepip_found: project.py's walk up the tree.
_safepip_find() {
  local at=${PWD%/} below=${PWD%/} name=
  while [[ $at != "${HOME%/}" || $at == "$below" ]]; do
    if [[ -e $at/.venv ]]; then
      name=.venv
    elif [[ -f $at/venv/pyvenv.cfg ]]; then
      name=venv
    elif [[ -f $at/env/pyvenv.cfg ]]; then
      name='env'
    fi
    [[ -z $name ]] || break
    [[ -n $at && ! -e $at/.git && ! -e $at/.hg ]] || return 0
    at=${at%/*}
  done
  if [[ -z $name ]] || ! _safepip_knows "$at/$name"; then return 0; fi
  while [[ $below != "$at" ]]; do
    if _safepip_is_project "$below" && ! _safepip_in_repository "$at"; then return 0; fi
    below=${below%/*}
  done
  _safepip_found=$at/$name
}

_safepip_is_project() {
  local name
  for name in pyproject.toml setup.py setup.cfg Pipfile pylock.toml uv.lock poetry.lock pdm.lock pixi.toml; do
    [[ ! -e $1/$name ]] || return 0
  done
  for name in "$1"/requirements*.txt; do
    [[ ! -e $name ]] || return 0
  done
  return 1
}

_safepip_in_repository() {
  local at=$1
  while [[ $at != "${HOME%/}" ]]; do
    [[ ! -e $at/.git && ! -e $at/.hg ]] || return 0
    [[ -n $at ]] || return 1
    at=${at%/*}
  done
  return 1
}

# See known.py.
_safepip_knows() {
  local mark
  [[ -f $1/pyvenv.cfg && ! -e $1/.safepip/creating ]] || return 1
  for mark in "$1"/.safepip/shell-*; do
    [[ $_safepip_state/activate/${mark##*/} -ef $1 ]] && return
  done
  return 1
}

_safepip_enter() {
  export SAFEPIP_ACTIVATED=$1 VIRTUAL_ENV=$1
  PATH=$1/bin:$PATH
  function deactivate {
    [[ ${1-} == nondestructive ]] || _safepip_off=$SAFEPIP_ACTIVATED
    _safepip_leave
  }
}

_safepip_leave() {
  local path=:$PATH: entry=:$SAFEPIP_ACTIVATED/bin:
  while [[ $path == *"$entry"* ]]; do path=${path%%"$entry"*}:${path#*"$entry"}; done
  path=${path#:}
  PATH=${path%:}
  [[ ${VIRTUAL_ENV-} != "$SAFEPIP_ACTIVATED" ]] || unset VIRTUAL_ENV
  unset SAFEPIP_ACTIVATED
  unset -f deactivate
}

# Inherited, or evaluated again: what else the rc file did to PATH may have put the environment behind.
if [[ -n ${SAFEPIP_ACTIVATED-} && ${VIRTUAL_ENV-} == "$SAFEPIP_ACTIVATED" ]]; then _safepip_leave; fi
if [[ "${PROMPT_COMMAND[*]-}" != *_safepip_hook* ]]; then
  if [[ $(declare -p PROMPT_COMMAND 2>/dev/null) == "declare -a"* ]]; then
    PROMPT_COMMAND=(_safepip_hook "${PROMPT_COMMAND[@]}")
  else
    # shellcheck disable=SC2128,SC2178
    PROMPT_COMMAND="_safepip_hook${PROMPT_COMMAND:+;$PROMPT_COMMAND}"
  fi
fi
_safepip_hook
# </activate>
