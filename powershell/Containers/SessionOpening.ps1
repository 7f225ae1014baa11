# Owns the opening of sessions in containers: which container is meant, the runspace in it, and the waiting until it is
# ready, for many at once. The commands are Sessions.ps1's, the way into the container is SessionBridge.ps1's.
#
#   asked ─Add-Opening▶ coming up ─▶ open ─▶ given the image's environment ─▶ ready ─Complete-Opening▶ a session
#                           └─────────┴─────────────────┴─Remove-Opening▶ given up, or an error
#
# PowerShell calls a runspace open before the other end takes commands: one that is given back is Available.

# Long enough for a machine under emulation that has other things to do; the person sees that something is coming, and
# Ctrl+C ends the waiting.
$script:openTimeoutMs = 300000
$script:sayAfterMs = 700
# As the core's own.
$script:throttleLimit = 32

# The container that is meant, as the engine tells of it. In the original's words where it is not there or doesn't run.
# Throws.
function Get-SessionContainer($Caller, [string]$Parameter, [string]$Reference) {
  $refused = {
    $message = "The input $Parameter $Reference does not exist, or the corresponding container is not running."
    New-ContainerError $message CreateRemoteRunspaceForContainerFailed InvalidOperation $Reference
  }
  try {
    $id = $Reference
    if ($Parameter -eq 'ContainerName') {
      $named = @(Find-ContainerRow $Caller $Reference @(Read-ContainerRow $Caller))
      if ($named.Count -ne 1) { throw & $refused }
      $id = $named[0].Id
    }
    $container = Invoke-Engine $Caller GET "/containers/$(ConvertTo-Segment $id)/json" -Target $Reference
  }
  catch {
    if ($_.FullyQualifiedErrorId -notlike 'ContainerNotFound*') { throw }
    Clear-Caught $_
    throw & $refused
  }
  if (!$container.State.Running) { throw & $refused }
  $container
}

# Asks for a runspace in the container, and does not wait for it: adds it to $Coming, whose owner gives up what is there
# when it is ended. False where the container has no PowerShell. Throws.
function Add-Opening($Caller, $Container, [bool]$AsAdministrator, [Collections.Generic.List[hashtable]]$Coming) {
  $name = $Container.Name.Substring(1)
  $server = Invoke-Engine $Caller POST "/containers/$($Container.Id)/powershell" -Target $name
  if ($server.Server -eq 'none') { return $false }
  $request = @{
    Cmd = @($server.Cmd); Env = @($server.Env)
    AttachStdin = $true; AttachStdout = $true; AttachStderr = $false; Tty = $false
  }
  if ($AsAdministrator) { $request.User = '0' }
  $exec = (Invoke-Engine $Caller POST "/containers/$($Container.Id)/exec" $request -Target $name).Id
  $Coming.Add(@{
      Name        = $name
      Exec        = $exec
      Bridge      = New-Bridge (Connect-Exec $Caller $exec $name)
      Environment = Get-ImageEnvironment $Container @($server.Env)
      Runspace    = $null
      Shell       = $null
      Emulated    = $Container.Twofold.Accelerator -eq 'tcg'
      Watch       = [Diagnostics.Stopwatch]::StartNew()
    })
  $opening = $Coming[-1]
  $connection = New-ContainerConnection $name $opening.Bridge.Path
  $opening.Runspace = [runspacefactory]::CreateRunspace($connection, $Caller.Host, $null)
  $opening.Runspace.Name = $name
  $opening.Runspace.OpenAsync()
  $true
}

# What the image says of the variables that only the server is given: a session's programs have nothing of those.
function Get-ImageEnvironment($Container, [string[]]$Given) {
  $names = @(foreach ($entry in $Given) { $entry.Split('=', 2)[0] })
  $environment = @{}
  foreach ($name in $names) { $environment[$name] = $null }
  foreach ($entry in $Container.Config.Env) {
    $name, $value = $entry.Split('=', 2)
    if ($name -in $names) { $environment[$name] = $value }
  }
  $environment
}

# True until it is ready, has failed or has taken too long.
function Test-Opening($Opening) {
  $null = Join-Bridge $Opening.Bridge
  if ($Opening.Watch.ElapsedMilliseconds -ge $script:openTimeoutMs) { return $false }
  switch ($Opening.Runspace.RunspaceStateInfo.State) {
    { $_ -in 'BeforeOpen', 'Opening' } { return $true }
    'Opened' { return $Opening.Runspace.RunspaceAvailability -ne 'Available' -or (Test-Preparation $Opening) }
    default { return $false }
  }
}

# Null is no variable, and not an empty one.
$script:preparation = @'
foreach ($name in $args[0].Keys) {
  $value = $args[0][$name]
  [Environment]::SetEnvironmentVariable($name, $(if ($null -eq $value) { [NullString]::Value } else { $value }))
}
'@

# True while the first command of the session is at work: it brings back the image's environment.
function Test-Preparation($Opening) {
  if (!$Opening.Shell) {
    $Opening.Shell = [powershell]::Create()
    $Opening.Shell.Runspace = $Opening.Runspace
    $null = $Opening.Shell.AddScript($script:preparation).AddArgument($Opening.Environment).BeginInvoke()
  }
  $Opening.Shell.InvocationStateInfo.State -in 'NotStarted', 'Running'
}

# The runspace, which is ready. Throws what has kept it from becoming so.
function Complete-Opening($Caller, $Opening) {
  try {
    $isOpen = $Opening.Runspace.RunspaceStateInfo.State -eq 'Opened'
    if (!$isOpen -or !$Opening.Shell -or $Opening.Shell.InvocationStateInfo.State -ne 'Completed') {
      throw Get-OpenError $Caller $Opening
    }
    $Opening.Shell.Dispose()
    $Opening.Runspace
  }
  catch {
    Remove-Opening $Opening
    throw
  }
}

function Remove-Opening($Opening) {
  Remove-Bridge $Opening.Bridge
  if (!$Opening.Runspace) { return }
  # Dispose would wait for one that is still coming, now and then for ever (Ctrl+C).
  if ($Opening.Runspace.RunspaceStateInfo.State -in 'Closed', 'Broken') { $Opening.Runspace.Dispose() }
  else { $Opening.Runspace.CloseAsync() }
}

function Get-OpenError($Caller, $Opening) {
  $reason = $Opening.Runspace.RunspaceStateInfo.Reason
  if (!$reason -and $Opening.Shell) { $reason = $Opening.Shell.InvocationStateInfo.Reason }
  $code = (Invoke-Engine $Caller GET "/exec/$($Opening.Exec)/json" -Target $Opening.Name).ExitCode
  $why = if ($null -ne $code) { "its process ended with exit code $code" }
  elseif ($reason) { $reason.Message }
  else { "it was not ready within $($script:openTimeoutMs / 1000) seconds" }
  $message = "The session in container '$($Opening.Name)' could not be opened: $why."
  New-ContainerError $message SessionOpenFailed OpenError $Opening.Name -Cause $reason
}

# A runspace for each container, in the order in which they come up; $Limit of them come up at a time. $Ask adds what
# comes up for one reference to a list. An error about one leaves the others. What is not there yet when the caller is
# ended is given up.
function Open-ContainerRunspace($Caller, [string[]]$Reference, [int]$Limit, [scriptblock]$Ask) {
  if ($Limit -le 0) { $Limit = $script:throttleLimit }
  $waiting = [Collections.Generic.Queue[string]]$Reference
  $coming = [Collections.Generic.List[hashtable]]::new()
  $progress = $null
  try {
    while ($waiting.Count -gt 0 -or $coming.Count -gt 0) {
      while ($waiting.Count -gt 0 -and $coming.Count -lt $Limit) {
        $before = $coming.Count
        Invoke-Guarded $Caller {
          try { & $Ask $waiting.Dequeue() $coming }
          catch {
            while ($coming.Count -gt $before) { Remove-Opening $coming[-1]; $coming.RemoveAt($coming.Count - 1) }
            throw
          }
        }
      }
      foreach ($opening in @($coming)) {
        if (Test-Opening $opening) { continue }
        Invoke-Guarded $Caller {
          try { Complete-Opening $Caller $opening }
          catch {
            $null = $coming.Remove($opening)
            throw
          }
          $null = $coming.Remove($opening)
        }
      }
      if ($coming.Count -eq 0) { continue }
      if ($coming[0].Watch.ElapsedMilliseconds -gt $script:sayAfterMs) {
        $progress = Write-OpeningProgress $Caller $coming $progress
      }
      [Threading.Thread]::Sleep(5)
    }
  }
  finally {
    foreach ($opening in $coming) { Remove-Opening $opening }
    if ($progress) {
      $progress.RecordType = 'Completed'
      $Caller.WriteProgress($progress)
    }
  }
}

# Says what is waited for, again when that has changed.
function Write-OpeningProgress($Caller, $Coming, $Last) {
  $names = @(foreach ($opening in $Coming) { $opening.Name }) -join ', '
  $isEmulated = @(foreach ($opening in $Coming) { $opening.Emulated }) -contains $true
  $status = if ($isEmulated) { 'an emulated machine takes some seconds, a busy one longer' } else { 'coming up' }
  $progress = [Management.Automation.ProgressRecord]::new(1, "Starting PowerShell in $names", $status)
  if ("$progress" -ne "$Last") { $Caller.WriteProgress($progress) }
  $progress
}
