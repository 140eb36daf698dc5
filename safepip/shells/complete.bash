_safepip_complete() {
  mapfile -t COMPREPLY < <("${_safepip_program:-safepip}" hook bash complete "$COMP_CWORD" "${COMP_WORDS[@]}" 2>/dev/null)
  [[ ${COMPREPLY[0]-} != */ ]] || compopt -o nospace
}
