# safepip for PowerShell: `safepip init powershell` prints this behind the values of $_safepip_program and
# $_safepip_hooked (0 with --no-activate). Evaluated twice it does no harm. Not yet tried in a PowerShell.

$global:_safepip_told = @{}

# Ask which variables to change in this directory, and change them.
function global:_SafepipAsk {
  $answer = (& $global:_safepip_program hook powershell @args 2>$null) | Out-String | ConvertFrom-Json
  foreach ($step in $answer.PSObject.Properties) {
    if ($step.Name -like '_safepip*') { $global:_safepip_told[$step.Name] = $step.Value }
    else { [Environment]::SetEnvironmentVariable($step.Name, $step.Value) }
  }
  $names = @($answer.PSObject.Properties.Name)
  if ($names -contains '_safepip_leave') { Remove-Item Function:deactivate -ErrorAction SilentlyContinue }
  if ($names -contains '_safepip_enter') {
    function global:deactivate([switch]$NonDestructive) {
      if ($NonDestructive) { _SafepipAsk leave nondestructive } else { _SafepipAsk leave }
    }
  } elseif ($names -contains '_safepip_leave') { $global:_safepip_told['_safepip_enter'] = '' }
  $global:_safepip_told['seen'] = _SafepipState
}
function global:_SafepipState {
  $watch = "$($global:_safepip_told['_safepip_watch'])"
  "$($PWD.ProviderPath)|$env:VIRTUAL_ENV|$env:CONDA_DEFAULT_ENV|$($watch -and (Test-Path -LiteralPath $watch))"
}

# At a prompt: ask again only where something has changed that the answer depends on.
function global:_SafepipFollow {
  $seen = $global:_safepip_told['seen']
  if ($seen -and ($global:_safepip_hooked -eq '0' -or $seen -eq (_SafepipState))) { return }
  if (-not (Test-Path Function:_OLD_VIRTUAL_PROMPT)) { _SafepipAsk $global:_safepip_hooked "$($global:_safepip_told['_safepip_off'])" }
}

function global:_SafepipRun([hashtable]$Variables, [string]$Program, [object[]]$Words, $Piped) {
  $before = @{}
  foreach ($name in $Variables.Keys) {
    $before[$name] = [Environment]::GetEnvironmentVariable($name)
    if ($Variables[$name]) { [Environment]::SetEnvironmentVariable($name, $Variables[$name]) }
  }
  try { if ($null -ne $Piped) { $Piped | & $Program @Words } else { & $Program @Words } }
  finally { foreach ($name in $before.Keys) { [Environment]::SetEnvironmentVariable($name, $before[$name]) } }
}
function global:safepip {
  $global:_safepip_told['seen'] = ''
  _SafepipRun @{ SAFEPIP_HOOK = $global:_safepip_hooked } $global:_safepip_program $args $(if ($MyInvocation.ExpectingInput) { @($input) })
}
function global:pip { if ($MyInvocation.ExpectingInput) { $input | safepip @args } else { safepip @args } }
function global:pip3 { if ($MyInvocation.ExpectingInput) { $input | safepip @args } else { safepip @args } }
function global:_SafepipPython([string]$Name, [object[]]$Words) {
  $home_base = "$($global:_safepip_told['_safepip_home'])"
  if ($Words.Count -ge 2 -and $Words[0] -ceq '-m' -and $Words[1] -ceq 'pip') {
    $global:_safepip_told['seen'] = ''
    $variables = @{ SAFEPIP_HOOK = $global:_safepip_hooked; SAFEPIP_PYTHON = $Name }
    _SafepipRun $variables $global:_safepip_program @($Words | Select-Object -Skip 2)
    return
  }
  if ($home_base -and $Name -eq 'python') { $Name = $global:_safepip_told['_safepip_home_python'] }
  $program = Get-Command -CommandType Application -Name $Name -TotalCount 1 -ErrorAction Stop
  _SafepipRun @{ PYTHONUSERBASE = $home_base } $program.Source $Words
}
function global:python { _SafepipPython 'python' $args }
function global:python3 { _SafepipPython 'python3' $args }

Register-ArgumentCompleter -Native -CommandName pip, pip3, safepip -ScriptBlock {
  param($word, $line, $cursor)
  $typed = @($line.CommandElements | ForEach-Object { $_.Extent.Text })
  $at = if ($word) { $typed.Count - 1 } else { $typed.Count }
  foreach ($found in @(& $global:_safepip_program hook powershell complete $at @typed 2>$null)) {
    $value, $told = $found -split "`t", 2
    [System.Management.Automation.CompletionResult]::new($value, $value, 'ParameterValue', $(if ($told) { $told } else { $value }))
  }
}

if (-not $global:_safepip_prompt) {
  $global:_safepip_prompt = $function:prompt
  function global:prompt {
    $code = $global:LASTEXITCODE
    _SafepipFollow
    $global:LASTEXITCODE = $code
    if ($global:_safepip_told['_safepip_enter']) { Write-Host -NoNewline $global:_safepip_told['_safepip_enter'] }
    & $global:_safepip_prompt
  }
}
_SafepipAsk start $global:_safepip_hooked
