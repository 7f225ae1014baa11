# Owns the engine as a host of containers: Get-ContainerHost, Move-ContainerImageRepository.

function Get-ContainerHost {
  <#
  .SYNOPSIS
  Gets this machine as a host of containers: where its images are, its default isolation, and how utility VMs run.
  .EXAMPLE
  Get-ContainerHost | Format-List *
  #>
  [CmdletBinding()]
  [OutputType('Microsoft.Containers.PowerShell.Objects.ContainerHost')]
  param()
  Invoke-Guarded $PSCmdlet {
    $info = Invoke-Engine $PSCmdlet GET '/info'
    [pscustomobject]@{
      PSTypeName                       = 'Microsoft.Containers.PowerShell.Objects.ContainerHost'
      Name                             = $info.Name
      ContainerImageRepositoryLocation = $info.DockerRootDir
      DefaultRuntimeType               = ConvertTo-Enumeration ContainerRuntimeType $info.Twofold.DefaultIsolation
      Accelerator                      = $info.Twofold.Accelerator
      Version                          = $info.ServerVersion
      Containers                       = $info.Containers
      ContainersRunning                = $info.ContainersRunning
      Images                           = $info.Images
    }
  }
}

function Move-ContainerImageRepository {
  <#
  .SYNOPSIS
  Says how the image repository is moved: not while the engine runs.
  .DESCRIPTION
  Images are in the engine's data root, which running containers use. Stop the engine (twofold down), move the data
  root, start it with --data-root.
  .PARAMETER Path
  The new place.
  .EXAMPLE
  Move-ContainerImageRepository -Path /srv/twofold
  #>
  [CmdletBinding(SupportsShouldProcess)]
  param([Parameter(Mandatory, Position = 0)][ValidateNotNullOrEmpty()][string]$Path)
  Invoke-Guarded $PSCmdlet {
    $message = "The image repository can't be moved while the engine runs: stop it (twofold down), move its data " +
      "root, and start it with --data-root $Path."
    throw New-ContainerError $message NotImplemented NotImplemented $Path
  }
}
