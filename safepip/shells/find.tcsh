# safepip for tcsh: puts the project's environment, if it may be activated, into _safepip_found.
# project.py's walk up the tree; which environments may be activated: known.py.

set _safepip_dir = "$cwd"
if ( "$_safepip_dir" == "/" ) set _safepip_dir = ""
set _safepip_begin = "$_safepip_dir"
set _safepip_marked = 0
set _safepip_ended = 0
set _safepip_nonomatch = $?nonomatch
set nonomatch
while ( ! $_safepip_ended )
  if ( "$_safepip_dir" == "$home" && "$_safepip_dir" != "$_safepip_begin" ) break
  if ( "$_safepip_found" == "" ) then
    foreach _safepip_name ( .venv venv env )
      if ( ! -f "$_safepip_dir/$_safepip_name/pyvenv.cfg" ) continue
      set _safepip_env = "$_safepip_dir/$_safepip_name"
      set _safepip_ended = 1
      if ( -e "$_safepip_env/.safepip/creating" ) break
      foreach _safepip_mark ( "$_safepip_env"/.safepip/shell-* )
        if ( ! -e "$_safepip_state/activate/$_safepip_mark:t" ) continue
        if ( -F "$_safepip_state/activate/$_safepip_mark:t" == -F "$_safepip_env" ) set _safepip_found = "$_safepip_env"
      end
      if ( "$_safepip_found" != "" && $_safepip_marked ) set _safepip_ended = 0
      break
    end
    if ( $_safepip_ended ) then
      set _safepip_marked = 0
      break
    endif
    if ( "$_safepip_found" == "" && -e "$_safepip_dir/.venv" ) break
  endif
  if ( -e "$_safepip_dir/.git" || -e "$_safepip_dir/.hg" ) then
    set _safepip_marked = 0
    break
  endif
  if ( ! $_safepip_marked && "$_safepip_found" == "" ) then
    foreach _safepip_name ( pyproject.toml setup.py setup.cfg Pipfile pylock.toml uv.lock poetry.lock pdm.lock requirements.txt )
      if ( -e "$_safepip_dir/$_safepip_name" ) set _safepip_marked = 1
    end
  endif
  if ( "$_safepip_dir" == "" ) break
  set _safepip_dir = "$_safepip_dir:h"
end
if ( $_safepip_marked ) set _safepip_found = "" # a project below it, and no repository around both
if ( ! $_safepip_nonomatch ) unset nonomatch
