# safepip for tcsh, at each prompt: ask again only where something has changed that the answer depends on.

if ( ! -x "$_safepip_program" || $?_OLD_VIRTUAL_PATH ) exit
if ( "$_safepip_hooked" == 0 && "$_safepip_seen" != "" && "$_safepip_seen" != asked ) exit
set _safepip_now = "$cwd"
if ( $?VIRTUAL_ENV ) then
  set _safepip_now = "$_safepip_now $VIRTUAL_ENV"
endif
if ( $?CONDA_DEFAULT_ENV ) then
  set _safepip_now = "$_safepip_now $CONDA_DEFAULT_ENV"
endif
if ( -e "$_safepip_watch" ) set _safepip_now = "$_safepip_now exists"
if ( "$_safepip_now" == "$_safepip_seen" ) exit

if ( "$_safepip_seen" == asked ) then
  set _safepip_seen = "$_safepip_now"
else
  eval "`/bin/sh $_safepip_files:q/typed.sh hook`"
  rehash
  set _safepip_seen = asked
  source "$_safepip_files:q/hook.tcsh"
endif
