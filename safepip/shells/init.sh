# safepip for POSIX shells (dash, ksh, mksh, busybox). In the file that $ENV names:  eval "$(safepip init sh)"
# shellcheck shell=sh disable=SC3013
# No hook at the prompt and no local variables here: cd looks, and so does what may have made an environment.

_safepip_program=__PROGRAM__
_safepip_state=__STATE__
_safepip_home=__HOME__
_safepip_links=__LINKS__

unalias safepip pip pip3 2>/dev/null || :
safepip() {
  "$_safepip_program" "$@"
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
    _safepip_set=${SAFEPIP_PYTHON-}
    export SAFEPIP_PYTHON="$_safepip_name"
    safepip "$@"
    SAFEPIP_PYTHON=$_safepip_set # empty is unset
    return "$_safepip_code"
  fi
  command "$@"
}

# The programs of the home environment come last.
case ":$PATH:" in
  *":$_safepip_links:"*) ;;
  *) [ -z "$_safepip_links" ] || PATH=$PATH:$_safepip_links ;;
esac

# <activate>
# The environment of the project is active as long as one is in it. Nothing below starts a process.
_safepip_off=

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
  _safepip_dir=${PWD%/}
  _safepip_marked=
  while [ "$_safepip_dir" != "${HOME%/}" ] || [ "$_safepip_dir" = "${PWD%/}" ]; do
    if [ -z "$_safepip_found" ]; then
      for _safepip_name in .venv venv env; do
        [ -f "$_safepip_dir/$_safepip_name/pyvenv.cfg" ] || continue
        _safepip_knows "$_safepip_dir/$_safepip_name" || return 0
        _safepip_found=$_safepip_dir/$_safepip_name
        [ -z "$_safepip_marked" ] || break
        return 0
      done
      [ ! -e "$_safepip_dir/.venv" ] || [ -n "$_safepip_found" ] || return 0
    fi
    [ ! -e "$_safepip_dir/.git" ] && [ ! -e "$_safepip_dir/.hg" ] || return 0
    if [ -z "$_safepip_marked$_safepip_found" ]; then
      for _safepip_name in pyproject.toml setup.py setup.cfg Pipfile pylock.toml uv.lock poetry.lock pdm.lock \
        requirements.txt; do
        if [ -e "$_safepip_dir/$_safepip_name" ]; then
          _safepip_marked=$_safepip_name
          break
        fi
      done
    fi
    [ -n "$_safepip_dir" ] || break
    _safepip_dir=${_safepip_dir%/*}
  done
  [ -z "$_safepip_marked" ] || _safepip_found= # a project below it, and no repository around both
}

# See known.py.
_safepip_knows() {
  [ ! -e "$1/.safepip/creating" ] || return 1
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
