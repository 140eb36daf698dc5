# safepip for tcsh. `safepip init tcsh` prints one line that sets _safepip_program, _safepip_hooked (0 with
# --no-activate), _safepip_files and PATH, and sources this: backticks would join more lines into one.

# Shells that are open outlive safepip's files: without them pip and python are the plain ones.
set _safepip_typed = '[ -r "$0" ] && . "$0"; exec "$@"'
set _safepip_hook = 'if ( -r "$_safepip_files:q/hook.tcsh" ) source "$_safepip_files:q/hook.tcsh"'

alias safepip 'set _safepip_seen = "" ; env SAFEPIP_HOOK="$_safepip_hooked" "$_safepip_program:q" \!*'
alias pip 'set _safepip_seen = "" ; /bin/sh -c "$_safepip_typed:q" "$_safepip_files:q/typed.sh" pip \!*'
alias pip3 'set _safepip_seen = "" ; /bin/sh -c "$_safepip_typed:q" "$_safepip_files:q/typed.sh" pip3 \!*'
alias python '/bin/sh -c "$_safepip_typed:q" "$_safepip_files:q/typed.sh" python \!*'
alias python3 '/bin/sh -c "$_safepip_typed:q" "$_safepip_files:q/typed.sh" python3 \!*'

complete pip 'p@*@`/bin/sh "$_safepip_files:q/typed.sh" hook complete 0`@'
complete pip3 'p@*@`/bin/sh "$_safepip_files:q/typed.sh" hook complete 0`@'
complete safepip 'n@run@c@' 'p@*@`/bin/sh "$_safepip_files:q/typed.sh" hook complete 0`@'

# What the answer calls on entering an environment, with the prompt's beginning in _safepip_given, and on leaving it.
alias _safepip_undo 'eval "`/bin/sh $_safepip_files:q/typed.sh hook leave \!*`"'
alias _safepip_enter 'alias deactivate _safepip_undo'
alias _safepip_leave 'unalias deactivate'
if ( $?prompt ) then
  if ( ! $?_safepip_prompt ) set _safepip_prompt = "$prompt:q"
  alias _safepip_enter 'set _safepip_prompt = "$prompt:q" ; set prompt = "$_safepip_given:q$prompt:q" ; alias deactivate _safepip_undo'
  alias _safepip_leave 'set prompt = "$_safepip_prompt:q" ; unalias deactivate'
endif

setenv _safepip_off ""
setenv _safepip_watch ""
setenv _safepip_home ""
if ( ! $?_safepip_follows ) then
  set _safepip_follows = "`alias precmd`"
  alias precmd "$_safepip_hook:q"
  if ( "$_safepip_follows" != "" ) alias precmd "$_safepip_follows ; $_safepip_hook:q"
endif
alias _safepip_begun 'set _safepip_seen = asked ; if ( -r "$_safepip_files:q/hook.tcsh" ) source "$_safepip_files:q/hook.tcsh"'
set _safepip_seen = ""
eval "`/bin/sh $_safepip_files:q/typed.sh hook start $_safepip_hooked`"
