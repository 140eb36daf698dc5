function _safepip_complete
    set -l program safepip
    set -q _safepip_program; and set program $_safepip_program
    set -l typed (commandline -opc)
    $program hook fish complete (count $typed) $typed (commandline -ct) 2>/dev/null
end
complete -c safepip -e
complete -c safepip -f -a '(_safepip_complete)'
