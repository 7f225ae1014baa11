# Owns sessions in containers: Enter-PSSession, New-PSSession and Invoke-Command with -ContainerId, -ContainerName and
# -RunAsAdministrator. They are real PowerShell remoting over an exec of the engine (SessionOpening.ps1). Every other
# use of these commands is passed on to the ones of PowerShell's core.

$script:closeTimeoutMs = 5000

# For each command what of its core's parameters is not written below. They are read when a command is first used: that
# costs an import nothing, and what a later PowerShell adds is there too.
$script:CoreParameters = @{}

function Get-CoreParameter([string]$Command, [string[]]$Written) {
  $known = $script:CoreParameters[$Command]
  if ($known) { return $known }
  $skipped = @([Management.Automation.PSCmdlet]::CommonParameters) + $Written
  $parameters = [Management.Automation.RuntimeDefinedParameterDictionary]::new()
  foreach ($parameter in (Get-Command "Microsoft.PowerShell.Core\$Command" -CommandType Cmdlet).Parameters.Values) {
    $name = $parameter.Name
    if ($name -in $skipped) { continue }
    $attributes = [Collections.ObjectModel.Collection[Attribute]]@($parameter.Attributes)
    $named = [Collections.ObjectModel.Collection[Attribute]]@(ConvertTo-NamedSet $parameter.Attributes)
    if ($name -eq 'ContainerId') {
      $added = [Management.Automation.RuntimeDefinedParameter]::new('ContainerName', $parameter.ParameterType, $named)
      $parameters.Add('ContainerName', $added)
    }
    # What goes with -ContainerId goes with -ContainerName.
    else { foreach ($attribute in $named) { if ($attribute -is [Parameter]) { $attributes.Add($attribute) } } }
    $copy = [Management.Automation.RuntimeDefinedParameter]::new($name, $parameter.ParameterType, $attributes)
    $parameters.Add($name, $copy)
  }
  $script:CoreParameters[$Command] = $parameters
  $parameters
}

# A parameter's attributes for the sets of -ContainerName instead of those of -ContainerId.
function ConvertTo-NamedSet($Attributes) {
  foreach ($attribute in $Attributes) {
    if ($attribute -isnot [Parameter]) { $attribute; continue }
    if ($attribute.ParameterSetName -notmatch '^(?:FilePath)?ContainerId$') { continue }
    $named = [Parameter]::new()
    $named.ParameterSetName = $attribute.ParameterSetName.Replace('ContainerId', 'ContainerName')
    foreach ($word in 'Mandatory', 'Position', 'ValueFromPipeline', 'ValueFromRemainingArguments') {
      $named.$word = $attribute.$word
    }
    $named
  }
}

# Whoever names a configuration counts on what it forbids. Throws.
function Assert-NoConfiguration([string]$Name) {
  if ($Name) {
    $message = 'Sessions in containers have no configurations: leave out -ConfigurationName.'
    throw New-ContainerError $message Unsupported InvalidOperation $Name
  }
}

# Open sessions in these containers, in the order in which they come up. An error about one leaves the others.
function New-ContainerSession($Caller, [string]$Parameter, [string[]]$Reference, [Collections.IDictionary]$Bound) {
  Assert-NoConfiguration $Bound['ConfigurationName']
  $asAdministrator = [bool]$Bound['RunAsAdministrator']
  Open-ContainerRunspace $Caller $Reference ([int]$Bound['ThrottleLimit']) {
    $container = Get-SessionContainer $Caller $Parameter $args[0]
    if (!(Add-Opening $Caller $container $asAdministrator $args[1])) {
      $message = "The container '$($args[0])' has no PowerShell, and none is installed on this machine for " +
        "containers: twofold doctor says why."
      throw New-ContainerError $message NoPowerShell NotInstalled $args[0]
    }
  } | ForEach-Object {
    $session = [Management.Automation.Runspaces.PSSession]::Create($_, 'Container', $Caller)
    $session.Name = $_.Name
    $session
  }
}

# The image's shell on this terminal, in a process that owns it while it runs.
function Enter-ContainerShell($Caller, $Container, [bool]$AsAdministrator) {
  $name = $Container.Name.Substring(1)
  $twofold = $Caller.InvokeCommand.GetCommand('twofold', 'Application')
  if (!$twofold) {
    $message = "The container '$name' has no PowerShell, and the command twofold, which would open its shell, is " +
      "not on the path."
    throw New-ContainerError $message NoPowerShell NotInstalled $name
  }
  $reason = 'none is installed on this machine for containers'
  $Caller.Host.UI.WriteLine("The container '$name' has no PowerShell, and ${reason}: this is its shell.")
  $user = @(if ($AsAdministrator) { '--user', '0' })
  & $twofold exec --interactive --tty @user $Container.Id /bin/sh
}

function Enter-ContainerSession($Caller, [string]$Parameter, [string]$Reference, [Collections.IDictionary]$Bound) {
  Assert-NoConfiguration $Bound['ConfigurationName']
  $container = Get-SessionContainer $Caller $Parameter $Reference
  $place = $Caller.Host -as [Management.Automation.Host.IHostSupportsInteractiveSession]
  if (!$place) {
    $message = 'This program cannot enter a session: it has no prompt to replace.'
    throw New-ContainerError $message HostDoesNotSupportPushRunspace InvalidOperation $Reference
  }
  if ($place.IsRunspacePushed) {
    $message = 'You are already in a session: leave it first.'
    throw New-ContainerError $message SessionInSession InvalidOperation $Reference
  }
  $found = @{ PowerShell = $true }
  $asAdministrator = [bool]$Bound['RunAsAdministrator']
  $runspace = Open-ContainerRunspace $Caller $Reference 1 {
    $found.PowerShell = Add-Opening $Caller $container $asAdministrator $args[1]
  }
  if (!$found.PowerShell) { return Enter-ContainerShell $Caller $container $asAdministrator }
  if (!$runspace) { return }
  # As the core's own sessions: whoever leaves it ends it. Not public; without it the session ends with PowerShell.
  $closes = $runspace.GetType().GetProperty('ShouldCloseOnPop', [Reflection.BindingFlags]'Instance, NonPublic')
  if ($closes) { $closes.SetValue($runspace, $true) }
  $place.PushRunspace($runspace)
}

function Enter-PSSession {
  <#
  .SYNOPSIS
  Starts an interactive session, also in a container. PowerShell's own parameters work as well.
  .PARAMETER ContainerId
  The container's GUID; the 64 digits of Docker's id, or a unique prefix, will do as well.
  .PARAMETER ContainerName
  The container's name, in any case.
  .PARAMETER RunAsAdministrator
  As root instead of the image's user.
  .EXAMPLE
  Enter-PSSession -ContainerId $con.ContainerId -RunAsAdministrator
  #>
  [CmdletBinding(DefaultParameterSetName = 'ComputerName')]
  param(
    [Parameter(Mandatory, ParameterSetName = 'ContainerId', ValueFromPipeline, ValueFromPipelineByPropertyName)]
    [ValidateNotNullOrEmpty()]
    [string]$ContainerId,
    [Parameter(Mandatory, ParameterSetName = 'ContainerName')][ValidateNotNullOrEmpty()][string]$ContainerName,
    [Parameter(ParameterSetName = 'ContainerId')][Parameter(ParameterSetName = 'ContainerName')]
    [switch]$RunAsAdministrator
  )
  dynamicparam { Get-CoreParameter Enter-PSSession ContainerId, ContainerName, RunAsAdministrator }
  process {
    $set = $PSCmdlet.ParameterSetName
    if ($set -notin 'ContainerId', 'ContainerName') {
      return Microsoft.PowerShell.Core\Enter-PSSession @PSBoundParameters
    }
    $bound = $PSBoundParameters
    Invoke-Guarded $PSCmdlet { Enter-ContainerSession $PSCmdlet $set $bound[$set] $bound }
  }
}

function New-PSSession {
  <#
  .SYNOPSIS
  Makes sessions that last, also in containers. PowerShell's own parameters work as well.
  .PARAMETER ContainerId
  GUIDs of containers; the 64 digits of Docker's ids, or unique prefixes, will do as well.
  .PARAMETER ContainerName
  Names of containers, in any case.
  .PARAMETER RunAsAdministrator
  As root instead of the image's user.
  .EXAMPLE
  $session = New-PSSession -ContainerName DEMO
  Invoke-Command -Session $session { Get-Process }
  Remove-PSSession $session
  #>
  [CmdletBinding(DefaultParameterSetName = 'ComputerName')]
  [OutputType([Management.Automation.Runspaces.PSSession])]
  param(
    [Parameter(Mandatory, ParameterSetName = 'ContainerId', ValueFromPipelineByPropertyName)][ValidateNotNullOrEmpty()]
    [string[]]$ContainerId,
    [Parameter(Mandatory, ParameterSetName = 'ContainerName')][ValidateNotNullOrEmpty()][string[]]$ContainerName,
    [Parameter(ParameterSetName = 'ContainerId')][Parameter(ParameterSetName = 'ContainerName')]
    [switch]$RunAsAdministrator
  )
  dynamicparam { Get-CoreParameter New-PSSession ContainerId, ContainerName, RunAsAdministrator }
  begin { $references = [Collections.Generic.List[string]]::new() }
  process {
    $set = $PSCmdlet.ParameterSetName
    if ($set -notin 'ContainerId', 'ContainerName') {
      return Microsoft.PowerShell.Core\New-PSSession @PSBoundParameters
    }
    $references.AddRange([string[]]$PSBoundParameters[$set])
  }
  end {
    if ($references.Count -eq 0) { return }
    $bound = $PSBoundParameters
    Invoke-Guarded $PSCmdlet { New-ContainerSession $PSCmdlet $set $references $bound }
  }
}

function Invoke-Command {
  <#
  .SYNOPSIS
  Runs commands elsewhere, also in containers, in several at once.
  .DESCRIPTION
  PowerShell's own parameters, and for containers: -ContainerId (GUIDs; the 64 digits of Docker's ids, or unique
  prefixes, will do as well) or -ContainerName (names, in any case), and -RunAsAdministrator for root instead of the
  image's user. -ThrottleLimit says how many are at work at a time, 32 unless told otherwise.
  .EXAMPLE
  Invoke-Command -ContainerName WEB1, WEB2 { Get-Process }
  #>
  [CmdletBinding(DefaultParameterSetName = 'InProcess')]
  param()
  # All of them: with some written here, the binder would have to choose between -ScriptBlock and -FilePath before it
  # knows them.
  dynamicparam { Get-CoreParameter Invoke-Command }
  begin {
    $inputs = [Collections.Generic.List[object]]::new()
    $references = [Collections.Generic.List[string]]::new()
    foreach ($name in 'ContainerId', 'ContainerName') {
      if ($PSBoundParameters[$name]) { $references.AddRange($PSBoundParameters[$name]) }
    }
    $areNamed = $references.Count -gt 0
  }
  process {
    # Containers that come through the pipeline are where to run, and not the input.
    if (!$areNamed -and $PSBoundParameters['ContainerId']) { $references.AddRange($PSBoundParameters['ContainerId']) }
    elseif ($PSBoundParameters.ContainsKey('InputObject')) { $inputs.Add($PSBoundParameters['InputObject']) }
  }
  end {
    $words = $PSBoundParameters
    $null = $words.Remove('InputObject')
    $source = if ($inputs.Count -gt 0) { , $inputs.ToArray() }
    if ($references.Count -gt 0) { Invoke-InContainer $PSCmdlet $references $words $source }
    elseif ($null -ne $source) { $source | Microsoft.PowerShell.Core\Invoke-Command @words }
    else { Microsoft.PowerShell.Core\Invoke-Command @words }
  }
}

# The core's command in sessions that last as long as it does.
function Invoke-InContainer($Caller, [string[]]$Reference, [Collections.IDictionary]$Bound, [object[]]$Source) {
  $words = [hashtable]::new($Bound)
  $set = $Caller.ParameterSetName -replace '^FilePath', ''
  foreach ($name in $set, 'RunAsAdministrator') { $words.Remove($name) }
  $sessions = [Collections.Generic.List[Management.Automation.Runspaces.PSSession]]::new()
  $job = $null
  try {
    Invoke-Guarded $Caller {
      New-ContainerSession $Caller $set $Reference $Bound | ForEach-Object { $sessions.Add($_) }
    }
    if ($sessions.Count -eq 0) { return }
    if ($words['AsJob']) {
      $job = if ($null -eq $Source) { Microsoft.PowerShell.Core\Invoke-Command -Session $sessions @words }
      else { $Source | Microsoft.PowerShell.Core\Invoke-Command -Session $sessions @words }
      Register-SessionEnd $job $sessions.ToArray()
      $job
    }
    elseif ($null -ne $Source) { $Source | Microsoft.PowerShell.Core\Invoke-Command -Session $sessions @words }
    else { Microsoft.PowerShell.Core\Invoke-Command -Session $sessions @words }
  }
  finally {
    if (!$job) { Remove-ContainerSession $sessions }
  }
}

# Sessions that end with a job. Its last change may have been before anybody looked.
function Register-SessionEnd($Job, $Sessions) {
  $final = 'Completed', 'Failed', 'Stopped'
  # What an event calls runs outside of this module: it is brought what belongs here.
  $data = @{ Final = $final; Sessions = $Sessions; End = { Remove-ContainerSession $args[0] } }
  $subscriber = $executionContext.Events.SubscribeEvent($Job, 'StateChanged', $null, $data, {
      $data = $Event.MessageData
      if ($Sender.State -notin $data.Final) { return }
      $executionContext.Events.UnsubscribeEvent($EventSubscriber)
      & $data.End $data.Sessions
    }, $true, $false)
  if ($Job.State -notin $final) { return }
  $executionContext.Events.UnsubscribeEvent($subscriber)
  Remove-ContainerSession $Sessions
}

# One whose process has ended closes by itself, and the core's command falls over what it finds in the middle of that.
function Remove-ContainerSession($Sessions) {
  foreach ($session in $Sessions) {
    try { Remove-PSSession $session }
    catch [NullReferenceException] {
      Clear-Caught $_
      $watch = [Diagnostics.Stopwatch]::StartNew()
      $isClosing = { $session.Runspace.RunspaceStateInfo.State -eq 'Closing' }
      while ((& $isClosing) -and $watch.ElapsedMilliseconds -lt $script:closeTimeoutMs) {
        [Threading.Thread]::Sleep(5)
      }
      Remove-PSSession $session
    }
  }
}
