#!/bin/sh
# safepip made this: the Python of the project that one is in; outside any, the next one on PATH.
# shellcheck shell=sh disable=SC2157
name=__NAME__
program=__PROGRAM__
if [ "${1-}" = -m ] && [ "${2-}" = pip ] && [ -x "$program" ]; then
  shift 2
  SAFEPIP_HOOK=${SAFEPIP_HOOK:-0} SAFEPIP_PYTHON=$name exec "$program" "$@"
fi

if [ -n __PROJECT__ ]; then
  _safepip_bin=${VIRTUAL_ENV:+$VIRTUAL_ENV/bin}
  [ "${VIRTUAL_ENV-}" != "${SAFEPIP_ACTIVATED-}" ] || _safepip_bin= # by a hook: the directory decides
  [ -n "$_safepip_bin" ] || _safepip_bin=$("$program" hook sh bin 2>/dev/null)
  # A program of the system (#!/usr/bin/env python3) knows nothing of the project, nor is `-m venv` about it.
  case ${1-} in
    "${_safepip_bin%/*/*}"/* | "$PWD"/*) ;;
    /usr/bin/* | /usr/sbin/* | /usr/lib/* | /usr/libexec/* | /usr/share/*) _safepip_bin= ;;
    /*) case ":$PATH:" in *":${1%/*}:"*) _safepip_bin= ;; esac ;;
    -m) [ "${2-}" != venv ] || _safepip_bin= ;;
  esac
  if [ -n "$_safepip_bin" ] && [ -x "$_safepip_bin/$name" ]; then exec "$_safepip_bin/$name" "$@"; fi
fi

__NEXT__
