# shellcheck shell=bash disable=SC2154
# `function NAME` does not expand the user's aliases, which stand.
function safepip { _safepip_run '' "$@"; }
function pip { _safepip_pip pip "$@"; }
function pip3 { _safepip_pip pip3 "$@"; }
function python { _safepip_python python "$@"; }
function python3 { _safepip_python python3 "$@"; }

_safepip_prompt() {
  local code=$?
  _safepip_follow
  return $code
}
if [[ $_safepip_hooked == 1 && ${PROMPT_COMMAND[*]-} != *_safepip_prompt* ]]; then
  if [[ $(declare -p PROMPT_COMMAND 2>/dev/null) == "declare -a"* ]]; then
    PROMPT_COMMAND=(_safepip_prompt "${PROMPT_COMMAND[@]}")
  else
    # shellcheck disable=SC2128,SC2178
    PROMPT_COMMAND="_safepip_prompt${PROMPT_COMMAND:+;$PROMPT_COMMAND}"
  fi
fi
complete -o default -F _safepip_complete pip pip3 safepip
