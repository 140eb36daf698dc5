# safepip for tcsh, at each prompt: the project's environment is active as long as the prompt is in it.
# No process is started, but after pip: tcsh tells times by the second, so equal ones say nothing.

if ( $?_safepip_ran ) then
  if ( -M "$_safepip_home/bin" >= -M "$_safepip_links" ) "$_safepip_program" init --links
  rehash
  unset _safepip_ran
  set _safepip_cwd = ""
endif
if ( "$_safepip_activate" == "" ) exit

# Where nothing can have changed: no pip has run, and the directory and the environment are what they were.
if ( ! $?VIRTUAL_ENV && "$SAFEPIP_ACTIVATED" == "" && "$cwd" == "$_safepip_cwd" && ! -e .venv ) exit
if ( "$SAFEPIP_ACTIVATED" != "" && "$cwd" == "$_safepip_cwd" && -e "$SAFEPIP_ACTIVATED/pyvenv.cfg" && $?VIRTUAL_ENV ) exit
set _safepip_cwd = "$cwd"

set _safepip_hand = 0
if ( $?VIRTUAL_ENV ) then
  if ( "$VIRTUAL_ENV" != "" && ( "$VIRTUAL_ENV" != "$SAFEPIP_ACTIVATED" || $?_OLD_VIRTUAL_PATH ) ) set _safepip_hand = 1
endif
if ( $_safepip_hand ) exit

set _safepip_found = ""
set _safepip_conda = base
if ( $?CONDA_DEFAULT_ENV ) then
  set _safepip_conda = "$CONDA_DEFAULT_ENV"
endif
if ( "$_safepip_conda" == base ) source "$_safepip_here/find.tcsh"

if ( "$_safepip_found" != "$_safepip_off" ) set _safepip_off = ""
if ( "$SAFEPIP_ACTIVATED" != "" && "$_safepip_found" == "$SAFEPIP_ACTIVATED" && ! $?VIRTUAL_ENV ) then
  set _safepip_off = "$SAFEPIP_ACTIVATED" # deactivated by hand
endif
if ( "$_safepip_off" != "" ) set _safepip_found = ""
if ( "$_safepip_found" == "$SAFEPIP_ACTIVATED" ) exit

if ( "$SAFEPIP_ACTIVATED" != "" ) source "$_safepip_here/leave.tcsh"
if ( "$_safepip_found" != "" ) then
  setenv SAFEPIP_ACTIVATED "$_safepip_found"
  setenv VIRTUAL_ENV "$_safepip_found"
  set path = ( "$_safepip_found/bin" $path:q )
  alias deactivate 'set _safepip_off = "$SAFEPIP_ACTIVATED" ; source "$_safepip_here/leave.tcsh"'
endif
