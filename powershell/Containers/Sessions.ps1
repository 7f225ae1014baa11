# Owns sessions in containers: Enter-PSSession, New-PSSession and Invoke-Command with -ContainerId, -ContainerName and -RunAsAdministrator. They are real
# PowerShell remoting over an exec of the engine (SessionBridge.ps1). Every other use of these commands is passed on to the ones of PowerShell's core.

# Long enough for a machine under emulation that has other things to do; the person sees that something is coming, and Ctrl+C ends the waiting.
$script:openTimeoutMs = 120000
$script:sayAfterMs = 700

# The container that is meant, as the engine tells of it. In the original's words where it is not there or doesn't run. Throws.
function Get-SessionContainer($Caller, [string]$Parameter, [string]$Reference) {
  $refused = { New-ContainerError "The input $Parameter $Reference does not exist, or the corresponding container is not running." CreateRemoteRunspaceForContainerFailed InvalidOperation $Reference }
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
    throw & $refused
  }
  if (!$container.State.Running) { throw & $refused }
  $container
}

# An open runspace in the container; $null where it has no PowerShell. Throws.
function Open-ContainerRunspace($Caller, $Container, [bool]$AsAdministrator) {
  $name = $Container.Name.Substring(1)
  $server = Invoke-Engine $Caller POST "/containers/$($Container.Id)/powershell" -Target $name
  if ($server.Server -eq 'none') { return }
  $request = @{ Cmd = @($server.Cmd); Env = @($server.Env); AttachStdin = $true; AttachStdout = $true; AttachStderr = $false; Tty = $false }
  if ($AsAdministrator) { $request.User = '0' }
  $exec = (Invoke-Engine $Caller POST "/containers/$($Container.Id)/exec" $request -Target $name).Id
  $bridge = New-Bridge (Connect-Exec $Caller $exec $name)
  $runspace = $null
  try {
    $connection = [Management.Automation.Runspaces.NamedPipeConnectionInfo]::new($bridge.Path)
    $runspace = [runspacefactory]::CreateRunspace($connection, $Caller.Host, $null)
    $runspace.Name = $name
    $runspace.OpenAsync()
    Wait-Runspace $Caller $runspace $bridge $Container
    if ($runspace.RunspaceStateInfo.State -ne 'Opened') { throw Get-OpenError $Caller $exec $runspace $name }
    Set-SessionPrompt $runspace $name
    $runspace
    $runspace = $null
  }
  finally {
    if ($runspace) {
      Remove-Bridge $bridge
      $runspace.Dispose()
    }
  }
}

# Until it is open, has failed or takes too long. Says what is waited for.
function Wait-Runspace($Caller, $Runspace, $Bridge, $Container) {
  $watch = [Diagnostics.Stopwatch]::StartNew()
  $emulated = $Container.Twofold.Accelerator -eq 'tcg'
  $progress = [Management.Automation.ProgressRecord]::new(1, "Starting PowerShell in $($Runspace.Name)", $(if ($emulated) { 'its machine is emulated: this takes about 10 seconds' } else { 'coming up' }))
  $said = $false
  while ($Runspace.RunspaceStateInfo.State -in 'BeforeOpen', 'Opening' -and $watch.ElapsedMilliseconds -lt $script:openTimeoutMs) {
    $null = Join-Bridge $Bridge
    [Threading.Thread]::Sleep(5)
    if (!$said -and $watch.ElapsedMilliseconds -gt $script:sayAfterMs) {
      $said = $true
      $Caller.WriteProgress($progress)
    }
  }
  if (!$said) { return }
  $progress.RecordType = 'Completed'
  $Caller.WriteProgress($progress)
}

function Get-OpenError($Caller, [string]$Exec, $Runspace, [string]$Name) {
  $code = (Invoke-Engine $Caller GET "/exec/$Exec/json" -Target $Name).ExitCode
  $why = if ($null -ne $code) { "its process ended with exit code $code" }
  elseif ($Runspace.RunspaceStateInfo.Reason) { $Runspace.RunspaceStateInfo.Reason.Message }
  else { "it was not ready within $($script:openTimeoutMs / 1000) seconds" }
  New-ContainerError "The session in container '$Name' could not be opened: $why." SessionOpenFailed OpenError $Name -Cause $Runspace.RunspaceStateInfo.Reason
}

# Sessions over a named pipe show the other end's prompt as it is.
function Set-SessionPrompt($Runspace, [string]$Name) {
  $shell = [powershell]::Create($Runspace)
  try { $null = $shell.AddScript('$text = $args[0]; $function:global:prompt = { "[$text]: PS $($executionContext.SessionState.Path.CurrentLocation)$(''>'' * ($nestedPromptLevel + 1)) " }.GetNewClosure()').AddArgument($Name).Invoke() }
  finally { $shell.Dispose() }
}

function New-ContainerSession($Caller, [string]$Parameter, [string]$Reference, [bool]$AsAdministrator) {
  $container = Get-SessionContainer $Caller $Parameter $Reference
  $runspace = Open-ContainerRunspace $Caller $container $AsAdministrator
  if (!$runspace) { throw New-ContainerError "The container '$Reference' has no PowerShell, and this machine has built none for containers: twofold doctor tells why." NoPowerShell NotInstalled $Reference }
  $session = [Management.Automation.Runspaces.PSSession]::Create($runspace, 'Container', $Caller)
  $session.Name = $runspace.Name
  $session
}

# The image's shell on this terminal, in a process that owns it while it runs.
function Enter-ContainerShell($Caller, $Container, [bool]$AsAdministrator) {
  $name = $Container.Name.Substring(1)
  $twofold = $Caller.InvokeCommand.GetCommand('twofold', 'Application')
  if (!$twofold) { throw New-ContainerError "The container '$name' has no PowerShell, and the command twofold, which would open its shell, is not on the path." NoPowerShell NotInstalled $name }
  $Caller.Host.UI.WriteLine("The container '$name' has no PowerShell, and this machine has built none for containers: this is its shell.")
  $user = @(if ($AsAdministrator) { '--user', '0' })
  & $twofold exec --interactive --tty @user $Container.Id /bin/sh
}

function Enter-ContainerSession($Caller, [string]$Parameter, [string]$Reference, [bool]$AsAdministrator) {
  $container = Get-SessionContainer $Caller $Parameter $Reference
  $place = $Caller.Host -as [Management.Automation.Host.IHostSupportsInteractiveSession]
  if (!$place) { throw New-ContainerError 'This program is no place for a session: it has no prompt that could be exchanged.' HostDoesNotSupportPushRunspace InvalidOperation $Reference }
  if ($place.IsRunspacePushed) { throw New-ContainerError 'There is a session already: leave it first.' SessionInSession InvalidOperation $Reference }
  $runspace = Open-ContainerRunspace $Caller $container $AsAdministrator
  if (!$runspace) { return Enter-ContainerShell $Caller $container $AsAdministrator }
  # As the core's own sessions: whoever leaves it ends it. Not public; without it the session ends with PowerShell.
  $closes = $runspace.GetType().GetProperty('ShouldCloseOnPop', [Reflection.BindingFlags]'Instance, NonPublic')
  if ($closes) { $closes.SetValue($runspace, $true) }
  $place.PushRunspace($runspace)
}

# The parameters of a command of the core, with -ContainerName wherever it has -ContainerId.
function Get-SessionParameter([string]$Command) {
  $core = Get-Command "Microsoft.PowerShell.Core\$Command" -CommandType Cmdlet
  $block = [Management.Automation.ProxyCommand]::GetParamBlock([Management.Automation.CommandMetadata]::new($core))
  $parameters = foreach ($parameter in $block -split ",\r?\n\r?\n") {
    if ($parameter -notlike '*ContainerId*') { $parameter }
    elseif ($parameter.TrimEnd().EndsWith('${ContainerId}')) {
      $parameter
      $parameter.Replace('ContainerId', 'ContainerName')
    }
    else { [regex]::Replace($parameter, "(?m)^\s*\[Parameter\(ParameterSetName='(?:FilePath)?ContainerId'.*$", { $args[0].Value + "`n" + $args[0].Value.Replace('ContainerId', 'ContainerName') }) }
  }
  $parameters -join ",`n`n"
}

. ([scriptblock]::Create(@"
<#
.SYNOPSIS
Starts an interactive session, also in a container: -ContainerId or -ContainerName, and -RunAsAdministrator for root instead of the image's user.
.EXAMPLE
Enter-PSSession -ContainerId `$con.ContainerId -RunAsAdministrator
#>
function Enter-PSSession {
  [CmdletBinding(DefaultParameterSetName = 'ComputerName')]
  param($(Get-SessionParameter Enter-PSSession))
  process {
    if (`$PSCmdlet.ParameterSetName -notin 'ContainerId', 'ContainerName') { return Microsoft.PowerShell.Core\Enter-PSSession @PSBoundParameters }
    Invoke-Guarded `$PSCmdlet { Enter-ContainerSession `$PSCmdlet `$PSCmdlet.ParameterSetName "`$ContainerId`$ContainerName" `$RunAsAdministrator }
  }
}

<#
.SYNOPSIS
Makes a session that lasts, also in a container: -ContainerId or -ContainerName, and -RunAsAdministrator for root instead of the image's user.
.EXAMPLE
`$session = New-PSSession -ContainerName DEMO; Invoke-Command -Session `$session { Get-Process }; Remove-PSSession `$session
#>
function New-PSSession {
  [CmdletBinding(DefaultParameterSetName = 'ComputerName')]
  param($(Get-SessionParameter New-PSSession))
  process {
    `$set = `$PSCmdlet.ParameterSetName
    if (`$set -notin 'ContainerId', 'ContainerName') { return Microsoft.PowerShell.Core\New-PSSession @PSBoundParameters }
    foreach (`$one in @(`$ContainerId) + @(`$ContainerName)) {
      if (`$one) { Invoke-Guarded `$PSCmdlet { New-ContainerSession `$PSCmdlet `$set `$one `$RunAsAdministrator } }
    }
  }
}

<#
.SYNOPSIS
Runs commands elsewhere, also in containers: -ContainerId or -ContainerName, and -RunAsAdministrator for root instead of the image's user.
.EXAMPLE
Invoke-Command -ContainerName DEMO { Get-Process }
#>
function Invoke-Command {
  [CmdletBinding(DefaultParameterSetName = 'InProcess')]
  param($(Get-SessionParameter Invoke-Command))
  begin { `$inputs = [Collections.Generic.List[object]]::new() }
  process { if (`$PSBoundParameters.ContainsKey('InputObject')) { `$inputs.Add(`$InputObject) } }
  end {
    `$null = `$PSBoundParameters.Remove('InputObject')
    `$source = if (`$inputs.Count -gt 0) { , `$inputs.ToArray() }
    Invoke-InContainer `$PSCmdlet `$PSBoundParameters `$source
  }
}
"@))

# The core's command over sessions that last as long as it does.
function Invoke-InContainer($Caller, [Collections.IDictionary]$Bound, [object[]]$Source) {
  $core = Get-Command 'Microsoft.PowerShell.Core\Invoke-Command' -CommandType Cmdlet
  $words = [hashtable]::new($Bound)
  $set = $Caller.ParameterSetName -replace '^FilePath', ''
  if ($set -notin 'ContainerId', 'ContainerName') {
    if ($Source) { return $Source | & $core @words }
    return & $core @words
  }
  $sessions = @(foreach ($one in $Bound[$set]) { Invoke-Guarded $Caller { New-ContainerSession $Caller $set $one ([bool]$Bound['RunAsAdministrator']) } })
  foreach ($name in $set, 'RunAsAdministrator') { $words.Remove($name) }
  try {
    if (!$sessions) { return }
    if ($Source) { $Source | & $core -Session $sessions @words } else { & $core -Session $sessions @words }
  }
  finally {
    # A job goes on using them; they end with it or with PowerShell.
    if (!$words['AsJob'] -and $sessions) { Remove-PSSession $sessions }
  }
}
