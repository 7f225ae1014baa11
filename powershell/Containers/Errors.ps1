# Owns what goes wrong as PowerShell tells it: category, target and FullyQualifiedErrorId. An inner function throws such
# an error; the command that a person called reports it in its own name (Invoke-Guarded), so that the id ends with that
# command: ContainerNotFound,Get-Container.

# The engine's codes (docs/errors.md) that mean more than "this can't be done". The id is the code in Pascal case, where
# no other is given.
$script:Refusals = @{
  'invalid-argument'       = @{ Category = 'InvalidArgument' }
  'container-not-found'    = @{ Category = 'ObjectNotFound' }
  'image-not-found'        = @{ Category = 'ObjectNotFound'; Id = 'ContainerImageNotFound' }
  'network-not-found'      = @{ Category = 'ObjectNotFound'; Id = 'VMSwitchNotFound' }
  'adapter-not-found'      = @{ Category = 'ObjectNotFound'; Id = 'ContainerNetworkAdapterNotFound' }
  'compute-process-not-found' = @{ Category = 'ObjectNotFound' }
  'exec-not-found'         = @{ Category = 'ObjectNotFound' }
  'path-not-found'         = @{ Category = 'ObjectNotFound' }
  'command-not-found'      = @{ Category = 'ObjectNotFound' }
  'ambiguous-prefix'       = @{ Category = 'InvalidArgument' }
  'name-taken'             = @{ Category = 'ResourceExists' }
  'container-running'      = @{ Category = 'InvalidOperation' }
  'container-not-running'  = @{ Category = 'InvalidOperation' }
  'container-paused'       = @{ Category = 'InvalidOperation' }
  'already-in-that-state'  = @{ Category = 'InvalidOperation' }
  'conflict'               = @{ Category = 'InvalidOperation' }
  'command-not-executable' = @{ Category = 'PermissionDenied' }
  'unsupported'            = @{ Category = 'InvalidOperation' }
  'not-implemented'        = @{ Category = 'NotImplemented' }
  'forbidden'              = @{ Category = 'PermissionDenied' }
  'too-large'              = @{ Category = 'LimitsExceeded' }
  'no-space'               = @{ Category = 'ResourceUnavailable' }
  'sandbox-failed'         = @{ Category = 'OperationStopped' }
  'sandbox-gone'           = @{ Category = 'OperationStopped' }
  'protocol'               = @{ Category = 'ProtocolError' }
  'cancelled'              = @{ Category = 'OperationTimeout' }
  'internal'               = @{ Category = 'NotSpecified'; Id = 'EngineFault' }
}

# An error record that Invoke-Guarded reports. -Ends: nothing else of the command can succeed either.
function New-ContainerError {
  param([string]$Message, [string]$Id, [string]$Category, $Target, [Exception]$Cause, [switch]$Ends)
  $exception = [InvalidOperationException]::new($Message, $Cause)
  $exception.Data['Containers'] = [bool]$Ends
  [Management.Automation.ErrorRecord]::new($exception, $Id, $Category, $Target)
}

# The error record for a refusal of the engine.
function ConvertTo-ContainerError([string]$Code, [string]$Message, $Target) {
  $known = $script:Refusals[$Code]
  if (!$known) { return New-ContainerError $Message 'EngineRefused' NotSpecified $Target }
  $id = if ($known.ContainsKey('Id')) { $known.Id }
  else { [cultureinfo]::InvariantCulture.TextInfo.ToTitleCase($Code).Replace('-', '') }
  New-ContainerError $Message $id $known.Category $Target
}

# Takes what was caught off $Error: it is told in other words, or in another name, and stands there once.
function Clear-Caught([Management.Automation.ErrorRecord]$Caught) {
  $first = $Caught.Exception.GetBaseException()
  while ($global:Error.Count -gt 0 -and $global:Error[0].Exception.GetBaseException() -eq $first) {
    $global:Error.RemoveAt(0)
  }
}

# Does one item's work. What goes wrong is an error of $Caller's about this item; the next one goes on.
function Invoke-Guarded($Caller, [scriptblock]$Work) {
  try { & $Work }
  catch {
    $ends = $_.Exception.Data['Containers']
    $id, $category, $target = ($_.FullyQualifiedErrorId -split ',')[0], $_.CategoryInfo.Category, $_.TargetObject
    if ($_.Exception.GetBaseException() -is [Management.Automation.WildcardPatternException]) {
      $id, $category, $target = 'InvalidWildcard', 'InvalidArgument', $_.Exception.GetBaseException().Message
    }
    elseif ($null -eq $ends) { throw }
    Clear-Caught $_
    $told = [Management.Automation.ErrorRecord]::new($_.Exception, $id, $category, $target)
    if ($ends) { $Caller.ThrowTerminatingError($told) } else { $Caller.WriteError($told) }
  }
}
