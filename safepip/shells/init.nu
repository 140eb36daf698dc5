# safepip for nushell. nushell sources files only, so in env.nu:
#   safepip init nushell | save --force ~/.cache/safepip/init.nu
# and in config.nu:  source ~/.cache/safepip/init.nu
# Evaluated twice it does no harm.

$env._safepip = {
  program: __PROGRAM__
  state: __STATE__
  home: __HOME__
  links: __LINKS__
  words: __WORDS__
  off: ""
}

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

def --wrapped safepip [...words: string@"_safepip complete"] { ^$env._safepip.program ...$words }
def --wrapped pip [...words: string@"_safepip complete"] { ^$env._safepip.program ...$words }
def --wrapped pip3 [...words: string@"_safepip complete"] { ^$env._safepip.program ...$words }

def --wrapped python [...words] {
  if ($words | take 2) == ["-m", "pip"] {
    with-env {SAFEPIP_PYTHON: python} { ^$env._safepip.program ...($words | skip 2) }
  } else { ^python ...$words }
}
def --wrapped python3 [...words] {
  if ($words | take 2) == ["-m", "pip"] {
    with-env {SAFEPIP_PYTHON: python3} { ^$env._safepip.program ...($words | skip 2) }
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
  mut at = $env.PWD
  mut found = ""
  mut marked = false
  loop {
    if $at == $nu.home-path and $at != $env.PWD { break }
    if ($found | is-empty) {
      for name in [.venv venv env] {
        let path = [$at $name] | path join
        if not ([$path pyvenv.cfg] | path join | path exists) { continue }
        if not (_safepip knows $path) { return "" }
        $found = $path
        break
      }
      if ($found | is-not-empty) and not $marked { return $found }
      if ($found | is-empty) and ([$at .venv] | path join | path exists) { return "" }
    }
    for name in [.git .hg] { if ([$at $name] | path join | path exists) { return $found } }
    if not $marked and ($found | is-empty) {
      for name in [pyproject.toml setup.py setup.cfg Pipfile pylock.toml uv.lock poetry.lock pdm.lock requirements.txt] {
        if ([$at $name] | path join | path exists) { $marked = true }
      }
    }
    let above = $at | path dirname
    if $above == $at { break }
    $at = $above
  }
  if $marked { "" } else { $found }
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
