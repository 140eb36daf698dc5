# shellcheck shell=sh disable=SC2154
# The next one on PATH that is not a shim of safepip's. Another tool's shim may lead back here, in this same process:
# then the search goes on behind that one, so that it ends.
_safepip_tried=
case ${SAFEPIP_SHIM-} in "$$:"*) _safepip_tried=${SAFEPIP_SHIM#*:} ;; esac
set -f
IFS=:
_safepip_names=$name
[ "$name" != python ] || _safepip_names=python:python3 # many machines have only that
for name in $_safepip_names; do
  for _safepip_dir in ${PATH:-/usr/local/bin:/usr/bin:/bin}; do
    case $_safepip_dir in /*) ;; *) continue ;; esac
    _safepip_next=$_safepip_dir/$name
    if [ ! -f "$_safepip_next" ] || [ ! -x "$_safepip_next" ]; then continue; fi
    if [ -n "$_safepip_tried" ]; then
      [ "$_safepip_next" != "$_safepip_tried" ] || _safepip_tried=
      continue
    fi
    { read -r _safepip_first && read -r _safepip_second; } <"$_safepip_next" || :
    case $_safepip_first in '#!'*) case $_safepip_first$_safepip_second in *safepip*) continue ;; esac ;; esac
    export SAFEPIP_SHIM="$$:$_safepip_next"
    # shellcheck disable=SC2093
    exec "$_safepip_next" "$@"
  done
done
echo "safepip: error: there is no other ${_safepip_names%%:*} on PATH" >&2
exit 127
