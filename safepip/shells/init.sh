# shellcheck shell=sh disable=SC2154
# POSIX shells have no hook at the prompt: cd asks, and so does what may have made an environment.
# An alias of the user's for python or cd stands, for it would be expanded in the name of the function.
unalias safepip pip pip3 2>/dev/null || :
safepip() { _safepip_run '' "$@"; }
pip() { _safepip_pip pip "$@"; }
pip3() { _safepip_pip pip3 "$@"; }
alias python >/dev/null 2>&1 || eval 'python() { _safepip_python python "$@"; }'
alias python3 >/dev/null 2>&1 || eval 'python3() { _safepip_python python3 "$@"; }'
[ "$_safepip_hooked" = 0 ] || alias cd >/dev/null 2>&1 || eval 'cd() { command cd "$@" && _safepip_follow; }'
