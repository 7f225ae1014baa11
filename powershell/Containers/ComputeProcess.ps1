# Owns the worker processes of utility VMs: Get- and Stop-ComputeProcess.

function Read-ComputeProcess($Caller) {
  foreach ($row in Invoke-Engine $Caller GET '/twofold/compute') {
    [pscustomobject]@{
      PSTypeName = 'Microsoft.HyperV.PowerShell.ComputeProcess'
      Id         = $row.Id
      Name       = $row.Name
      Owner      = $row.Owner
      Type       = ConvertTo-Enumeration ComputeProcessType $row.Type
      ProcessId  = $row.Pid
      UserName   = $row.User
    }
  }
}

function Get-ComputeProcess {
  <#
  .SYNOPSIS
  Gets the worker process of every Hyper-V container that runs, whoever made it. They are read from the running system.
  .PARAMETER Id
  Only those of the containers with these GUIDs.
  .PARAMETER Name
  Only those of containers with these names; wildcards are allowed.
  .PARAMETER Owner
  Only those of this owner.
  .PARAMETER Type
  Only those of this type.
  .EXAMPLE
  Get-ComputeProcess
  .EXAMPLE
  Get-Container | select -ExpandProperty ContainerId | % { Get-ComputeProcess -Id $_ }
  #>
  [CmdletBinding()]
  [OutputType('Microsoft.HyperV.PowerShell.ComputeProcess')]
  param(
    [Parameter(Position = 0, ValueFromPipelineByPropertyName)][Alias('ContainerId')][guid[]]$Id,
    [SupportsWildcards()][ValidateNotNullOrEmpty()][string[]]$Name,
    [SupportsWildcards()][ValidateNotNullOrEmpty()][string]$Owner = '*',
    [ValidateSet('Container', 'VirtualMachine')][string]$Type
  )
  process {
    Invoke-Guarded $PSCmdlet {
      foreach ($process in Read-ComputeProcess $PSCmdlet) {
        if ($Id -and $Id -notcontains [guid]$process.Id) { continue }
        if ($Name -and !@(foreach ($one in $Name) { if ($process.Name -like $one) { $true } })) { continue }
        if ($process.Owner -notlike $Owner -or ($Type -and $process.Type -ne $Type)) { continue }
        $process
      }
    }
  }
}

function Stop-ComputeProcess {
  <#
  .SYNOPSIS
  Ends the worker process of a Hyper-V container at once, as if its machine were switched off. The container is then
  off for every client.
  .PARAMETER Id
  The container's GUID.
  .PARAMETER ComputeProcess
  What Get-ComputeProcess returned.
  .PARAMETER Force
  Does not ask for confirmation.
  .EXAMPLE
  Stop-ComputeProcess -Id $con.ContainerId -Force
  .EXAMPLE
  Get-ComputeProcess -Name DEMO | Stop-ComputeProcess -Force
  #>
  [CmdletBinding(SupportsShouldProcess, ConfirmImpact = 'High', DefaultParameterSetName = 'Id')]
  param(
    [Parameter(Mandatory, Position = 0, ParameterSetName = 'Id')][guid[]]$Id,
    [Parameter(Mandatory, Position = 0, ParameterSetName = 'ComputeProcess', ValueFromPipeline)]
    [PSTypeName('Microsoft.HyperV.PowerShell.ComputeProcess')]
    [psobject[]]$ComputeProcess,
    [switch]$Force
  )
  begin { if ($Force -and !$PSBoundParameters.ContainsKey('Confirm')) { $ConfirmPreference = 'None' } }
  process {
    $ids = if ($ComputeProcess) { $ComputeProcess.Id } else { $Id }
    foreach ($one in $ids) {
      Invoke-Guarded $PSCmdlet {
        if (!$PSCmdlet.ShouldProcess($one, 'Stop-ComputeProcess')) { return }
        try { $null = Invoke-Engine $PSCmdlet POST "/twofold/compute/$one/stop" -Target $one }
        finally { Clear-ContainerRow }
      }
    }
  }
}
