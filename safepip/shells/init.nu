# safepip for nushell, which sources files only, so in env.nu:
#   safepip init nushell | save --force ($nu.default-config-dir | path join safepip.nu)
# and in config.nu:  source safepip.nu
# Evaluated twice it does no harm.

$env._safepip = {
  program: __PROGRAM__
  state: __STATE__
  home: __HOME__
  links: __LINKS__
  words: __WORDS__
  off: ""
  pwd: ""
  hooked: ""
}
# <activate>
$env._safepip.hooked = "1" # what comes is in use without more ado, so that there is no need to say how
# </activate>

def "_safepip complete" [context: string] {
  let typed = $context | split row --regex '\s+'
  let own = if ($typed | first) == "safepip" and ($typed | length) == 2 { $env._safepip.words | split row " " } else { [] }
  let asking = {COMP_WORDS: $context, COMP_CWORD: (($typed | length) - 1 | into string), PIP_AUTO_COMPLETE: "1"}
  let answers = with-env $asking { ^$env._safepip.program | complete | get stdout | str trim | split row --regex '\s+' }
  let found = $answers ++ $own | where { |word| ($word | is-not-empty) and ($word | str starts-with ($typed | last)) }
  if ($found | is-empty) { null } else { $found }
}

def "_safepip refresh" [] {
  let behind = try {
    (ls --directory ($env._safepip.home | path join bin) | get 0.modified) > (ls --directory $env._safepip.links | get 0.modified)
  } catch { false }
  if $behind { ^$env._safepip.program init --links }
}

def --wrapped "_safepip run" [...words] { with-env {SAFEPIP_HOOK: $env._safepip.hooked} { ^$env._safepip.program ...$words } }

# A failing program ends the command, so the note that there is something to look at comes first.
def --env --wrapped safepip [...words: string@"_safepip complete"] { $env._safepip.pwd = ""; _safepip run ...$words }
def --env --wrapped pip [...words: string@"_safepip complete"] { $env._safepip.pwd = ""; _safepip run ...$words }
def --env --wrapped pip3 [...words: string@"_safepip complete"] { $env._safepip.pwd = ""; _safepip run ...$words }

# The name if there is such a program; else any Python will do, as for pip.
def "_safepip there" [name: string] { if (which --all $name | any { |found| $found.type == "external" }) { $name } else { "" } }

def --wrapped python [...words] {
  if ($words | take 2) == ["-m", "pip"] {
    with-env {SAFEPIP_PYTHON: (_safepip there python)} { _safepip run ...($words | skip 2) }
  } else { ^python ...$words }
}
def --wrapped python3 [...words] {
  if ($words | take 2) == ["-m", "pip"] {
    with-env {SAFEPIP_PYTHON: (_safepip there python3)} { _safepip run ...($words | skip 2) }
  } else { ^python3 ...$words }
}

# The programs of the home environment come last.
if ($env._safepip.links | is-not-empty) and $env._safepip.links not-in $env.PATH {
  $env.PATH = ($env.PATH | append $env._safepip.links)
}

# <activate>
# The environment of the project is active as long as the prompt is in it. Nothing below starts a process.

# See known.py.
def "_safepip knows" [path: string] {
  let folder = $path | path join .safepip
  if not ($path | path join pyvenv.cfg | path exists) { return false }
  if ($folder | path join creating | path exists) or not ($folder | path exists) { return false }
  let real = $path | path expand
  let marks = ls --all --short-names $folder | get name | where { |name| $name starts-with "shell-" }
  $marks | any { |mark|
    let link = [$env._safepip.state activate $mark] | path join
    ($link | path exists) and ($link | path expand) == $real
  }
}

# The project's environment if it may be activated, else "": project.py's walk up the tree.
def "_safepip find" [] {
  let here = $env.PWD
  mut at = $here
  mut name = ""
  loop {
    if $at == $nu.home-path and $at != $here { return "" }
    if ($at + "/.venv" | path exists) { $name = ".venv"; break }
    if ($at + "/venv/pyvenv.cfg" | path exists) { $name = "venv"; break }
    if ($at + "/env/pyvenv.cfg" | path exists) { $name = "env"; break }
    let above = $at | path dirname
    if $above == $at or ($at + "/.git" | path exists) or ($at + "/.hg" | path exists) { return "" }
    $at = $above
  }
  let found = [$at $name] | path join
  if not (_safepip knows $found) { return "" }
  mut below = $here
  while $below != $at {
    if (_safepip is_project $below) and not (_safepip in_repository $at) { return "" }
    $below = ($below | path dirname)
  }
  $found
}

def "_safepip is_project" [path: string] {
  let named = [pyproject.toml setup.py setup.cfg Pipfile pylock.toml uv.lock poetry.lock pdm.lock pixi.toml]
  | any { |name| [$path $name] | path join | path exists }
  # requirements*.txt
  $named or (ls --all --short-names $path | get name | any { |name| ($name starts-with "requirements") and ($name ends-with ".txt") })
}

def "_safepip in_repository" [path: string] {
  mut at = $path
  while $at != $nu.home-path {
    if ([$at .git] | path join | path exists) or ([$at .hg] | path join | path exists) { return true }
    let above = $at | path dirname
    if $above == $at { break }
    $at = $above
  }
  false
}

def --env "_safepip leave" [] {
  let at = $env.SAFEPIP_ACTIVATED
  $env.PATH = ($env.PATH | where { |entry| $entry != ($at | path join bin) })
  if $env.VIRTUAL_ENV? == $at { hide-env VIRTUAL_ENV }
  hide-env SAFEPIP_ACTIVATED
}

def --env "_safepip enter" [path: string] {
  $env.SAFEPIP_ACTIVATED = $path
  $env.VIRTUAL_ENV = $path
  $env.PATH = ($env.PATH | prepend ($path | path join bin))
}

def --env "_safepip follow" [] {
  let at = $env.SAFEPIP_ACTIVATED? | default ""
  let virtual = $env.VIRTUAL_ENV? | default ""
  # activated by hand (an overlay of virtualenv's says so by VIRTUAL_PREFIX)
  if ($virtual | is-not-empty) and ($virtual != $at) { return }
  # Where nothing can have changed: no pip has run, and directory and environment are what they were.
  if $env.PWD == $env._safepip.pwd and $virtual == $at {
    if ($at | is-not-empty) and ($at + "/pyvenv.cfg" | path exists) { return }
    if ($at | is-empty) and not (".venv" | path exists) { return }
  }
  $env._safepip.pwd = $env.PWD
  mut found = if ($env.CONDA_DEFAULT_ENV? | default base) == base { _safepip find } else { "" }
  if ($at | is-not-empty) and ($virtual | is-empty) and $found == $at { $env._safepip.off = $at }
  if $env._safepip.off != $found { $env._safepip.off = "" }
  if ($env._safepip.off | is-not-empty) { $found = "" }
  if $found != $at {
    if ($at | is-not-empty) { _safepip leave }
    if ($found | is-not-empty) { _safepip enter $found }
  }
}

# Leave the environment that safepip activated, until the prompt has been elsewhere.
def --env deactivate [] {
  $env._safepip.off = ($env.SAFEPIP_ACTIVATED? | default "")
  if ($env._safepip.off | is-not-empty) { _safepip leave }
}

# Inherited, or evaluated again: what else the files did to PATH may have put the environment behind.
if ($env.SAFEPIP_ACTIVATED? | is-not-empty) and $env.VIRTUAL_ENV? == $env.SAFEPIP_ACTIVATED? { _safepip leave }
# </activate>

$env.config.hooks.pre_prompt = (
  $env.config.hooks.pre_prompt? | default [] | where { |hook| not (($hook | describe) == "string" and "_safepip" in $hook) }
  | append "_safepip refresh"
  # <activate>
  | append "_safepip follow"
  # </activate>
)
