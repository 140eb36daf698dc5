# `safepip shell` in a POSIX shell: the file that ENV named, then the environment in front.
# shellcheck shell=sh
# shellcheck source=/dev/null
ENV=${SAFEPIP_SHELL_ENV-}
[ -z "$ENV" ] || [ ! -r "$ENV" ] || . "$ENV"
export PATH="$SAFEPIP_SHELL/bin:$PATH" VIRTUAL_ENV="$SAFEPIP_SHELL"
unset SAFEPIP_SHELL_ENV SAFEPIP_ACTIVATED # it stays wherever one goes
