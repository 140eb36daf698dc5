# safepip for POSIX shells (dash, ksh, mksh, busybox). In the file that $ENV names:  eval "$(safepip init sh)"
# shellcheck shell=sh disable=SC3013
# No hook at the prompt and no local variables here: cd looks, and so does what may have made an environment.

_safepip_program=__PROGRAM__
_safepip_state=__STATE__
_safepip_home=__HOME__
_safepip_links=__LINKS__
_safepip_hooked=

unalias safepip pip pip3 2>/dev/null || :
# SAFEPIP_HOOK: what comes is in use without more ado, so that there is no need to say how.
safepip() {
  SAFEPIP_HOOK=$_safepip_hooked "$_safepip_program" "$@"
  _safepip_code=$?
  # shellcheck disable=SC3013
  [ "$_safepip_home/bin" -nt "$_safepip_links" ] && "$_safepip_program" init --links
  # <activate>
  _safepip_hook
  # </activate>
  return "$_safepip_code"
}
pip() { safepip "$@"; }
pip3() { safepip "$@"; }
# An alias of the user's stands, for it would be expanded in the name of the function.
alias python >/dev/null 2>&1 || eval 'python() { _safepip_python python "$@"; }'
alias python3 >/dev/null 2>&1 || eval 'python3() { _safepip_python python3 "$@"; }'

_safepip_python() {
  _safepip_name=$1
  if [ "${2-}" = -m ] && [ "${3-}" = pip ]; then
    shift 3
    _safepip_has "$_safepip_name" || _safepip_name= # any will do, as for pip
    _safepip_set=${SAFEPIP_PYTHON-}
    export SAFEPIP_PYTHON="$_safepip_name"
    safepip "$@"
    SAFEPIP_PYTHON=$_safepip_set # empty is unset
    return "$_safepip_code"
  fi
  command "$@"
}

_safepip_has() (
  set -f
  IFS=:
  for dir in $PATH; do
    if [ -f "$dir/$1" ] && [ -x "$dir/$1" ]; then exit 0; fi
  done
  exit 1
)

# The programs of the home environment come last.
case ":$PATH:" in
  *":$_safepip_links:"*) ;;
  *) [ -z "$_safepip_links" ] || PATH=$PATH:$_safepip_links ;;
esac

# <activate>
# The environment of the project is active as long as one is in it. Nothing below starts a process.
_safepip_off=
_safepip_hooked=1

alias cd >/dev/null 2>&1 || eval 'cd() { command cd "$@" && _safepip_hook; }'

_safepip_hook() {
  _safepip_at=${SAFEPIP_ACTIVATED-}
  _safepip_found=
  if [ -n "${VIRTUAL_ENV-}" ]; then
    [ "$VIRTUAL_ENV" = "$_safepip_at" ] && [ -z "${_OLD_VIRTUAL_PATH-}" ] || return 0 # activated by hand
  fi
  [ "${CONDA_DEFAULT_ENV:-base}" != base ] || _safepip_find
  [ "$_safepip_found" = "$_safepip_off" ] || _safepip_off=
  if [ -n "$_safepip_at" ] && [ -z "${VIRTUAL_ENV-}" ] && [ "$_safepip_found" = "$_safepip_at" ]; then
    _safepip_off=$_safepip_at # deactivated by hand
  fi
  [ -z "$_safepip_off" ] || _safepip_found=
  if [ "$_safepip_found" != "$_safepip_at" ]; then
    [ -z "$_safepip_at" ] || _safepip_leave
    [ -z "$_safepip_found" ] || _safepip_enter "$_safepip_found"
  fi
  return 0
}

# <find>
# Puts the project's environment, if it may be activated, into _safepip_found: project.py's walk up the tree.
_safepip_find() {
  _safepip_top=${HOME-}
  _safepip_top=${_safepip_top%/}
  _safepip_dir=${PWD%/}
  _safepip_below=$_safepip_dir
  _safepip_name=
  while [ "$_safepip_dir" != "$_safepip_top" ] || [ "$_safepip_dir" = "$_safepip_below" ]; do
    if [ -e "$_safepip_dir/.venv" ]; then
      _safepip_name=.venv
    elif [ -f "$_safepip_dir/venv/pyvenv.cfg" ]; then
      _safepip_name=venv
    elif [ -f "$_safepip_dir/env/pyvenv.cfg" ]; then
      _safepip_name='env'
    fi
    [ -z "$_safepip_name" ] || break
    if [ -z "$_safepip_dir" ] || [ -e "$_safepip_dir/.git" ] || [ -e "$_safepip_dir/.hg" ]; then return 0; fi
    _safepip_dir=${_safepip_dir%/*}
  done
  if [ -z "$_safepip_name" ] || ! _safepip_knows "$_safepip_dir/$_safepip_name"; then return 0; fi
  while [ "$_safepip_below" != "$_safepip_dir" ]; do
    if _safepip_is_project "$_safepip_below" && ! _safepip_in_repository "$_safepip_dir"; then return 0; fi
    _safepip_below=${_safepip_below%/*}
  done
  _safepip_found=$_safepip_dir/$_safepip_name
}

_safepip_is_project() {
  for _safepip_file in pyproject.toml setup.py setup.cfg Pipfile pylock.toml uv.lock poetry.lock pdm.lock \
    pixi.toml; do
    [ ! -e "$1/$_safepip_file" ] || return 0
  done
  for _safepip_file in "$1"/requirements*.txt; do
    [ ! -e "$_safepip_file" ] || return 0
  done
  return 1
}

_safepip_in_repository() {
  _safepip_around=$1
  while [ "$_safepip_around" != "$_safepip_top" ]; do
    if [ -e "$_safepip_around/.git" ] || [ -e "$_safepip_around/.hg" ]; then return 0; fi
    [ -n "$_safepip_around" ] || return 1
    _safepip_around=${_safepip_around%/*}
  done
  return 1
}

# See known.py.
_safepip_knows() {
  if [ ! -f "$1/pyvenv.cfg" ] || [ -e "$1/.safepip/creating" ]; then return 1; fi
  for _safepip_mark in "$1"/.safepip/shell-*; do
    [ "$_safepip_state/activate/${_safepip_mark##*/}" -ef "$1" ] && return 0
  done
  return 1
}
# </find>

_safepip_enter() {
  export SAFEPIP_ACTIVATED="$1" VIRTUAL_ENV="$1"
  PATH=$1/bin:$PATH
  eval 'deactivate() {
    [ "${1-}" = nondestructive ] || _safepip_off=$SAFEPIP_ACTIVATED
    _safepip_leave
  }'
}

_safepip_leave() {
  _safepip_path=:$PATH:
  _safepip_entry=:$SAFEPIP_ACTIVATED/bin:
  while :; do
    case $_safepip_path in
      *"$_safepip_entry"*) _safepip_path=${_safepip_path%%"$_safepip_entry"*}:${_safepip_path#*"$_safepip_entry"} ;;
      *) break ;;
    esac
  done
  _safepip_path=${_safepip_path#:}
  PATH=${_safepip_path%:}
  [ "${VIRTUAL_ENV-}" != "$SAFEPIP_ACTIVATED" ] || unset VIRTUAL_ENV
  unset SAFEPIP_ACTIVATED
  unset -f deactivate
}

# Inherited, or evaluated again: what else the rc file did to PATH may have put the environment behind.
if [ -n "${SAFEPIP_ACTIVATED-}" ] && [ "${VIRTUAL_ENV-}" = "$SAFEPIP_ACTIVATED" ]; then _safepip_leave; fi
_safepip_hook
# </activate>
