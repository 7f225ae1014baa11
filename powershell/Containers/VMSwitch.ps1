# Owns virtual switches, which Docker calls networks: Get-, New-, Set- and Remove-VMSwitch.

function Read-VMSwitch($Caller) {
  foreach ($row in Invoke-Engine $Caller GET '/twofold/switches') {
    [pscustomobject]@{
      PSTypeName                     = 'Microsoft.HyperV.PowerShell.VMSwitch'
      Name                           = $row.Name
      SwitchType                     = $row.SwitchType
      # What an external switch would be bound to. There are none.
      NetAdapterInterfaceDescription = ''
      Id                             = ConvertTo-Guid $row.Id
      NATSubnetAddress               = $row.Subnet
      Gateway                        = $row.Gateway
      BridgeName                     = $row.Bridge
      BuiltIn                        = $row.BuiltIn
      NetworkId                      = $row.Id
    }
  }
}

# The one switch of that name (in any case), GUID or id of Docker's. Throws.
function Resolve-OneVMSwitch($Caller, [string]$Name) {
  foreach ($switch in Read-VMSwitch $Caller) {
    if ($switch.Name -eq $Name -or $switch.NetworkId -eq $Name -or "$($switch.Id)" -eq $Name) { return $switch }
  }
  $message = "There is no virtual switch with the name '$Name'. Get-VMSwitch lists those that are here."
  throw New-ContainerError $message VMSwitchNotFound ObjectNotFound $Name
}

# The switches of these names. An error about one name leaves the others.
function Resolve-VMSwitch($Caller, [string[]]$Name) {
  $all = Invoke-Guarded $Caller { , @(Read-VMSwitch $Caller) }
  foreach ($one in $Name) {
    Invoke-Guarded $Caller {
      $hits = @(foreach ($switch in $all) { if ($switch.Name -like $one) { $switch } })
      if ($hits -or [wildcardpattern]::ContainsWildcardCharacters($one)) { return $hits }
      throw New-ContainerError "There is no virtual switch with the name '$one'." VMSwitchNotFound ObjectNotFound $one
    }
  }
}

function Get-VMSwitch {
  <#
  .SYNOPSIS
  Gets the virtual switches that containers are connected to. Docker shows them as networks.
  .PARAMETER Name
  Names in any case; wildcards are allowed, and match none without an error.
  .PARAMETER SwitchType
  Only those of this type: NAT or Internal.
  .EXAMPLE
  Get-VMSwitch
  .EXAMPLE
  (Get-VMSwitch -Name "Virtual Switch").NATSubnetAddress
  #>
  [CmdletBinding()]
  [OutputType('Microsoft.HyperV.PowerShell.VMSwitch')]
  param(
    [Parameter(Position = 0, ValueFromPipeline)][Alias('SwitchName')][SupportsWildcards()][ValidateNotNullOrEmpty()]
    [string[]]$Name = '*',
    [ValidateSet('NAT', 'Internal', 'External', 'Private')][string]$SwitchType
  )
  process {
    foreach ($switch in Resolve-VMSwitch $PSCmdlet $Name) {
      if (!$SwitchType -or $switch.SwitchType -eq $SwitchType) { $switch }
    }
  }
}

function New-VMSwitch {
  <#
  .SYNOPSIS
  Makes a virtual switch. Docker shows it as a network.
  .PARAMETER Name
  Its name: letters, digits, spaces and _.-
  .PARAMETER SwitchType
  NAT: its containers reach the outside with the host's address. Internal: they reach each other and the host only.
  .PARAMETER NATSubnetAddress
  Its subnet, such as 172.16.0.0/24. Without it one of the engine's pool is taken.
  .PARAMETER NetAdapterName
  Refused: a switch that is bound to an adapter of the host (External) is not supported yet.
  .EXAMPLE
  New-VMSwitch -Name Lab -SwitchType NAT -NATSubnetAddress "172.30.0.0/24"
  #>
  [CmdletBinding(SupportsShouldProcess, DefaultParameterSetName = 'Type')]
  [OutputType('Microsoft.HyperV.PowerShell.VMSwitch')]
  param(
    [Parameter(Mandatory, Position = 0)][ValidateNotNullOrEmpty()][string]$Name,
    [Parameter(ParameterSetName = 'Type')][ValidateSet('NAT', 'Internal', 'Private')][string]$SwitchType = 'NAT',
    [ValidateNotNullOrEmpty()][string]$NATSubnetAddress,
    [Parameter(Mandatory, ParameterSetName = 'External')][string]$NetAdapterName
  )
  Invoke-Guarded $PSCmdlet {
    if ($NetAdapterName) {
      $message = 'Twofold does not have this yet: a switch on an adapter of the host (External).'
      throw New-ContainerError $message NotImplemented NotImplemented $NetAdapterName
    }
    if ($SwitchType -eq 'Private') {
      $message = 'Twofold does not have this yet: a switch that the host is not on (Private). Internal keeps the ' +
        'outside away.'
      throw New-ContainerError $message NotImplemented NotImplemented $Name
    }
    if (!$PSCmdlet.ShouldProcess($Name, 'New-VMSwitch')) { return }
    $body = @{ Name = $Name; Driver = 'bridge'; Internal = $SwitchType -eq 'Internal' }
    if ($NATSubnetAddress) { $body.IPAM = @{ Config = @(@{ Subnet = $NATSubnetAddress }) } }
    $made = Invoke-Engine $PSCmdlet POST '/networks/create' -Body $body -Target $Name
    foreach ($switch in Read-VMSwitch $PSCmdlet) { if ($switch.NetworkId -eq $made.Id) { $switch } }
  }
}

function Set-VMSwitch {
  <#
  .SYNOPSIS
  Says that a switch cannot be changed: remove it and make it again.
  .DESCRIPTION
  Type and subnet of a switch stay as they were made; addresses and rules of its containers depend on them. Asked for
  what a switch has already, it does nothing.
  .PARAMETER Name
  The switch's name.
  .PARAMETER SwitchType
  The type that it should have.
  .PARAMETER NATSubnetAddress
  The subnet that it should have.
  .EXAMPLE
  Set-VMSwitch -Name NAT -SwitchType NAT
  #>
  [CmdletBinding(SupportsShouldProcess)]
  param(
    [Parameter(Mandatory, Position = 0)][ValidateNotNullOrEmpty()][string]$Name,
    [ValidateSet('NAT', 'Internal', 'External', 'Private')][string]$SwitchType,
    [string]$NATSubnetAddress
  )
  Invoke-Guarded $PSCmdlet {
    $switch = Resolve-OneVMSwitch $PSCmdlet $Name
    $isOtherType = $SwitchType -and $SwitchType -ne $switch.SwitchType
    if ($isOtherType -or ($NATSubnetAddress -and $NATSubnetAddress -ne $switch.NATSubnetAddress)) {
      $message = "Twofold does not have this yet: changing a switch. Remove '$($switch.Name)' and make it again " +
        "(Remove-VMSwitch, New-VMSwitch)."
      throw New-ContainerError $message NotImplemented NotImplemented $switch
    }
  }
}

function Remove-VMSwitch {
  <#
  .SYNOPSIS
  Removes virtual switches that no running container is on. Those that came with the engine stay.
  .PARAMETER Name
  Names of switches; wildcards are allowed.
  .PARAMETER VMSwitch
  Switches that Get-VMSwitch returned.
  .PARAMETER Force
  Does not ask for confirmation.
  .EXAMPLE
  Remove-VMSwitch Lab -Force
  #>
  [CmdletBinding(SupportsShouldProcess, ConfirmImpact = 'High', DefaultParameterSetName = 'Name')]
  param(
    [Parameter(Mandatory, Position = 0, ParameterSetName = 'Name', ValueFromPipeline)][SupportsWildcards()]
    [ValidateNotNullOrEmpty()]
    [string[]]$Name,
    [Parameter(Mandatory, Position = 0, ParameterSetName = 'VMSwitch', ValueFromPipeline)]
    [PSTypeName('Microsoft.HyperV.PowerShell.VMSwitch')]
    [psobject[]]$VMSwitch,
    [switch]$Force
  )
  begin { if ($Force -and !$PSBoundParameters.ContainsKey('Confirm')) { $ConfirmPreference = 'None' } }
  process {
    $wanted = if ($VMSwitch) { $VMSwitch } else { Resolve-VMSwitch $PSCmdlet $Name }
    foreach ($switch in $wanted) {
      Invoke-Guarded $PSCmdlet {
        if ($PSCmdlet.ShouldProcess($switch.Name, 'Remove-VMSwitch')) {
          $null = Invoke-Engine $PSCmdlet DELETE "/networks/$($switch.NetworkId)" -Target $switch
        }
      }
    }
  }
}
