# safepip for fish: `safepip init fish` prints this behind the values of _safepip_program, _safepip_hooked (0 with
# --no-activate) and PATH. Evaluated twice it does no harm.

function safepip --description 'pip, into an environment of your own'
    set -lx SAFEPIP_HOOK $_safepip_hooked
    $_safepip_program $argv
    set -l code $status
    _safepip_ask
    return $code
end
function pip --description 'pip, by way of safepip'
    if test -x $_safepip_program
        safepip $argv
    else
        command pip $argv
    end
end
function pip3 --description 'pip, by way of safepip'
    pip $argv
end
complete -c pip -e
complete -c pip3 -e
complete -c pip -f -a '(_safepip_complete)'
complete -c pip3 -f -a '(_safepip_complete)'

# Ask which variables to change in this directory, and change them.
function _safepip_ask
    $_safepip_program hook fish $_safepip_hooked "$_safepip_off" 2>/dev/null | source
    _safepip_begun
end
function _safepip_begun
    _safepip_look
    set -g _safepip_seen $_safepip_now
    if test -n "$_safepip_home" -a "$_safepip_home_python" = python3
        set -g _safepip_named # many machines have no python
        function python --wraps python3
            python3 $argv
        end
    else if set -q _safepip_named
        functions -e python
        set -e _safepip_named
    end
end

# At a prompt: ask again only where something has changed that the answer depends on. `activate` sets the last.
function _safepip_follow --on-event fish_prompt
    test $_safepip_hooked != 0 -a -x $_safepip_program -a -z "$_OLD_VIRTUAL_PATH"; or return
    _safepip_look
    test "$_safepip_now" = "$_safepip_seen"; or _safepip_ask
end
function _safepip_look
    set -g _safepip_now "$PWD $VIRTUAL_ENV $CONDA_DEFAULT_ENV"
    test -e "$_safepip_watch"; and set -g _safepip_now "$_safepip_now exists"
end

# A Python that is typed outside of projects sees the home environment's packages. A function named python would not
# do: fish cannot start one in the background.
function _safepip_before --on-event fish_preexec
    test -n "$_safepip_home"; and string match -qr '(^|[;&|]\s*)python3?\b' -- $argv[1]; or return
    set -g _safepip_base_set
    set -gx PYTHONUSERBASE $_safepip_home
end
function _safepip_after --on-event fish_postexec
    set -q _safepip_base_set; and set -e PYTHONUSERBASE _safepip_base_set
end

# What the answer calls on entering and on leaving an environment.
function _safepip_enter
    function deactivate --description 'Leave the environment that safepip activated'
        $_safepip_program hook fish leave "$argv[1]" | source
    end
    set -g _safepip_shown $argv[1]
    functions -q _safepip_prompt; or test -z "$_safepip_shown"; and return
    functions -c fish_prompt _safepip_prompt
    function fish_prompt
        set -l code $status
        echo -n $_safepip_shown
        _safepip_status $code
        _safepip_prompt
    end
end
function _safepip_status
    return $argv[1]
end
function _safepip_leave
    functions -e deactivate
    functions -q _safepip_prompt; or return
    functions -e fish_prompt
    functions -c _safepip_prompt fish_prompt
    functions -e _safepip_prompt
end
