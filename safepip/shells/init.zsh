# safepip for zsh. In ~/.zshrc:  eval "$(safepip init zsh)"
# Evaluated twice it does no harm. Aliases of the user's stand: `function NAME` does not expand them.

typeset -g _safepip_program=__PROGRAM__
typeset -g _safepip_state=__STATE__
typeset -g _safepip_home=__HOME__
typeset -g _safepip_links=__LINKS__
typeset -g _safepip_words=__WORDS__
typeset -g _safepip_hooked=

# SAFEPIP_HOOK: what comes is in use without more ado, so that there is no need to say how.
function safepip {
  SAFEPIP_HOOK=$_safepip_hooked "$_safepip_program" "$@"
  local code=$?
  [[ $_safepip_home/bin -nt $_safepip_links ]] && "$_safepip_program" init --links
  return $code
}
function pip { safepip "$@" }
function pip3 { safepip "$@" }
function python { _safepip_python python "$@" }
function python3 { _safepip_python python3 "$@" }

function _safepip_python {
  local name=$1
  if [[ ${2-} == -m && ${3-} == pip ]]; then
    shift 3
    whence -p "$name" >/dev/null || name= # any will do, as for pip
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
# By pip's own protocol: what may stand at word $1 (counted from 0) of the words after it.
function _safepip_answers {
  emulate -L zsh
  local at=$1 own=
  shift
  case "$at ${1:t} ${2-}" in
    ("1 safepip "*) own=$_safepip_words ;;
    ("2 safepip init") own="bash zsh fish sh tcsh powershell xonsh nushell" ;;
  esac
  reply=(${(M)${=own}:#${argv[at+1]-}*}
    ${=$(COMP_WORDS="$*" COMP_CWORD=$at PIP_AUTO_COMPLETE=1 "$_safepip_program" 2>/dev/null)})
}
function _safepip_complete {
  local -a reply
  if (( CURRENT > 2 )) && [[ $words[1] == *safepip && $words[2] == run ]]; then
    shift 2 words
    (( CURRENT -= 2 ))
    _normal
    return
  fi
  _safepip_answers $((CURRENT - 1)) "${words[@]}"
  if (( $#reply )); then compadd -a reply; else _files; fi
}
# </complete>
function _safepip_complete_old {
  local -a line
  local at
  read -Ac line
  read -cn at
  _safepip_answers $((at - 1)) "${line[@]}"
}
# compinit may be loaded before this line, after it, or never.
function _safepip_completion {
  if (( $+functions[compdef] )); then
    compdef _safepip_complete safepip pip pip3
  else
    compctl -K _safepip_complete_old + -f safepip pip pip3
  fi
  add-zsh-hook -d precmd _safepip_completion
}
autoload -Uz add-zsh-hook
add-zsh-hook precmd _safepip_completion

# <activate>
# The environment of the project is active as long as the prompt is in it. Nothing below starts a process.
typeset -g _safepip_off=
_safepip_hooked=1

function _safepip_hook {
  emulate -L zsh
  local at=${SAFEPIP_ACTIVATED-} _safepip_found=
  if [[ -n ${VIRTUAL_ENV-} && ( $VIRTUAL_ENV != "$at" || -n ${_OLD_VIRTUAL_PATH-} ) ]]; then
    return # activated by hand
  fi
  if [[ ${CONDA_DEFAULT_ENV:-base} == base ]]; then _safepip_find; fi
  [[ $_safepip_found == "$_safepip_off" ]] || _safepip_off=
  if [[ -n $at && -z ${VIRTUAL_ENV-} && $_safepip_found == "$at" ]]; then _safepip_off=$at; fi # by hand
  [[ -z $_safepip_off ]] || _safepip_found=
  if [[ $_safepip_found != "$at" ]]; then
    [[ -z $at ]] || _safepip_leave
    [[ -z $_safepip_found ]] || _safepip_enter "$_safepip_found"
  fi
}

# Puts the project's environment, if it may be activated, into _safepip_found: project.py's walk up the tree.
function _safepip_find {
  local at=${PWD%/} below=${PWD%/} name=
  while [[ $at != "${HOME%/}" || $at == "$below" ]]; do
    if [[ -e $at/.venv ]]; then
      name=.venv
    elif [[ -f $at/venv/pyvenv.cfg ]]; then
      name=venv
    elif [[ -f $at/env/pyvenv.cfg ]]; then
      name=env
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

function _safepip_is_project {
  local name
  for name in pyproject.toml setup.py setup.cfg Pipfile pylock.toml uv.lock poetry.lock pdm.lock pixi.toml; do
    [[ ! -e $1/$name ]] || return 0
  done
  for name in "$1"/requirements*.txt(N); do
    [[ ! -e $name ]] || return 0
  done
  return 1
}

function _safepip_in_repository {
  local at=$1
  while [[ $at != "${HOME%/}" ]]; do
    [[ ! -e $at/.git && ! -e $at/.hg ]] || return 0
    [[ -n $at ]] || return 1
    at=${at%/*}
  done
  return 1
}

# See known.py.
function _safepip_knows {
  local mark
  [[ -f $1/pyvenv.cfg && ! -e $1/.safepip/creating ]] || return 1
  for mark in "$1"/.safepip/shell-*(N); do
    [[ $_safepip_state/activate/${mark:t} -ef $1 ]] && return
  done
  return 1
}

function _safepip_enter {
  export SAFEPIP_ACTIVATED=$1 VIRTUAL_ENV=$1
  PATH=$1/bin:$PATH
  function deactivate {
    [[ ${1-} == nondestructive ]] || _safepip_off=$SAFEPIP_ACTIVATED
    _safepip_leave
  }
}

function _safepip_leave {
  emulate -L zsh
  local searched=:$PATH: entry=:$SAFEPIP_ACTIVATED/bin:
  while [[ $searched == *"$entry"* ]]; do searched=${searched%%"$entry"*}:${searched#*"$entry"}; done
  searched=${searched#:}
  PATH=${searched%:}
  [[ ${VIRTUAL_ENV-} != "$SAFEPIP_ACTIVATED" ]] || unset VIRTUAL_ENV
  unset SAFEPIP_ACTIVATED
  (( ! $+functions[deactivate] )) || unfunction deactivate
}

# Inherited, or evaluated again: what else the rc file did to PATH may have put the environment behind.
if [[ -n ${SAFEPIP_ACTIVATED-} && ${VIRTUAL_ENV-} == "$SAFEPIP_ACTIVATED" ]]; then _safepip_leave; fi
add-zsh-hook precmd _safepip_hook
_safepip_hook
# </activate>
