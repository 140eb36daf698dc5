# `/bin/sh typed.sh NAME ARGUMENTS…` is what tcsh's aliases run, for an alias cannot branch.
# shellcheck shell=sh disable=SC2154
name=$1
shift
case $name in
  hook) exec "$_safepip_program" hook tcsh "${1:-$_safepip_hooked}" "${2:-$_safepip_off}" 2>/dev/null ;;
  python*)
    if [ -n "$_safepip_home" ] && [ "${1-} ${2-}" != "-m pip" ]; then
      [ "$name" = python3 ] || name=$_safepip_home_python
      export PYTHONUSERBASE="$_safepip_home"
    fi
    ;;
esac
if [ "$name" = pip ] || [ "$name" = pip3 ]; then
  set -- -m pip "$@"
  python=
else
  python=$name
fi
if [ "${1-} ${2-}" = "-m pip" ] && [ -x "$_safepip_program" ]; then
  shift 2
  SAFEPIP_HOOK=$_safepip_hooked SAFEPIP_PYTHON=${python:-${SAFEPIP_PYTHON-}} exec "$_safepip_program" "$@"
fi
[ -n "$python" ] || shift 2
exec "$name" "$@"
