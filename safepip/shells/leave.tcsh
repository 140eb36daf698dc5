# safepip for tcsh: PATH and VIRTUAL_ENV as they were before the environment SAFEPIP_ACTIVATED.

set _safepip_kept = ()
foreach _safepip_entry ( $path:q )
  if ( "$_safepip_entry" != "$SAFEPIP_ACTIVATED/bin" ) set _safepip_kept = ( $_safepip_kept:q "$_safepip_entry" )
end
set path = ( $_safepip_kept:q )
unset _safepip_kept _safepip_entry
if ( $?VIRTUAL_ENV ) then
  if ( "$VIRTUAL_ENV" == "$SAFEPIP_ACTIVATED" ) unsetenv VIRTUAL_ENV
endif
setenv SAFEPIP_ACTIVATED ""
unalias deactivate
