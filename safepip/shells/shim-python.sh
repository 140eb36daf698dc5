#!/bin/sh
# safepip made this: the Python of the project that one is in; outside any, the next one on PATH.
# shellcheck shell=sh disable=SC3013
name=__NAME__
program=__PROGRAM__
_safepip_state=__STATE__
if [ "${1-}" = -m ] && [ "${2-}" = pip ] && [ -x "$program" ]; then
  shift 2
  SAFEPIP_PYTHON=$name exec "$program" "$@"
fi

__FIND__

_safepip_found=${VIRTUAL_ENV-}
[ "$_safepip_found" != "${SAFEPIP_ACTIVATED-}" ] || _safepip_found= # by a hook: the directory decides
[ -n "$_safepip_found" ] || _safepip_find
if [ -n "$_safepip_found" ] && [ -x "$_safepip_found/bin/$name" ]; then exec "$_safepip_found/bin/$name" "$@"; fi

__NEXT__
