# `safepip shell` in zsh: the user's own files, then the environment in front, whatever they did to PATH.
if [[ -n ${SAFEPIP_SHELL_ZDOTDIR-} ]]; then export ZDOTDIR=$SAFEPIP_SHELL_ZDOTDIR; else unset ZDOTDIR; fi
unset SAFEPIP_SHELL_ZDOTDIR
function _safepip_shell {
  export PATH=$SAFEPIP_SHELL/bin:$PATH VIRTUAL_ENV=$SAFEPIP_SHELL
  unset SAFEPIP_ACTIVATED # it stays wherever one goes
  precmd_functions=(${precmd_functions:#_safepip_shell})
  unfunction _safepip_shell
}
typeset -ga precmd_functions
precmd_functions+=(_safepip_shell)
[[ ! -r ${ZDOTDIR:-$HOME}/.zshenv ]] || . "${ZDOTDIR:-$HOME}/.zshenv"
