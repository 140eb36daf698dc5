# `function NAME` does not expand the user's aliases, which stand.
function safepip { _safepip_run '' "$@" }
function pip { _safepip_pip pip "$@" }
function pip3 { _safepip_pip pip3 "$@" }
function python { _safepip_python python "$@" }
function python3 { _safepip_python python3 "$@" }

autoload -Uz add-zsh-hook
[[ $_safepip_hooked == 0 ]] || add-zsh-hook precmd _safepip_follow

# compinit may be loaded before this line, after it, or never.
function _safepip_complete_old {
  local -a line
  local at
  read -Ac line
  read -cn at
  reply=("${(@f)$("$_safepip_program" hook bash complete $((at - 1)) "${line[@]}" 2>/dev/null)}")
}
function _safepip_completion {
  if (( $+functions[compdef] )); then
    compdef _safepip_complete safepip pip pip3
  else
    compctl -K _safepip_complete_old + -f safepip pip pip3
  fi
  add-zsh-hook -d precmd _safepip_completion
}
add-zsh-hook precmd _safepip_completion
