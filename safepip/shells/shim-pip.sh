#!/bin/sh
# safepip made this: pip by way of safepip; where safepip is gone, the next one on PATH.
# shellcheck shell=sh disable=SC2034,SC2093,SC3013
name=__NAME__
program=__PROGRAM__
if [ "${SAFEPIP_SHIM-}" = "$$:$program" ]; then
  echo "safepip: error: $program leads back to this shim; write it again: safepip shims" >&2
  exit 126
fi
if [ -x "$program" ]; then
  export SAFEPIP_SHIM="$$:$program"
  exec "$program" "$@"
fi

__NEXT__
