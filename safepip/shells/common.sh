# safepip for bash, zsh and POSIX shells: `safepip init` prints this behind the values of _safepip_shell,
# _safepip_program, _safepip_hooked (0 with --no-activate) and PATH. Evaluated twice it does no harm.
# shellcheck shell=sh disable=SC2154,SC2269,SC2317

# Ask which variables to change in this directory, and change them.
_safepip_ask() {
  eval "$("$_safepip_program" hook "$_safepip_shell" "$_safepip_hooked" "${_safepip_off-}" 2>/dev/null)"
  _safepip_begun
}
_safepip_begun() {
  _safepip_look
  _safepip_seen=$_safepip_now
}

# At a prompt: ask again only where something has changed that the answer depends on. `activate` sets the last.
_safepip_follow() {
  _safepip_look
  [ "$_safepip_now" = "${_safepip_seen-}" ] || [ -n "${_OLD_VIRTUAL_PATH-}" ] || [ ! -x "$_safepip_program" ] || _safepip_ask
}
_safepip_look() {
  _safepip_now="$PWD ${VIRTUAL_ENV-} ${CONDA_DEFAULT_ENV-}"
  [ ! -e "${_safepip_watch:-/-}" ] || _safepip_now="$_safepip_now exists"
}

_safepip_run() { # PYTHON ARGUMENTS…
  _safepip_name=$1
  shift
  SAFEPIP_HOOK=$_safepip_hooked SAFEPIP_PYTHON=${_safepip_name:-${SAFEPIP_PYTHON-}} "$_safepip_program" "$@"
  _safepip_code=$?
  _safepip_ask
  PATH=$PATH # forgets where programs were found
  return "$_safepip_code"
}
_safepip_pip() { # NAME ARGUMENTS…
  if [ ! -x "$_safepip_program" ]; then
    command "$@"
  else
    shift
    _safepip_run '' "$@"
  fi
}
_safepip_python() { # NAME ARGUMENTS…
  _safepip_name=$1
  shift
  if [ "${1-} ${2-}" = "-m pip" ] && [ -x "$_safepip_program" ]; then
    shift 2
    _safepip_run "$_safepip_name" "$@"
    return
  fi
  [ "$_safepip_hooked" = 0 ] || _safepip_follow # cd there && python3 FILE.py
  if [ -n "${_safepip_home-}" ]; then
    [ "$_safepip_name" = python3 ] || _safepip_name=$_safepip_home_python
    PYTHONUSERBASE=$_safepip_home command "$_safepip_name" "$@"
  else
    command "$_safepip_name" "$@"
  fi
}

# What the answer calls on entering and on leaving an environment; PROMPT is empty where none is to be shown.
_safepip_enter() { # PROMPT
  deactivate() { eval "$("$_safepip_program" hook "$_safepip_shell" leave "${1-}")"; }
  _safepip_shown=$1
  PS1=${PS1-}
  PS1=$1${PS1#"$1"}
}
_safepip_leave() {
  PS1=${PS1-}
  PS1=${PS1#"${_safepip_shown-}"}
  unset -f deactivate 2>/dev/null || :
}
