# Owns Get-, New- and Set-Container. Their life (start, stop, remove) is ContainerLife.ps1's.

function Get-Container {
  <#
  .SYNOPSIS
  Gets containers: all, or those with the given names or ids.
  .DESCRIPTION
  Lists every container of the engine, whoever made it: PowerShell, docker or another client. State, Uptime, RuntimeType
  and Isolation of the objects are always the present ones. ContainerId is the container's GUID: the first 32 digits of
  the id that docker shows, which is DockerId here.
  .PARAMETER Name
  Names, in any case; wildcards are allowed, and match none without an error. A GUID, an id or a unique prefix of one
  will do as well.
  .PARAMETER Id
  The container's GUID; the 64 digits of Docker's id, or a unique prefix, will do as well.
  .PARAMETER Container
  Containers that Get-Container returned: as they are now.
  .EXAMPLE
  Get-Container | Select ContainerName, RuntimeType
  .EXAMPLE
  Get-Container -Name web* | Stop-Container
  .EXAMPLE
  Get-Container -Id $con.ContainerId
  #>
  [CmdletBinding(DefaultParameterSetName = 'Name')]
  [OutputType('Microsoft.Containers.PowerShell.Objects.Container')]
  param(
    [Parameter(Position = 0, ParameterSetName = 'Name', ValueFromPipeline)][SupportsWildcards()]
    [ValidateNotNullOrEmpty()]
    [string[]]$Name = '*',
    [Parameter(Mandatory, ParameterSetName = 'Id', ValueFromPipelineByPropertyName)][Alias('ContainerId')]
    [ValidateNotNullOrEmpty()]
    [object[]]$Id,
    [Parameter(Mandatory, ParameterSetName = 'Container', ValueFromPipeline)]
    [PSTypeName('Microsoft.Containers.PowerShell.Objects.Container')]
    [psobject[]]$Container
  )
  process {
    $wanted = switch ($PSCmdlet.ParameterSetName) { Id { $Id } Container { $Container.DockerId } default { $Name } }
    Resolve-Container $PSCmdlet -Name $wanted
  }
}

function New-Container {
  <#
  .SYNOPSIS
  Creates a container of an image. It is off until Start-Container.
  .DESCRIPTION
  A container runs what its image says until it is stopped; its standard input stays open, so the base images' cmd waits
  for as long as it is let. Without -SwitchName it has no network adapter (Add-ContainerNetworkAdapter).
  .PARAMETER Name
  The container's name. Without one, the engine chooses it.
  .PARAMETER ContainerImageName
  The image's name in any case, with wildcards if only one matches; a reference (name:tag) or an id of Docker's will
  do as well.
  .PARAMETER ContainerImagePublisher
  The image's publisher, where several have an image of the name.
  .PARAMETER ContainerImageVersion
  The image's version. Without it: the one tagged latest, otherwise the highest.
  .PARAMETER ContainerImage
  An image that Get-ContainerImage returned.
  .PARAMETER MemoryStartupBytes
  Memory that the container may use. With -MaximumMemoryBytes it is what is kept for it when memory is short.
  .PARAMETER MaximumMemoryBytes
  The most memory that it may use.
  .PARAMETER SwitchName
  The virtual switch (Docker's network) that its adapter is connected to.
  .PARAMETER RuntimeType
  Default: the isolation that the engine's settings name. HyperV: its own utility VM. Process, which the originals
  had not: namespaces on the host's kernel.
  .PARAMETER ContainerComputerName
  The host name inside.
  .PARAMETER Path
  Refused: all containers are in the engine's data root.
  .PARAMETER AsJob
  Runs in the background and returns a job.
  .EXAMPLE
  $con = New-Container -Name HYPVCON -ContainerImageName NanoServer -SwitchName "Virtual Switch" -RuntimeType HyperV
  .EXAMPLE
  Get-ContainerImage nanoserver | New-Container -Name DEMO -SwitchName NAT | Start-Container
  #>
  [CmdletBinding(SupportsShouldProcess, DefaultParameterSetName = 'ImageName')]
  [OutputType('Microsoft.Containers.PowerShell.Objects.Container')]
  param(
    [Parameter(Position = 0)][string]$Name,
    [Parameter(Mandatory, ParameterSetName = 'ImageName')][SupportsWildcards()][ValidateNotNullOrEmpty()]
    [string]$ContainerImageName,
    [Parameter(ParameterSetName = 'ImageName')][string]$ContainerImagePublisher,
    [Parameter(ParameterSetName = 'ImageName')][string]$ContainerImageVersion,
    [Parameter(Mandatory, ParameterSetName = 'Image', ValueFromPipeline)]
    [PSTypeName('Microsoft.Containers.PowerShell.Objects.ContainerImage')]
    [psobject]$ContainerImage,
    [ValidateRange(6MB, [long]::MaxValue)][long]$MemoryStartupBytes,
    [ValidateRange(6MB, [long]::MaxValue)][long]$MaximumMemoryBytes,
    [Alias('NetworkName')][ValidateNotNullOrEmpty()][string]$SwitchName,
    [ValidateSet('Default', 'HyperV', 'Process')][string]$RuntimeType = 'Default',
    [ValidateNotNullOrEmpty()][string]$ContainerComputerName,
    [string]$Path,
    [switch]$AsJob
  )
  process {
    Invoke-Guarded $PSCmdlet {
      if ($Path) {
        $message = 'A container cannot have its own directory: all are in the engine''s data root.'
        throw New-ContainerError $message PathNotSupported NotImplemented $Path
      }
      $image = if ($ContainerImage) { $ContainerImage } else {
        Resolve-OneContainerImage $PSCmdlet $ContainerImageName $ContainerImagePublisher $ContainerImageVersion
      }
      $switch = if ($SwitchName) { (Resolve-OneVMSwitch $PSCmdlet $SwitchName).Name } else { 'none' }
      if (!$PSCmdlet.ShouldProcess($(if ($Name) { $Name } else { "a container of $($image.Name)" }), 'New-Container')) {
        return
      }
      if ($AsJob) {
        $given = $PSCmdlet.MyInvocation.BoundParameters
        $parameters = @{ ContainerImageName = $image.Reference; RuntimeType = $RuntimeType }
        foreach ($word in 'Name', 'MemoryStartupBytes', 'MaximumMemoryBytes', 'SwitchName', 'ContainerComputerName') {
          if ($given[$word]) { $parameters[$word] = $given[$word] }
        }
        return Start-ContainerJob New-Container $parameters
      }
      $settings = @{ NetworkMode = $switch; Isolation = $RuntimeType.ToLowerInvariant() }
      $most = if ($MaximumMemoryBytes) { $MaximumMemoryBytes } else { $MemoryStartupBytes }
      if ($most) { $settings.Memory = $most }
      if ($MaximumMemoryBytes -and $MemoryStartupBytes) { $settings.MemoryReservation = $MemoryStartupBytes }
      $body = @{ Image = $image.Reference; OpenStdin = $true; HostConfig = $settings }
      if ($ContainerComputerName) { $body.Hostname = $ContainerComputerName }
      $path = "/containers/create$(Join-Query @{ name = if ($Name) { $Name } })"
      $target = if ($Name) { $Name } else { $image.Reference }
      $made = Invoke-Engine $PSCmdlet POST $path -Body $body -Target $target
      foreach ($warning in $made.Warnings) { $PSCmdlet.WriteWarning($warning) }
      foreach ($row in Read-ContainerRow $PSCmdlet) { if ($row.Id -eq $made.Id) { return ConvertTo-Container $row } }
    }
  }
}

function Set-Container {
  <#
  .SYNOPSIS
  Converts a stopped container to another isolation.
  .DESCRIPTION
  What the container has written is kept, and so are its name, ids, configuration and log. A running container is
  refused. -WhatIf says what would be carried over and what would change. It takes as long as it takes to seal what was
  written.
  .PARAMETER Container
  A container that Get-Container returned.
  .PARAMETER Name
  Names of containers, as Get-Container takes them.
  .PARAMETER RuntimeType
  HyperV, Default (the isolation that the engine's settings name), or Process.
  .PARAMETER Passthru
  Returns the container.
  .EXAMPLE
  Set-Container $con -RuntimeType HyperV
  .EXAMPLE
  Get-Container web* | Set-Container -RuntimeType HyperV -WhatIf
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
    [Parameter(Mandatory)][ValidateSet('Default', 'HyperV', 'Process')][string]$RuntimeType,
    [switch]$Passthru
  )
  process {
    foreach ($one in Resolve-Container $PSCmdlet -Name $Name -Container $Container) {
      Invoke-Guarded $PSCmdlet {
        $path = "/containers/$($one.DockerId)/update"
        $isolation = $RuntimeType.ToLowerInvariant()
        $question = @{ Isolation = $isolation; DryRun = $true }
        $plan = (Invoke-Engine $PSCmdlet POST $path -Body $question -Target $one).Conversion
        $sentence = ConvertTo-ConversionText $one.Name $RuntimeType $plan
        if (!$PSCmdlet.ShouldProcess($sentence, "$sentence`nConvert it?", 'Set-Container')) { return }
        try { $null = Invoke-Engine $PSCmdlet POST $path -Body @{ Isolation = $isolation } -Target $one }
        finally { Clear-ContainerRow }
        if ($Passthru) { $one }
      }
    }
  }
}

# What -WhatIf and -Confirm say of a conversion.
function ConvertTo-ConversionText([string]$Name, [string]$RuntimeType, $Plan) {
  $lines = @(
    "Performing the operation ""Set-Container -RuntimeType $RuntimeType"" on target ""$Name"" " +
    "($($Plan.From) -> $($Plan.To))."
    foreach ($sentence in $Plan.Refusals) { "  refused  $sentence" }
    foreach ($sentence in $Plan.Carries) { "  kept     $sentence" }
    foreach ($sentence in $Plan.Changes) { "  changes  $sentence" }
  )
  $lines -join "`n"
}
