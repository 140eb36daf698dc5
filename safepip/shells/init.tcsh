# safepip for tcsh. In ~/.tcshrc:  eval `safepip init tcsh`
# What `init` prints is one line that sets _safepip_program, _state, _home, _links, _activate and _here and sources
# this file: backticks would join more lines into one. An alias can neither branch nor loop: files do.
# SAFEPIP_HOOK: what comes is in use without more ado, so that there is no need to say how.

alias safepip 'set _safepip_ran ; env SAFEPIP_HOOK="$_safepip_activate" "$_safepip_program:q" \!*'
alias pip 'set _safepip_ran ; env SAFEPIP_HOOK="$_safepip_activate" "$_safepip_program:q" \!*'
alias pip3 'set _safepip_ran ; env SAFEPIP_HOOK="$_safepip_activate" "$_safepip_program:q" \!*'
alias python '/bin/sh "$_safepip_here:q/python.sh" "$_safepip_program:q" python \!*'
alias python3 '/bin/sh "$_safepip_here:q/python.sh" "$_safepip_program:q" python3 \!*'

# By pip's own protocol; tcsh names what is typed in COMMAND_LINE.
complete pip 'p@*@`"$_safepip_program" init --complete`@'
complete pip3 'p@*@`"$_safepip_program" init --complete`@'
complete safepip 'n@run@c@' 'n@init@(bash zsh fish sh tcsh powershell xonsh nushell)@' 'p@*@`"$_safepip_program" init --complete`@'

# The programs of the home environment come last.
if ( "$_safepip_links" != "" && ":${PATH}:" !~ *:"$_safepip_links":* ) then
  set path = ( $path:q "$_safepip_links" )
endif

set _safepip_off = ""
set _safepip_cwd = ""
if ( ! $?SAFEPIP_ACTIVATED ) setenv SAFEPIP_ACTIVATED ""
# Inherited, or evaluated again: what else the rc file did to PATH may have put the environment behind.
if ( $?VIRTUAL_ENV && "$SAFEPIP_ACTIVATED" != "" ) then
  if ( "$VIRTUAL_ENV" == "$SAFEPIP_ACTIVATED" ) source "$_safepip_here/leave.tcsh"
endif

if ( ! $?_safepip_hooked ) then
  set _safepip_hooked
  set _safepip_precmd = "`alias precmd`"
  if ( "$_safepip_precmd" == "" ) then
    alias precmd 'source "$_safepip_here/hook.tcsh"'
  else
    alias precmd "$_safepip_precmd"' ; source "$_safepip_here/hook.tcsh"'
  endif
  unset _safepip_precmd
endif
