#!/bin/sh
# safepip's launcher, made by scripts/bootstrap.py; running that again replaces it
python=__PYTHON__
app=__APP__
start=$app/lib/safepip/launcher/start.py
[ -z "$SAFEPIP_UNFIT" ] && [ -x "$python" ] && [ -f "$start" ] && exec "$python" -IS "$start" "$0" "$@"

# That Python is gone or does not run safepip, or safepip's files are gone. Look for another Python; start.py --fits
# writes the one that it runs on into this file.
fail() {
    printf 'safepip: error: %s; set it up again: %s\n' "$1" __AGAIN__ >&2
    exit 127
}
[ -f "$start" ] || fail "its files in $app are gone"
[ -z "$SAFEPIP_ASKING" ] || exit 127 # a shim of safepip's on PATH leads back here
reason=${SAFEPIP_UNFIT:-$python is gone}
unset SAFEPIP_UNFIT
folders=$PATH:/usr/local/bin:/usr/bin
IFS=:
for folder in $folders; do
    for found in "$folder"/python3 "$folder"/python3.[0-9] "$folder"/python3.[0-9][0-9]; do
        case $found in /*) ;; *) continue ;; esac
        [ -x "$found" ] || continue
        found=$(SAFEPIP_ASKING=1 "$found" -IS "$start" --fits "$0" 2>/dev/null </dev/null) &&
            exec "$found" -IS "$start" "$0" "$@"
    done
done
fail "$reason, and PATH has no other Python that safepip runs on"
