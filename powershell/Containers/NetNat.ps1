# Owns address translation as PowerShell names it: Get-, New-NetNat and Add-NetNatStaticMapping. Here a NAT switch
# translates by itself, so there is little to do.

function Read-NetNat($Caller) {
  foreach ($switch in Read-VMSwitch $Caller) {
    if ($switch.SwitchType -eq 'NAT') {
      [pscustomobject]@{
        PSTypeName                       = 'Containers.NetNat'
        Name                             = $switch.Name
        InternalIPInterfaceAddressPrefix = $switch.NATSubnetAddress
        Active                           = $true
      }
    }
  }
}

function Get-NetNat {
  <#
  .SYNOPSIS
  Gets the address translations: one for each NAT switch.
  .PARAMETER Name
  Names; wildcards are allowed.
  .EXAMPLE
  Get-NetNat
  #>
  [CmdletBinding()]
  param([Parameter(Position = 0)][SupportsWildcards()][ValidateNotNullOrEmpty()][string[]]$Name = '*')
  Invoke-Guarded $PSCmdlet {
    $all = @(Read-NetNat $PSCmdlet)
    foreach ($one in $Name) {
      $found = @(foreach ($nat in $all) { if ($nat.Name -like $one) { $nat } })
      if ($found) { $found }
      elseif (![wildcardpattern]::ContainsWildcardCharacters($one)) {
        Invoke-Guarded $PSCmdlet {
          throw New-ContainerError "There is no address translation '$one'." NetNatNotFound ObjectNotFound $one
        }
      }
    }
  }
}

function New-NetNat {
  <#
  .SYNOPSIS
  Returns the translation of a subnet's NAT switch. There is nothing to make: a NAT switch brings its own.
  .PARAMETER Name
  The name; here it is the switch's.
  .PARAMETER InternalIPInterfaceAddressPrefix
  The switch's subnet.
  .EXAMPLE
  New-NetNat -Name NAT -InternalIPInterfaceAddressPrefix (Get-VMSwitch NAT).NATSubnetAddress
  #>
  [CmdletBinding(SupportsShouldProcess)]
  param(
    [Parameter(Mandatory)][ValidateNotNullOrEmpty()][string]$Name,
    [Parameter(Mandatory)][ValidateNotNullOrEmpty()][string]$InternalIPInterfaceAddressPrefix
  )
  Invoke-Guarded $PSCmdlet {
    foreach ($nat in Read-NetNat $PSCmdlet) {
      if ($nat.InternalIPInterfaceAddressPrefix -eq $InternalIPInterfaceAddressPrefix) { return $nat }
    }
    $message = "No NAT switch has the subnet $InternalIPInterfaceAddressPrefix. Make one: New-VMSwitch -Name " +
      "$Name -SwitchType NAT -NATSubnetAddress $InternalIPInterfaceAddressPrefix"
    throw New-ContainerError $message NetNatWithoutSwitch ObjectNotFound $InternalIPInterfaceAddressPrefix
  }
}

function Add-NetNatStaticMapping {
  <#
  .SYNOPSIS
  Says that ports can't be published yet.
  .PARAMETER NatName
  The translation.
  .PARAMETER Protocol
  TCP or UDP.
  .PARAMETER ExternalIPAddress
  The host's address.
  .PARAMETER ExternalPort
  The host's port.
  .PARAMETER InternalIPAddress
  The container's address.
  .PARAMETER InternalPort
  The container's port.
  .EXAMPLE
  Add-NetNatStaticMapping -NatName NAT -Protocol TCP -ExternalPort 80 -InternalIPAddress 172.16.0.2 -InternalPort 80
  #>
  [CmdletBinding(SupportsShouldProcess)]
  param(
    [Parameter(Mandatory)][string]$NatName,
    [Parameter(Mandatory)][ValidateSet('TCP', 'UDP')][string]$Protocol,
    [string]$ExternalIPAddress = '0.0.0.0',
    [Parameter(Mandatory)][ValidateRange(1, 65535)][int]$ExternalPort,
    [Parameter(Mandatory)][string]$InternalIPAddress,
    [Parameter(Mandatory)][ValidateRange(1, 65535)][int]$InternalPort
  )
  Invoke-Guarded $PSCmdlet {
    throw New-ContainerError 'Twofold does not have this yet: published ports.' NotImplemented NotImplemented $NatName
  }
}
