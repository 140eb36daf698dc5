# safepip for fish. In ~/.config/fish/config.fish:  safepip init fish | source
# Evaluated twice it does no harm.

set -g _safepip_program __PROGRAM__
set -g _safepip_state __STATE__
set -g _safepip_home __HOME__
set -g _safepip_links __LINKS__
set -g _safepip_words __WORDS__
set -g _safepip_hooked ''
set -g _safepip_pythons __PYTHONS__

function safepip --description 'pip, into an environment of your own'
    # what comes is in use without more ado, so that there is no need to say how
    set -lx SAFEPIP_HOOK $_safepip_hooked
    $_safepip_program $argv
    set -l code $status
    set -g _safepip_pwd ''
    test $_safepip_home/bin -nt $_safepip_links; and $_safepip_program init --links
    return $code
end
function pip --description 'pip, by way of safepip'
    safepip $argv
end
function pip3 --description 'pip, by way of safepip'
    safepip $argv
end

# python -m pip: by programs of these names, for fish cannot put a function in the background.
if test -d "$_safepip_pythons"; and not contains -- $_safepip_pythons $PATH
    set -gx PATH $_safepip_pythons $PATH
end

# The programs of the home environment come last.
if test -n "$_safepip_links"; and not contains -- $_safepip_links $PATH
    set -gx PATH $PATH $_safepip_links
end

# <complete>
# By pip's own protocol: what may stand where the cursor is.
function _safepip_complete
    set -l typed (commandline -opc)
    set -lx COMP_CWORD (count $typed)
    set -lx COMP_WORDS (string join ' ' -- $typed (commandline -ct))
    set -lx PIP_AUTO_COMPLETE 1
    $_safepip_program 2>/dev/null | string split -n ' '
end
complete -c safepip -e
complete -c safepip -n 'not contains -- run (commandline -opc)[2]' -a '(_safepip_complete)'
complete -c safepip -n 'test (count (commandline -opc)) = 1' -a "$_safepip_words" -d "safepip's own"
complete -c safepip -n 'contains -- run (commandline -opc)[2]' -x -a '(complete -C (commandline -ct))'
complete -c safepip -n 'contains -- init (commandline -opc)[2]' -x -a 'bash zsh fish sh tcsh powershell xonsh nushell'
# </complete>
complete -c pip -e
complete -c pip3 -e
complete -c pip -a '(_safepip_complete)'
complete -c pip3 -a '(_safepip_complete)'

# <activate>
# The environment of the project is active as long as the prompt is in it. Nothing below starts a process.
set -g _safepip_off ''
set -g _safepip_pwd ''
set -g _safepip_hooked 1

function _safepip_hook --on-event fish_prompt
    set -l at "$SAFEPIP_ACTIVATED"
    if test -n "$VIRTUAL_ENV"
        # activated by hand
        test "$VIRTUAL_ENV" != "$at" -o -n "$_OLD_VIRTUAL_PATH"; and return
    end
    # Where nothing can have changed: no pip has run, and directory and environment are what they were.
    if test "$PWD" = "$_safepip_pwd" -a "$VIRTUAL_ENV" = "$at"
        test -n "$at" -a -f "$at/pyvenv.cfg"; or test -z "$at" -a ! -e .venv; and return
    end
    set -g _safepip_pwd "$PWD"
    set -g _safepip_found ''
    if test -z "$CONDA_DEFAULT_ENV" -o "$CONDA_DEFAULT_ENV" = base
        _safepip_find
    end
    test "$_safepip_found" = "$_safepip_off"; or set -g _safepip_off ''
set -g _safepip_pwd ''
    if test -n "$at" -a -z "$VIRTUAL_ENV" -a "$_safepip_found" = "$at"
        set -g _safepip_off $at # deactivated by hand
    end
    test -z "$_safepip_off"; or set -g _safepip_found ''
    if test "$_safepip_found" != "$at"
        test -z "$at"; or _safepip_leave
        test -z "$_safepip_found"; or _safepip_enter $_safepip_found
    end
end

# Puts the project's environment, if it may be activated, into _safepip_found: project.py's walk up the tree.
function _safepip_find
    set -l at (string trim -r -c / -- $PWD)
    set -l home (string trim -r -c / -- $HOME)
    set -l below $at
    set -l name
    while test "$at" != "$home" -o "$at" = "$below"
        if test -e "$at/.venv"
            set name .venv
        else if test -f "$at/venv/pyvenv.cfg"
            set name venv
        else if test -f "$at/env/pyvenv.cfg"
            set name env
        end
        test -n "$name"; and break
        test -z "$at" -o -e "$at/.git" -o -e "$at/.hg"; and return
        set at (string replace -r '/[^/]*$' '' -- $at)
    end
    test -n "$name"; and _safepip_knows "$at/$name"; or return
    while test "$below" != "$at"
        _safepip_is_project "$below"; and not _safepip_in_repository "$at"; and return
        set below (string replace -r '/[^/]*$' '' -- $below)
    end
    set -g _safepip_found "$at/$name"
end

function _safepip_is_project
    for name in pyproject.toml setup.py setup.cfg Pipfile pylock.toml uv.lock poetry.lock pdm.lock pixi.toml
        test -e "$argv[1]/$name"; and return
    end
    for name in $argv[1]/requirements*.txt
        return 0
    end
    return 1
end

function _safepip_in_repository
    set -l at $argv[1]
    while test "$at/" != "$HOME/"
        test -e "$at/.git" -o -e "$at/.hg"; and return
        test -n "$at"; or return 1
        set at (string replace -r '/[^/]*$' '' -- $at)
    end
    return 1
end

# See known.py.
function _safepip_knows
    test -f $argv[1]/pyvenv.cfg -a ! -e $argv[1]/.safepip/creating; or return 1
    for mark in $argv[1]/.safepip/shell-*
        set -l link $_safepip_state/activate/(string replace -r '.*/' '' -- $mark)
        test -e $link; and test (builtin realpath $link) = (builtin realpath $argv[1]); and return 0
    end
    return 1
end

function _safepip_enter
    set -gx SAFEPIP_ACTIVATED $argv[1]
    set -gx VIRTUAL_ENV $argv[1]
    set -gx PATH $argv[1]/bin $PATH
    function deactivate --description 'Leave the environment that safepip activated'
        test "$argv[1]" = nondestructive; or set -g _safepip_off $SAFEPIP_ACTIVATED
        _safepip_leave
    end
end

function _safepip_leave
    set -l kept
    for entry in $PATH
        test $entry = $SAFEPIP_ACTIVATED/bin; or set -a kept $entry
    end
    set -gx PATH $kept
    test "$VIRTUAL_ENV" = "$SAFEPIP_ACTIVATED"; and set -e VIRTUAL_ENV
    set -e SAFEPIP_ACTIVATED
    functions -e deactivate
end

# Inherited, or evaluated again: what else config.fish did to PATH may have put the environment behind.
if test -n "$SAFEPIP_ACTIVATED" -a "$VIRTUAL_ENV" = "$SAFEPIP_ACTIVATED"
    _safepip_leave
end
_safepip_hook
# </activate>
