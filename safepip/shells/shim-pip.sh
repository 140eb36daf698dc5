#!/bin/sh
# safepip made this: pip by way of safepip; where safepip is gone, the next one on PATH.
# shellcheck shell=sh disable=SC2034,SC3013
name=__NAME__
program=__PROGRAM__
if [ -x "$program" ]; then exec "$program" "$@"; fi

__NEXT__
