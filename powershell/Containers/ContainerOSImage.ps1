# Owns Install- and Uninstall-ContainerOSImage: images that have no parent.

function Install-ContainerOSImage {
  <#
  .SYNOPSIS
  Makes a base image of a root file system's tar. It is named after the file.
  .DESCRIPTION
  The originals took a .wim of Windows, which is refused.
  .PARAMETER WimPath
  The tar, plain or compressed.
  .PARAMETER Force
  Replaces an image of that name. Containers of the old one keep it.
  .EXAMPLE
  Install-ContainerOSImage -WimPath ./debian.tar
  #>
  [CmdletBinding()]
  param(
    [Parameter(Mandatory, Position = 1)][Alias('Path')][ValidateNotNullOrEmpty()][string]$WimPath,
    [switch]$Force
  )
  Invoke-Guarded $PSCmdlet {
    $file = Resolve-ArchiveFile $PSCmdlet $WimPath
    $name = ([IO.Path]::GetFileName($file) -replace '\.(tar|tgz|tar\.\w+)$', '').ToLowerInvariant()
    if ($name -notmatch '^[a-z0-9]+([._-]+[a-z0-9]+)*$') {
      $message = "'$name' is not a valid image name: name the file with lowercase letters, digits and ._-"
      throw New-ContainerError $message InvalidImageName InvalidArgument $file
    }
    foreach ($image in Read-ContainerImage $PSCmdlet) {
      if (!$Force -and $image.Reference -eq "${name}:latest") {
        $message = "The image $image already exists. -Force replaces it."
        throw New-ContainerError $message ContainerImageExists ResourceExists $image
      }
    }
    $query = Join-Query @{ fromSrc = '-'; repo = $name; tag = 'latest' }
    $null = Invoke-Engine $PSCmdlet POST "/images/create$query" -InFile $file -Target $file
  }
}

function Uninstall-ContainerOSImage {
  <#
  .SYNOPSIS
  Removes a base image that no container and no other image depends on.
  .PARAMETER ImageName
  The image's name.
  .PARAMETER ContainerImage
  A base image that Get-ContainerImage returned.
  .PARAMETER FullName
  Publisher, name and version as one: CN=Twofold_NanoServer_latest.
  .PARAMETER Force
  Does not ask for confirmation.
  .EXAMPLE
  Uninstall-ContainerOSImage -ImageName debian -Force
  #>
  [CmdletBinding(SupportsShouldProcess, ConfirmImpact = 'High', DefaultParameterSetName = 'Name')]
  param(
    [Parameter(Mandatory, Position = 0, ParameterSetName = 'Name')][ValidateNotNullOrEmpty()][string]$ImageName,
    [Parameter(Mandatory, Position = 0, ParameterSetName = 'Image', ValueFromPipeline)]
    [PSTypeName('Microsoft.Containers.PowerShell.Objects.ContainerImage')]
    [psobject]$ContainerImage,
    [Parameter(Mandatory, ParameterSetName = 'FullName')][ValidateNotNullOrEmpty()][string]$FullName,
    [switch]$Force
  )
  begin { if ($Force -and !$PSBoundParameters.ContainsKey('Confirm')) { $ConfirmPreference = 'None' } }
  process {
    Invoke-Guarded $PSCmdlet {
      $image = if ($ContainerImage) { $ContainerImage }
      elseif ($ImageName) { Resolve-OneContainerImage $PSCmdlet $ImageName }
      else {
        @(foreach ($one in Read-ContainerImage $PSCmdlet) {
            if ("$($one.Publisher)_$($one.Name)_$($one.Version)" -eq $FullName) { $one }
          })[0]
      }
      if (!$image) {
        $message = "There is no container image '$FullName'."
        throw New-ContainerError $message ContainerImageNotFound ObjectNotFound $FullName
      }
      if (!$image.IsOSImage) {
        $message = "$image was made from a container: Remove-ContainerImage removes it."
        throw New-ContainerError $message NotAnOSImage InvalidArgument $image
      }
      if ($PSCmdlet.ShouldProcess("$image", 'Uninstall-ContainerOSImage')) {
        $null = Invoke-Engine $PSCmdlet DELETE "/images/$(ConvertTo-Segment $image.Reference)" -Target $image
      }
    }
  }
}
