# Owns Start-, Stop- and Remove-Container.

# One engine call for each container. That it is in that state already is a warning, as with the originals.
function Invoke-ContainerChange($Caller, $Containers, [string]$Method, [string]$PathEnd, [switch]$Passthru) {
  $command = $Caller.MyInvocation.MyCommand.Name
  foreach ($one in $Containers) {
    Invoke-Guarded $Caller {
      if (!$Caller.ShouldProcess($one.Name, $command)) { return }
      try { $null = Invoke-Engine $Caller $Method "/containers/$($one.DockerId)$PathEnd" -Target $one }
      finally { Clear-ContainerRow }
      if ($Passthru) { $one }
    }
  }
}

function Start-Container {
  <#
  .SYNOPSIS
  Starts containers.
  .PARAMETER Name
  Names of containers, as Get-Container takes them.
  .PARAMETER Container
  Containers that Get-Container returned.
  .PARAMETER Passthru
  Returns the containers.
  .PARAMETER AsJob
  Runs in the background and returns a job.
  .EXAMPLE
  Start-Container $con
  .EXAMPLE
  Get-Container web* | Start-Container -Passthru
  #>
  [CmdletBinding(SupportsShouldProcess, DefaultParameterSetName = 'Name')]
  [OutputType('Microsoft.Containers.PowerShell.Objects.Container')]
  param(
    [Parameter(Mandatory, Position = 0, ParameterSetName = 'Name', ValueFromPipeline)][Alias('ContainerName')]
    [SupportsWildcards()][ValidateNotNullOrEmpty()]
    [string[]]$Name,
    [Parameter(Mandatory, Position = 0, ParameterSetName = 'Container', ValueFromPipeline)]
    [PSTypeName('Microsoft.Containers.PowerShell.Objects.Container')]
    [psobject[]]$Container,
    [switch]$Passthru,
    [switch]$AsJob
  )
  begin { $later = [Collections.Generic.List[psobject]]::new() }
  process {
    $containers = @(Resolve-Container $PSCmdlet -Name $Name -Container $Container)
    if ($AsJob) { $later.AddRange([psobject[]]$containers) }
    else { Invoke-ContainerChange $PSCmdlet $containers POST '/start' -Passthru:$Passthru }
  }
  end { Start-LaterJob $PSCmdlet $later @{ Passthru = $Passthru } }
}

function Stop-Container {
  <#
  .SYNOPSIS
  Stops containers: asks them to end, and ends them when they don't within their time (10 seconds, unless the image says
  otherwise).
  .PARAMETER Name
  Names of containers, as Get-Container takes them.
  .PARAMETER Container
  Containers that Get-Container returned.
  .PARAMETER TurnOff
  Ends them at once, without asking.
  .PARAMETER Passthru
  Returns the containers.
  .PARAMETER AsJob
  Runs in the background and returns a job.
  .EXAMPLE
  Get-Container | Stop-Container
  .EXAMPLE
  Stop-Container DEMO -TurnOff
  #>
  [CmdletBinding(SupportsShouldProcess, DefaultParameterSetName = 'Name')]
  [OutputType('Microsoft.Containers.PowerShell.Objects.Container')]
  param(
    [Parameter(Mandatory, Position = 0, ParameterSetName = 'Name', ValueFromPipeline)][Alias('ContainerName')]
    [SupportsWildcards()][ValidateNotNullOrEmpty()]
    [string[]]$Name,
    [Parameter(Mandatory, Position = 0, ParameterSetName = 'Container', ValueFromPipeline)]
    [PSTypeName('Microsoft.Containers.PowerShell.Objects.Container')]
    [psobject[]]$Container,
    [switch]$TurnOff,
    [switch]$Passthru,
    [switch]$AsJob
  )
  begin { $later = [Collections.Generic.List[psobject]]::new() }
  process {
    $containers = @(Resolve-Container $PSCmdlet -Name $Name -Container $Container)
    if ($AsJob) { return $later.AddRange([psobject[]]$containers) }
    $path = if ($TurnOff) { '/stop?signal=SIGKILL' } else { '/stop' }
    Invoke-ContainerChange $PSCmdlet $containers POST $path -Passthru:$Passthru
  }
  end { Start-LaterJob $PSCmdlet $later @{ TurnOff = $TurnOff; Passthru = $Passthru } }
}

function Remove-Container {
  <#
  .SYNOPSIS
  Removes stopped containers and what they have written.
  .PARAMETER Name
  Names of containers, as Get-Container takes them.
  .PARAMETER Container
  Containers that Get-Container returned.
  .PARAMETER Force
  Does not ask for confirmation. A running container is refused all the same.
  .PARAMETER Passthru
  Returns the objects of what was removed.
  .PARAMETER AsJob
  Runs in the background and returns a job.
  .EXAMPLE
  Remove-Container DEMO -Force
  .EXAMPLE
  Get-Container | Where State -eq Off | Remove-Container
  #>
  [CmdletBinding(SupportsShouldProcess, ConfirmImpact = 'High', DefaultParameterSetName = 'Name')]
  [OutputType('Microsoft.Containers.PowerShell.Objects.Container')]
  param(
    [Parameter(Mandatory, Position = 0, ParameterSetName = 'Name', ValueFromPipeline)][Alias('ContainerName')]
    [SupportsWildcards()][ValidateNotNullOrEmpty()]
    [string[]]$Name,
    [Parameter(Mandatory, Position = 0, ParameterSetName = 'Container', ValueFromPipeline)]
    [PSTypeName('Microsoft.Containers.PowerShell.Objects.Container')]
    [psobject[]]$Container,
    [switch]$Force,
    [switch]$Passthru,
    [switch]$AsJob
  )
  begin {
    $later = [Collections.Generic.List[psobject]]::new()
    if ($Force -and !$PSBoundParameters.ContainsKey('Confirm')) { $ConfirmPreference = 'None' }
  }
  process {
    $containers = @(Resolve-Container $PSCmdlet -Name $Name -Container $Container)
    if ($AsJob) { $later.AddRange([psobject[]]$containers) }
    else { Invoke-ContainerChange $PSCmdlet $containers DELETE '?v=1' -Passthru:$Passthru }
  }
  end { Start-LaterJob $PSCmdlet $later @{ Force = $true; Passthru = $Passthru } }
}

# -AsJob of a command that takes containers from the pipeline: one job for all that came, asked for here, where somebody
# can answer.
function Start-LaterJob($Caller, $Containers, [hashtable]$Parameters) {
  $command = $Caller.MyInvocation.MyCommand.Name
  $chosen = @(foreach ($one in $Containers) { if ($Caller.ShouldProcess($one.Name, $command)) { $one.DockerId } })
  if ($chosen) { Start-ContainerJob $command ($Parameters + @{ Name = $chosen }) }
}
