# safepip: sh python.sh SAFEPIP NAME ARGUMENTS…: for shells whose aliases cannot branch, NAME -m pip by way of safepip.
# shellcheck shell=sh
program=$1 name=$2
shift 2
if [ "${1-}" = -m ] && [ "${2-}" = pip ]; then
  shift 2
  command -v "$name" >/dev/null 2>&1 || name= # any will do, as for pip
  SAFEPIP_PYTHON=$name exec "$program" "$@"
fi
exec "$name" "$@"
