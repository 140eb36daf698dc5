# safepip for tcsh: puts the project's environment, if it may be activated, into _safepip_found.
# project.py's walk up the tree; which environments may be activated: known.py.

set _safepip_dir = "$cwd"
if ( "$_safepip_dir" == "/" ) set _safepip_dir = ""
set _safepip_below = "$_safepip_dir"
set _safepip_name = ""
while ( "$_safepip_dir" != "$home" || "$_safepip_dir" == "$_safepip_below" )
  if ( -e "$_safepip_dir/.venv" ) then
    set _safepip_name = .venv
  else if ( -f "$_safepip_dir/venv/pyvenv.cfg" ) then
    set _safepip_name = venv
  else if ( -f "$_safepip_dir/env/pyvenv.cfg" ) then
    set _safepip_name = env
  endif
  if ( "$_safepip_name" != "" || "$_safepip_dir" == "" ) break
  if ( -e "$_safepip_dir/.git" || -e "$_safepip_dir/.hg" ) break
  set _safepip_dir = "$_safepip_dir:h"
end
if ( "$_safepip_name" == "" ) exit
set _safepip_env = "$_safepip_dir/$_safepip_name"
if ( ! -f "$_safepip_env/pyvenv.cfg" || -e "$_safepip_env/.safepip/creating" ) exit

set _safepip_known = 0
set _safepip_nonomatch = $?nonomatch
set nonomatch
foreach _safepip_mark ( "$_safepip_env"/.safepip/shell-* )
  if ( ! -e "$_safepip_state/activate/$_safepip_mark:t" ) continue
  if ( -F "$_safepip_state/activate/$_safepip_mark:t" == -F "$_safepip_env" ) set _safepip_known = 1
end
if ( ! $_safepip_known ) then
  if ( ! $_safepip_nonomatch ) unset nonomatch
  exit
endif

# A project below it counts instead, but in one repository around both.
set _safepip_project = 0
while ( "$_safepip_below" != "$_safepip_dir" )
  foreach _safepip_file ( pyproject.toml setup.py setup.cfg Pipfile pylock.toml uv.lock poetry.lock pdm.lock pixi.toml )
    if ( -e "$_safepip_below/$_safepip_file" ) set _safepip_project = 1
  end
  foreach _safepip_file ( "$_safepip_below"/requirements*.txt )
    if ( -e "$_safepip_file" ) set _safepip_project = 1
  end
  set _safepip_below = "$_safepip_below:h"
end
if ( ! $_safepip_nonomatch ) unset nonomatch
while ( $_safepip_project && "$_safepip_dir" != "" && "$_safepip_dir" != "$home" )
  if ( -e "$_safepip_dir/.git" || -e "$_safepip_dir/.hg" ) set _safepip_project = 0
  set _safepip_dir = "$_safepip_dir:h"
end
if ( ! $_safepip_project ) set _safepip_found = "$_safepip_env"
