function _safepip_complete {
  local -a found
  if (( CURRENT > 3 )) && [[ $words[2] == run && $words[3] != -* ]]; then
    shift 2 words
    (( CURRENT -= 2 ))
    _normal
    return
  fi
  found=("${(@f)$("${_safepip_program:-safepip}" hook zsh complete $((CURRENT - 1)) "${words[@]}" 2>/dev/null)}")
  if [[ -n $found[1] ]]; then _describe safepip found; else _files; fi
}
