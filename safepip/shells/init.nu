# safepip for nushell, which sources files only; see `safepip init`. Printed behind the values of
# $env._safepip_program and $env._safepip_hooked (0 with --no-activate). Evaluated twice it does no harm.

$env._safepip_told = {seen: "", _safepip_off: "", _safepip_watch: "", _safepip_home: "", _safepip_home_python: "python3"}

# Ask which variables to change in this directory, and change them.
def --env "_safepip ask" [...words: string] {
  let answer = try { ^$env._safepip_program hook nushell ...$words | complete | get stdout | from json } catch { {} }
  let told = $answer | default {} | transpose name value
  for step in ($told | where { |step| not ($step.name starts-with "_safepip") }) {
    if $step.value == null { hide-env --ignore-errors $step.name } else { load-env {$step.name: $step.value} }
  }
  if "PATH" in ($answer | default {} | columns) { $env.PATH = ($answer.PATH | split row (char esep)) }
  $env._safepip_told = ($env._safepip_told | merge ($answer | default {}) | merge {seen: ""})
  $env._safepip_told = ($env._safepip_told | merge {seen: (_safepip state)})
}
def "_safepip told" [name: string] { $env._safepip_told | get $name | default "" }
def "_safepip state" [] {
  let watch = _safepip told _safepip_watch
  [$env.PWD $env.VIRTUAL_ENV? $env.CONDA_DEFAULT_ENV? (($watch | is-not-empty) and ($watch | path exists))] | to nuon
}

# At a prompt: ask again only where something has changed that the answer depends on.
def --env "_safepip follow" [] {
  let seen = _safepip told seen
  if ($seen | is-empty) or ($env._safepip_hooked != "0" and $seen != (_safepip state)) {
    _safepip ask $env._safepip_hooked (_safepip told _safepip_off)
  }
}

# A failing program ends the command, so what is to be looked at afterwards is noted first.
def --env --wrapped "_safepip run" [python: string, ...words] {
  if not ($env._safepip_program | path exists) { ^pip ...$words; return }
  $env._safepip_told = ($env._safepip_told | merge {seen: ""})
  with-env {SAFEPIP_HOOK: $env._safepip_hooked, SAFEPIP_PYTHON: $python} { ^$env._safepip_program ...$words }
}
def --env --wrapped "_safepip python" [name: string, ...words] {
  if ($words | take 2) == ["-m", "pip"] {
    _safepip run $name ...($words | skip 2)
    return
  }
  _safepip follow
  let home = _safepip told _safepip_home
  if ($home | is-empty) {
    ^$name ...$words
  } else {
    let there = if $name == "python3" { $name } else { _safepip told _safepip_home_python }
    with-env {PYTHONUSERBASE: $home} { ^$there ...$words }
  }
}
def "_safepip complete" [context: string] {
  let typed = $context | split row --regex '\s+'
  let at = ($typed | length) - 1 | into string
  ^$env._safepip_program hook nushell complete $at ...$typed | complete | get stdout | lines
  | each { |line| $line | split row "\t" } | each { |pair| {value: $pair.0, description: ($pair.1? | default "")} }
}
def --env --wrapped safepip [...words: string@"_safepip complete"] { _safepip run ($env.SAFEPIP_PYTHON? | default "") ...$words }
def --env --wrapped pip [...words: string@"_safepip complete"] { _safepip run ($env.SAFEPIP_PYTHON? | default "") ...$words }
def --env --wrapped pip3 [...words: string@"_safepip complete"] { _safepip run ($env.SAFEPIP_PYTHON? | default "") ...$words }
def --env --wrapped python [...words] { _safepip python python ...$words }
def --env --wrapped python3 [...words] { _safepip python python3 ...$words }

# Leave the environment that safepip activated, until the prompt has been elsewhere.
def --env deactivate [] { if ($env.SAFEPIP_ACTIVATED? | is-not-empty) { _safepip ask leave } }

$env.config.hooks.pre_prompt = (
  $env.config.hooks.pre_prompt? | default [] | where { |hook| not (($hook | describe) == "string" and "_safepip" in $hook) }
  | append "_safepip follow"
)
_safepip ask start $env._safepip_hooked
