# Owns network adapters of containers: Add-, Get-, Set-, Remove-, Connect- and Disconnect-ContainerNetworkAdapter. An
# adapter is on one switch or on none. The engine changes those of stopped containers only, and says so of others.

function ConvertTo-Adapter($Row) {
  [pscustomobject]@{
    PSTypeName       = 'Microsoft.Containers.PowerShell.Objects.ContainerNetworkAdapter'
    ContainerName    = $Row.ContainerName
    ContainerId      = ConvertTo-Guid $Row.ContainerId
    Name             = $Row.Name
    Id               = [guid]$Row.Id
    SwitchName       = $Row.SwitchName
    NetworkId        = if ($Row.SwitchId) { "$(ConvertTo-Guid $Row.SwitchId)".ToUpperInvariant() } else { '' }
    StaticMacAddress = $Row.StaticMacAddress
    StaticIPAddress  = $Row.StaticIPAddress
    # The engine limits no adapter's rate; 0 says so, as with the originals.
    MaximumBandwidth = 0
    InterfaceName    = $Row.InterfaceName
    MacAddress       = $Row.MacAddress
    IPAddress        = $Row.IPAddress
    PrefixLength     = $Row.PrefixLength
    Gateway          = $Row.Gateway
    DockerId         = $Row.ContainerId
  }
}

function Read-Adapter($Caller, $Container) {
  foreach ($row in Invoke-Engine $Caller GET "/containers/$($Container.DockerId)/adapters" -Target $Container) {
    ConvertTo-Adapter $row
  }
}

# The adapters of one container that $Name means: all without it. Throws when a name without wildcards means none.
function Find-Adapter($Caller, $Container, [string]$Name) {
  $found = @(foreach ($adapter in Read-Adapter $Caller $Container) {
      if (!$Name -or $adapter.Name -like $Name -or "$($adapter.Id)" -eq $Name) { $adapter }
    })
  if (!$found -and $Name -and ![wildcardpattern]::ContainsWildcardCharacters($Name)) {
    $message = "The container '$($Container.Name)' has no network adapter '$Name'."
    throw New-ContainerError $message ContainerNetworkAdapterNotFound ObjectNotFound $Name
  }
  $found
}

# The adapters that a command is to work on: its objects, or those of the containers that it names. -Needed: a container
# that has none is an error, where the command would do nothing.
function Resolve-Adapter {
  param(
    $Caller, [string[]]$ContainerName, [psobject[]]$Container, [psobject[]]$NetworkAdapter, [string]$Name,
    [switch]$Needed
  )
  if ($NetworkAdapter) { return $NetworkAdapter }
  foreach ($one in Resolve-Container $Caller -Name $ContainerName -Container $Container) {
    Invoke-Guarded $Caller {
      $found = @(Find-Adapter $Caller $one $Name)
      if ($found -or !$Needed -or $Name) { return $found }
      $message = "The container '$($one.Name)' has no network adapter: Add-ContainerNetworkAdapter adds one."
      throw New-ContainerError $message ContainerNetworkAdapterNotFound ObjectNotFound $one
    }
  }
}

# Sends what is to change and gives the adapter as it is then.
function Edit-Adapter($Caller, $Adapter, [hashtable]$Change) {
  $path = "/containers/$($Adapter.DockerId)/adapters/$($Adapter.Id)"
  ConvertTo-Adapter (Invoke-Engine $Caller PATCH $path -Body $Change -Target $Adapter)
}

function Add-ContainerNetworkAdapter {
  <#
  .SYNOPSIS
  Gives stopped containers a network adapter.
  .PARAMETER ContainerName
  Names of containers, as Get-Container takes them.
  .PARAMETER Container
  Containers that Get-Container returned.
  .PARAMETER SwitchName
  The switch that it is connected to. Without it: none (Connect-ContainerNetworkAdapter).
  .PARAMETER Name
  The adapter's name, Network Adapter by default. Several may have one name.
  .PARAMETER DynamicMacAddress
  Its MAC address is chosen anew at each start. This is also the default.
  .PARAMETER StaticMacAddress
  Its MAC address, such as 00-15-5D-01-02-03.
  .PARAMETER StaticIPAddress
  Its IP address, in the switch's subnet.
  .PARAMETER Passthru
  Returns the adapters.
  .EXAMPLE
  Add-ContainerNetworkAdapter -ContainerName DEMO -SwitchName "Virtual Switch"
  #>
  [CmdletBinding(SupportsShouldProcess, DefaultParameterSetName = 'Name')]
  [OutputType('Microsoft.Containers.PowerShell.Objects.ContainerNetworkAdapter')]
  param(
    [Parameter(Mandatory, Position = 0, ParameterSetName = 'Name', ValueFromPipeline)][SupportsWildcards()]
    [ValidateNotNullOrEmpty()]
    [string[]]$ContainerName,
    [Parameter(Mandatory, Position = 0, ParameterSetName = 'Container', ValueFromPipeline)]
    [PSTypeName('Microsoft.Containers.PowerShell.Objects.Container')]
    [psobject[]]$Container,
    [ValidateNotNullOrEmpty()][string]$SwitchName,
    [ValidateNotNullOrEmpty()][string]$Name,
    [switch]$DynamicMacAddress,
    [ValidateNotNullOrEmpty()][string]$StaticMacAddress,
    [ValidateNotNullOrEmpty()][string]$StaticIPAddress,
    [switch]$Passthru
  )
  process {
    foreach ($one in Resolve-Container $PSCmdlet -Name $ContainerName -Container $Container) {
      Invoke-Guarded $PSCmdlet {
        $body = @{}
        if ($SwitchName) { $body.Switch = (Resolve-OneVMSwitch $PSCmdlet $SwitchName).Name }
        if ($Name) { $body.Name = $Name }
        Add-AddressChange $body $DynamicMacAddress $StaticMacAddress
        if ($StaticIPAddress) { $body.StaticIPAddress = $StaticIPAddress }
        if (!$PSCmdlet.ShouldProcess($one.Name, 'Add-ContainerNetworkAdapter')) { return }
        $path = "/containers/$($one.DockerId)/adapters"
        $made = ConvertTo-Adapter (Invoke-Engine $PSCmdlet POST $path -Body $body -Target $one)
        if ($Passthru) { $made }
      }
    }
  }
}

# -DynamicMacAddress and -StaticMacAddress as words of a request. Both at once is a contradiction.
function Add-AddressChange([hashtable]$Body, [bool]$Dynamic, [string]$Static) {
  if ($Dynamic -and $Static) {
    throw New-ContainerError 'A MAC address is dynamic or static, not both.' AmbiguousMacAddress InvalidArgument $Static
  }
  if ($Dynamic) { $Body.StaticMacAddress = '' }
  if ($Static) { $Body.StaticMacAddress = $Static }
}

function Get-ContainerNetworkAdapter {
  <#
  .SYNOPSIS
  Gets the network adapters of containers.
  .PARAMETER ContainerName
  Names of containers, as Get-Container takes them.
  .PARAMETER Container
  Containers that Get-Container returned.
  .PARAMETER Name
  Only adapters of this name; wildcards are allowed.
  .EXAMPLE
  Get-Container | Get-ContainerNetworkAdapter
  #>
  [CmdletBinding(DefaultParameterSetName = 'Name')]
  [OutputType('Microsoft.Containers.PowerShell.Objects.ContainerNetworkAdapter')]
  param(
    [Parameter(Mandatory, Position = 0, ParameterSetName = 'Name', ValueFromPipeline)][SupportsWildcards()]
    [ValidateNotNullOrEmpty()]
    [string[]]$ContainerName,
    [Parameter(Mandatory, Position = 0, ParameterSetName = 'Container', ValueFromPipeline)]
    [PSTypeName('Microsoft.Containers.PowerShell.Objects.Container')]
    [psobject[]]$Container,
    [Parameter(Position = 1)][SupportsWildcards()][string]$Name
  )
  process { Resolve-Adapter $PSCmdlet $ContainerName $Container $null $Name }
}

function Set-ContainerNetworkAdapter {
  <#
  .SYNOPSIS
  Changes network adapters of stopped containers.
  .PARAMETER ContainerName
  The container's name, as Get-Container takes it.
  .PARAMETER Container
  A container that Get-Container returned.
  .PARAMETER NetworkAdapter
  Adapters that Get-ContainerNetworkAdapter returned.
  .PARAMETER Name
  Which adapters of the container; all by default.
  .PARAMETER DynamicMacAddress
  The MAC address is chosen anew at each start.
  .PARAMETER StaticMacAddress
  The MAC address from now on.
  .PARAMETER StaticIPAddress
  The IP address from now on; an empty one makes it dynamic.
  .PARAMETER MaximumBandwidth
  Refused but for 0: an adapter's rate can't be limited yet.
  .PARAMETER Passthru
  Returns the adapters.
  .EXAMPLE
  Set-ContainerNetworkAdapter -ContainerName DEMO -StaticMacAddress 00-15-5D-01-02-03
  #>
  [CmdletBinding(SupportsShouldProcess, DefaultParameterSetName = 'Name')]
  [OutputType('Microsoft.Containers.PowerShell.Objects.ContainerNetworkAdapter')]
  param(
    [Parameter(Mandatory, Position = 0, ParameterSetName = 'Name', ValueFromPipeline)][ValidateNotNullOrEmpty()]
    [string]$ContainerName,
    [Parameter(Mandatory, Position = 0, ParameterSetName = 'Container', ValueFromPipeline)]
    [PSTypeName('Microsoft.Containers.PowerShell.Objects.Container')]
    [psobject]$Container,
    [Parameter(Mandatory, Position = 0, ParameterSetName = 'Adapter', ValueFromPipeline)]
    [PSTypeName('Microsoft.Containers.PowerShell.Objects.ContainerNetworkAdapter')]
    [psobject[]]$NetworkAdapter,
    [Parameter(ParameterSetName = 'Name')][Parameter(ParameterSetName = 'Container')][SupportsWildcards()][string]$Name,
    [switch]$DynamicMacAddress,
    [ValidateNotNullOrEmpty()][string]$StaticMacAddress,
    [AllowEmptyString()][string]$StaticIPAddress,
    [long]$MaximumBandwidth,
    [switch]$Passthru
  )
  process {
    foreach ($adapter in Resolve-Adapter $PSCmdlet $ContainerName $Container $NetworkAdapter $Name -Needed) {
      Invoke-Guarded $PSCmdlet {
        if ($MaximumBandwidth) {
          $message = 'Twofold does not have this yet: limiting an adapter''s rate (-MaximumBandwidth).'
          throw New-ContainerError $message NotImplemented NotImplemented $adapter
        }
        $change = @{}
        Add-AddressChange $change $DynamicMacAddress $StaticMacAddress
        if ($PSCmdlet.MyInvocation.BoundParameters.ContainsKey('StaticIPAddress')) {
          $change.StaticIPAddress = $StaticIPAddress
        }
        if (!$PSCmdlet.ShouldProcess("$adapter", 'Set-ContainerNetworkAdapter')) { return }
        $now = Edit-Adapter $PSCmdlet $adapter $change
        if ($Passthru) { $now }
      }
    }
  }
}

function Remove-ContainerNetworkAdapter {
  <#
  .SYNOPSIS
  Takes network adapters away from stopped containers.
  .PARAMETER ContainerName
  Names of containers, as Get-Container takes them.
  .PARAMETER Container
  Containers that Get-Container returned.
  .PARAMETER NetworkAdapter
  Adapters that Get-ContainerNetworkAdapter returned.
  .PARAMETER Name
  Which adapters of the containers; all by default.
  .PARAMETER Passthru
  Returns the adapters that were removed.
  .EXAMPLE
  Remove-ContainerNetworkAdapter -ContainerName DEMO
  #>
  [CmdletBinding(SupportsShouldProcess, DefaultParameterSetName = 'Name')]
  [OutputType('Microsoft.Containers.PowerShell.Objects.ContainerNetworkAdapter')]
  param(
    [Parameter(Mandatory, Position = 0, ParameterSetName = 'Name', ValueFromPipeline)][SupportsWildcards()]
    [ValidateNotNullOrEmpty()]
    [string[]]$ContainerName,
    [Parameter(Mandatory, Position = 0, ParameterSetName = 'Container', ValueFromPipeline)]
    [PSTypeName('Microsoft.Containers.PowerShell.Objects.Container')]
    [psobject[]]$Container,
    [Parameter(Mandatory, Position = 0, ParameterSetName = 'Adapter', ValueFromPipeline)]
    [PSTypeName('Microsoft.Containers.PowerShell.Objects.ContainerNetworkAdapter')]
    [psobject[]]$NetworkAdapter,
    [Parameter(ParameterSetName = 'Name')][Parameter(ParameterSetName = 'Container')][SupportsWildcards()][string]$Name,
    [switch]$Passthru
  )
  process {
    foreach ($adapter in Resolve-Adapter $PSCmdlet $ContainerName $Container $NetworkAdapter $Name) {
      Invoke-Guarded $PSCmdlet {
        if (!$PSCmdlet.ShouldProcess("$adapter", 'Remove-ContainerNetworkAdapter')) { return }
        $path = "/containers/$($adapter.DockerId)/adapters/$($adapter.Id)"
        $null = Invoke-Engine $PSCmdlet DELETE $path -Target $adapter
        if ($Passthru) { $adapter }
      }
    }
  }
}

function Connect-ContainerNetworkAdapter {
  <#
  .SYNOPSIS
  Connects network adapters of stopped containers to a switch. One that is on another switch moves.
  .PARAMETER ContainerName
  Names of containers, as Get-Container takes them.
  .PARAMETER NetworkAdapter
  Adapters that Get-ContainerNetworkAdapter returned.
  .PARAMETER SwitchName
  The switch.
  .PARAMETER Name
  Which adapters of the containers; all by default.
  .PARAMETER Passthru
  Returns the adapters.
  .EXAMPLE
  Connect-ContainerNetworkAdapter -ContainerName DEMO -SwitchName NAT
  #>
  [CmdletBinding(SupportsShouldProcess, DefaultParameterSetName = 'Name')]
  [OutputType('Microsoft.Containers.PowerShell.Objects.ContainerNetworkAdapter')]
  param(
    [Parameter(Mandatory, Position = 0, ParameterSetName = 'Name')][SupportsWildcards()][ValidateNotNullOrEmpty()]
    [string[]]$ContainerName,
    [Parameter(Mandatory, Position = 0, ParameterSetName = 'Adapter', ValueFromPipeline)]
    [PSTypeName('Microsoft.Containers.PowerShell.Objects.ContainerNetworkAdapter')]
    [psobject[]]$NetworkAdapter,
    [Parameter(Mandatory, Position = 1)][ValidateNotNullOrEmpty()][string]$SwitchName,
    [Parameter(ParameterSetName = 'Name')][SupportsWildcards()][string]$Name,
    [switch]$Passthru
  )
  process {
    $switch = Invoke-Guarded $PSCmdlet { Resolve-OneVMSwitch $PSCmdlet $SwitchName }
    if (!$switch) { return }
    foreach ($adapter in Resolve-Adapter $PSCmdlet $ContainerName $null $NetworkAdapter $Name -Needed) {
      Invoke-Guarded $PSCmdlet {
        if (!$PSCmdlet.ShouldProcess("$adapter", "Connect-ContainerNetworkAdapter to $($switch.Name)")) { return }
        $now = Edit-Adapter $PSCmdlet $adapter @{ Switch = $switch.Name }
        if ($Passthru) { $now }
      }
    }
  }
}

function Disconnect-ContainerNetworkAdapter {
  <#
  .SYNOPSIS
  Takes network adapters of stopped containers off their switch. They keep their settings.
  .PARAMETER ContainerName
  Names of containers, as Get-Container takes them.
  .PARAMETER NetworkAdapter
  Adapters that Get-ContainerNetworkAdapter returned.
  .PARAMETER Name
  Which adapters of the containers; all by default.
  .PARAMETER Passthru
  Returns the adapters.
  .EXAMPLE
  Disconnect-ContainerNetworkAdapter DEMO
  #>
  [CmdletBinding(SupportsShouldProcess, DefaultParameterSetName = 'Name')]
  [OutputType('Microsoft.Containers.PowerShell.Objects.ContainerNetworkAdapter')]
  param(
    [Parameter(Mandatory, Position = 0, ParameterSetName = 'Name')][SupportsWildcards()][ValidateNotNullOrEmpty()]
    [string[]]$ContainerName,
    [Parameter(Mandatory, Position = 0, ParameterSetName = 'Adapter', ValueFromPipeline)]
    [PSTypeName('Microsoft.Containers.PowerShell.Objects.ContainerNetworkAdapter')]
    [psobject[]]$NetworkAdapter,
    [Parameter(Position = 1, ParameterSetName = 'Name')][SupportsWildcards()][string]$Name,
    [switch]$Passthru
  )
  process {
    foreach ($adapter in Resolve-Adapter $PSCmdlet $ContainerName $null $NetworkAdapter $Name) {
      Invoke-Guarded $PSCmdlet {
        if (!$PSCmdlet.ShouldProcess("$adapter", 'Disconnect-ContainerNetworkAdapter')) { return }
        $now = Edit-Adapter $PSCmdlet $adapter @{ Switch = '' }
        if ($Passthru) { $now }
      }
    }
  }
}
