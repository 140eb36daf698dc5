# `safepip shell` in bash: the user's own file, then the environment in front, whatever that did to PATH.
# shellcheck shell=bash
# shellcheck source=/dev/null
[[ ! -r ~/.bashrc ]] || . ~/.bashrc
export PATH="$SAFEPIP_SHELL/bin:$PATH" VIRTUAL_ENV="$SAFEPIP_SHELL"
unset SAFEPIP_ACTIVATED # it stays wherever one goes
