# safepip for PowerShell. In $PROFILE:  safepip init powershell | Out-String | Invoke-Expression
# Evaluated twice it does no harm. Written with care and not yet tried: no PowerShell could be had.

$global:_SafepipProgram = __PROGRAM__
$global:_SafepipState = __STATE__
$global:_SafepipHome = __HOME__
$global:_SafepipLinks = __LINKS__
$global:_SafepipWords = __WORDS__
$global:_SafepipOff = ''
$global:_SafepipHooked = ''
# <activate>
$global:_SafepipHooked = '1' # what comes is in use without more ado, so that there is no need to say how
# </activate>
$global:_SafepipBin = if ($env:OS -eq 'Windows_NT') { 'Scripts' } else { 'bin' }

function global:safepip {
  $env:SAFEPIP_HOOK = $global:_SafepipHooked
  try {
    if ($MyInvocation.ExpectingInput) { $input | & $global:_SafepipProgram @args } else { & $global:_SafepipProgram @args }
  } finally { $env:SAFEPIP_HOOK = $null }
}
function global:pip { if ($MyInvocation.ExpectingInput) { $input | safepip @args } else { safepip @args } }
function global:pip3 { if ($MyInvocation.ExpectingInput) { $input | safepip @args } else { safepip @args } }
function global:_SafepipPython([string]$Name, [object[]]$Words) {
  if ($Words.Count -ge 2 -and $Words[0] -ceq '-m' -and $Words[1] -ceq 'pip') {
    $before = $env:SAFEPIP_PYTHON
    $rest = @($Words | Select-Object -Skip 2)
    # Where there is none of that name any will do, as for pip.
    $there = Get-Command -CommandType Application -Name $Name -TotalCount 1 -ErrorAction SilentlyContinue
    try { $env:SAFEPIP_PYTHON = if ($there) { $Name } else { '' }; safepip @rest } finally { $env:SAFEPIP_PYTHON = $before }
    return
  }
  $program = Get-Command -CommandType Application -Name $Name -TotalCount 1 -ErrorAction Stop
  & $program.Source @Words
}
function global:python { _SafepipPython 'python' $args }
function global:python3 { _SafepipPython 'python3' $args }

# The programs of the home environment come last.
if ($global:_SafepipLinks -and ($env:PATH -split [IO.Path]::PathSeparator) -notcontains $global:_SafepipLinks) {
  $env:PATH = $env:PATH + [IO.Path]::PathSeparator + $global:_SafepipLinks
}

# By pip's own protocol: what may stand where the cursor is.
Register-ArgumentCompleter -Native -CommandName pip, pip3, safepip -ScriptBlock {
  param($word, $line, $cursor)
  $typed = @($line.CommandElements | ForEach-Object { $_.Extent.Text })
  $at = if ($word) { $typed.Count - 1 } else { $typed.Count }
  $env:COMP_WORDS = $typed -join ' '
  $env:COMP_CWORD = "$at"
  $env:PIP_AUTO_COMPLETE = '1'
  try { $found = @((& $global:_SafepipProgram 2>$null) -split '\s+') }
  finally { Remove-Item Env:COMP_WORDS, Env:COMP_CWORD, Env:PIP_AUTO_COMPLETE }
  if ($typed[0] -eq 'safepip' -and $at -eq 1) { $found += $global:_SafepipWords -split ' ' }
  $found | Where-Object { $_ -and $_.StartsWith($word) } | ForEach-Object {
    [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_)
  }
}

function global:_SafepipRefresh {
  if (-not $global:_SafepipLinks) { return }
  $programs = Get-Item -LiteralPath (Join-Path $global:_SafepipHome $global:_SafepipBin) -ErrorAction SilentlyContinue
  $links = Get-Item -LiteralPath $global:_SafepipLinks -ErrorAction SilentlyContinue
  if ($programs -and $links -and $programs.LastWriteTimeUtc -gt $links.LastWriteTimeUtc) {
    & $global:_SafepipProgram init --links
  }
}

# <activate>
# The environment of the project is active as long as the prompt is in it. Nothing below starts a process.

# See known.py: the real path behind the link is compared, for PowerShell knows no inodes.
function global:_SafepipKnows([string]$Path) {
  $own = Join-Path $Path '.safepip'
  if (-not (Test-Path -LiteralPath (Join-Path $Path 'pyvenv.cfg') -PathType Leaf)) { return $false }
  if (Test-Path -LiteralPath (Join-Path $own 'creating')) { return $false }
  foreach ($mark in (Get-ChildItem -LiteralPath $own -Filter 'shell-*' -Force -ErrorAction SilentlyContinue)) {
    $link = Get-Item -LiteralPath (Join-Path (Join-Path $global:_SafepipState 'activate') $mark.Name) -Force -ErrorAction SilentlyContinue
    if ($link -and @($link.Target) -contains $Path) { return $true }
  }
  return $false
}

# The project's environment if it may be activated, else '': project.py's walk up the tree.
function global:_SafepipFind {
  $here = $PWD.ProviderPath
  $at = $here
  $name = ''
  while ($at) {
    if ($at -eq $HOME -and $at -ne $here) { return '' }
    if (Test-Path -LiteralPath (Join-Path $at '.venv')) { $name = '.venv'; break }
    if (Test-Path -LiteralPath (Join-Path $at 'venv/pyvenv.cfg')) { $name = 'venv'; break }
    if (Test-Path -LiteralPath (Join-Path $at 'env/pyvenv.cfg')) { $name = 'env'; break }
    if (_SafepipIsRepository $at) { return '' }
    $at = Split-Path -Parent $at
  }
  if (-not $name) { return '' }
  $found = Join-Path $at $name
  if (-not (_SafepipKnows $found)) { return '' }
  $below = $here
  while ($below -and $below -ne $at) {
    if ((_SafepipIsProject $below) -and -not (_SafepipInRepository $at)) { return '' }
    $below = Split-Path -Parent $below
  }
  return $found
}

function global:_SafepipIsProject([string]$Path) {
  foreach ($name in 'pyproject.toml', 'setup.py', 'setup.cfg', 'Pipfile', 'pylock.toml', 'uv.lock', 'poetry.lock', 'pdm.lock', 'pixi.toml') {
    if (Test-Path -LiteralPath (Join-Path $Path $name)) { return $true }
  }
  return [bool](Get-ChildItem -LiteralPath $Path -Filter 'requirements*.txt' -Force -ErrorAction SilentlyContinue)
}

function global:_SafepipIsRepository([string]$Path) {
  return (Test-Path -LiteralPath (Join-Path $Path '.git')) -or (Test-Path -LiteralPath (Join-Path $Path '.hg'))
}

function global:_SafepipInRepository([string]$Path) {
  while ($Path -and $Path -ne $HOME) {
    if (_SafepipIsRepository $Path) { return $true }
    $Path = Split-Path -Parent $Path
  }
  return $false
}

function global:_SafepipLeave {
  $entry = Join-Path $env:SAFEPIP_ACTIVATED $global:_SafepipBin
  $kept = @($env:PATH -split [IO.Path]::PathSeparator | Where-Object { $_ -ne $entry })
  $env:PATH = $kept -join [IO.Path]::PathSeparator
  if ($env:VIRTUAL_ENV -eq $env:SAFEPIP_ACTIVATED) { $env:VIRTUAL_ENV = $null }
  $env:SAFEPIP_ACTIVATED = $null
  Remove-Item Function:deactivate -ErrorAction SilentlyContinue
}

function global:_SafepipEnter([string]$Path) {
  $env:SAFEPIP_ACTIVATED = $Path
  $env:VIRTUAL_ENV = $Path
  $env:PATH = (Join-Path $Path $global:_SafepipBin) + [IO.Path]::PathSeparator + $env:PATH
  function global:deactivate([switch]$NonDestructive) {
    if (-not $NonDestructive) { $global:_SafepipOff = $env:SAFEPIP_ACTIVATED }
    _SafepipLeave
  }
}

function global:_SafepipFollow {
  $at = "$env:SAFEPIP_ACTIVATED"
  if ($env:VIRTUAL_ENV -and ($env:VIRTUAL_ENV -ne $at -or (Test-Path Function:_OLD_VIRTUAL_PROMPT))) { return } # by hand
  $found = ''
  if (-not $env:CONDA_DEFAULT_ENV -or $env:CONDA_DEFAULT_ENV -eq 'base') { $found = _SafepipFind }
  if ($at -and -not $env:VIRTUAL_ENV -and $found -eq $at) { $global:_SafepipOff = $at } # deactivated by hand
  if ($global:_SafepipOff -ne $found) { $global:_SafepipOff = '' }
  if ($global:_SafepipOff) { $found = '' }
  if ($found -eq $at) { return }
  if ($at) { _SafepipLeave }
  if ($found) { _SafepipEnter $found }
}

# Inherited, or evaluated again: what else the profile did to PATH may have put the environment behind.
if ($env:SAFEPIP_ACTIVATED -and $env:VIRTUAL_ENV -eq $env:SAFEPIP_ACTIVATED) { _SafepipLeave }
_SafepipFollow
# </activate>

if (-not $global:_SafepipPrompt) {
  $global:_SafepipPrompt = $function:prompt
  function global:prompt {
    $code = $global:LASTEXITCODE
    _SafepipRefresh
    # <activate>
    _SafepipFollow
    # </activate>
    $global:LASTEXITCODE = $code
    & $global:_SafepipPrompt
  }
}
