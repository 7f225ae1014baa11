# Owns Get-, New-, Remove- and Test-ContainerImage. Archives of images are ContainerImageArchive.ps1's.

function Get-ContainerImage {
  <#
  .SYNOPSIS
  Gets container images: the base (OS) images and those that were made from containers or imported.
  .PARAMETER Name
  Names in any case; wildcards are allowed, and match none without an error.
  .PARAMETER Publisher
  Only those of this publisher: Demo and CN=Demo are the same.
  .PARAMETER Version
  Only those of this version: 1.0 and 1.0.0.0 are the same.
  .PARAMETER ChildOf
  Only those that were made from containers of this image.
  .EXAMPLE
  Get-ContainerImage
  .EXAMPLE
  Get-ContainerImage -ChildOf (Get-ContainerImage nanoserver)
  #>
  [CmdletBinding()]
  [OutputType('Microsoft.Containers.PowerShell.Objects.ContainerImage')]
  param(
    [Parameter(Position = 0)][SupportsWildcards()][ValidateNotNullOrEmpty()][string[]]$Name = '*',
    [Parameter(Position = 1)][SupportsWildcards()][string]$Publisher,
    [Parameter(Position = 2)][SupportsWildcards()][string]$Version,
    [PSTypeName('Microsoft.Containers.PowerShell.Objects.ContainerImage')][psobject]$ChildOf
  )
  Invoke-Guarded $PSCmdlet {
    $all = @(Read-ContainerImage $PSCmdlet)
    if ($ChildOf) {
      $all = @(foreach ($image in $all) {
          if ($image.ParentImage -and $image.ParentImage.ImageId -eq $ChildOf.ImageId) { $image }
        })
    }
    foreach ($one in $Name) {
      $found = @(Select-ContainerImage $all $one $Publisher $Version)
      if ($found) { $found }
      elseif (![wildcardpattern]::ContainsWildcardCharacters("$one$Publisher$Version")) {
        Invoke-Guarded $PSCmdlet {
          $message = "There is no container image '$(("$Publisher $one $Version").Trim())'."
          throw New-ContainerError $message ContainerImageNotFound ObjectNotFound $one
        }
      }
    }
  }
}

function New-ContainerImage {
  <#
  .SYNOPSIS
  Makes an image of a stopped container: what it has written becomes a layer above its own image.
  .DESCRIPTION
  Docker sees it as publisher/name:version, in small letters.
  .PARAMETER ContainerName
  The container's name, as Get-Container takes it.
  .PARAMETER Container
  A container that Get-Container returned.
  .PARAMETER ContainerId
  The container's GUID.
  .PARAMETER Name
  The image's name.
  .PARAMETER Publisher
  Its publisher: Demo is shown as CN=Demo.
  .PARAMETER Version
  Its version: 1.0 is shown as 1.0.0.0.
  .PARAMETER AsJob
  Runs in the background and returns a job.
  .EXAMPLE
  New-ContainerImage -ContainerName DEMO -Name DemoImage -Publisher Demo -Version 1.0
  #>
  [CmdletBinding(SupportsShouldProcess, DefaultParameterSetName = 'Name')]
  [OutputType('Microsoft.Containers.PowerShell.Objects.ContainerImage')]
  param(
    [Parameter(Mandatory, Position = 0, ParameterSetName = 'Name')][ValidateNotNullOrEmpty()][string]$ContainerName,
    [Parameter(Mandatory, Position = 0, ParameterSetName = 'Container', ValueFromPipeline)]
    [PSTypeName('Microsoft.Containers.PowerShell.Objects.Container')]
    [psobject]$Container,
    [Parameter(Mandatory, ParameterSetName = 'Id')][ValidateNotNullOrEmpty()][string]$ContainerId,
    [Parameter(Mandatory, Position = 1)][ValidatePattern('^[a-zA-Z0-9]+([._-]+[a-zA-Z0-9]+)*$')][string]$Name,
    [Parameter(Mandatory, Position = 2)][ValidatePattern('^(CN=)?[a-zA-Z0-9]+([._-]+[a-zA-Z0-9]+)*$')]
    [string]$Publisher,
    [Parameter(Mandatory, Position = 3)][version]$Version,
    [switch]$AsJob
  )
  process {
    Invoke-Guarded $PSCmdlet {
      $one = Resolve-OneContainer $PSCmdlet $(if ($ContainerId) { $ContainerId } else { $ContainerName }) $Container
      if ($one.State -ne 'Off') {
        $message = "The container '$($one.Name)' is $($one.State): stop it before you make an image from it."
        throw New-ContainerError $message ContainerRunning InvalidOperation $one
      }
      $by = $Publisher -replace '^CN=', ''
      $tag = Expand-Version $Version
      if (!$PSCmdlet.ShouldProcess($one.Name, "New-ContainerImage $Name [CN=$by, $tag]")) { return }
      if ($AsJob) {
        $words = @{ ContainerId = $one.DockerId; Name = $Name; Publisher = $by; Version = $tag }
        return Start-ContainerJob New-ContainerImage $words
      }
      $repository = "$by/$Name".ToLowerInvariant()
      foreach ($image in Read-ContainerImage $PSCmdlet) {
        if ($image.Reference -eq "${repository}:$tag") {
          throw New-ContainerError "The image $image already exists." ContainerImageExists ResourceExists $image
        }
      }
      $query = @{
        container = $one.DockerId; repo = $repository; tag = $tag
        changes = @(
          "LABEL $script:TitleLabel=$Name"
          "LABEL $script:VendorLabel=$by"
          "LABEL $script:ParentLabel=$($one.ParentImageId)"
        )
      }
      $id = (Invoke-Engine $PSCmdlet POST "/commit$(Join-Query $query)" -Target $one).Id
      foreach ($image in Read-ContainerImage $PSCmdlet) { if ($image.ImageId -eq $id) { $image } }
    }
  }
}

# The images that a command is to work on. An error about one is the command's.
function Resolve-ContainerImage($Caller, [string]$Name, [string]$Publisher, [string]$Version, [psobject[]]$Image) {
  if ($Image) { return $Image }
  Invoke-Guarded $Caller {
    if ([wildcardpattern]::ContainsWildcardCharacters($Name)) {
      Select-ContainerImage @(Read-ContainerImage $Caller) $Name $Publisher $Version
    }
    else { Resolve-OneContainerImage $Caller $Name $Publisher $Version }
  }
}

function Remove-ContainerImage {
  <#
  .SYNOPSIS
  Removes images that no container depends on, running or not.
  .PARAMETER Name
  The image's name; wildcards are allowed.
  .PARAMETER Publisher
  Its publisher.
  .PARAMETER Version
  Its version.
  .PARAMETER Image
  Images that Get-ContainerImage returned.
  .PARAMETER Force
  Does not ask for confirmation. An image that is used is refused all the same.
  .EXAMPLE
  Remove-ContainerImage DemoImage -Force
  .EXAMPLE
  Get-ContainerImage -Publisher Demo | Remove-ContainerImage
  #>
  [CmdletBinding(SupportsShouldProcess, ConfirmImpact = 'High', DefaultParameterSetName = 'Name')]
  param(
    [Parameter(Mandatory, Position = 0, ParameterSetName = 'Name')][SupportsWildcards()][ValidateNotNullOrEmpty()]
    [string]$Name,
    [Parameter(Position = 1, ParameterSetName = 'Name')][string]$Publisher,
    [Parameter(Position = 2, ParameterSetName = 'Name')][string]$Version,
    [Parameter(Mandatory, Position = 0, ParameterSetName = 'Image', ValueFromPipeline)]
    [PSTypeName('Microsoft.Containers.PowerShell.Objects.ContainerImage')]
    [psobject[]]$Image,
    [switch]$Force
  )
  begin { if ($Force -and !$PSBoundParameters.ContainsKey('Confirm')) { $ConfirmPreference = 'None' } }
  process {
    foreach ($one in Resolve-ContainerImage $PSCmdlet $Name $Publisher $Version $Image) {
      Invoke-Guarded $PSCmdlet {
        if ($PSCmdlet.ShouldProcess("$one", 'Remove-ContainerImage')) {
          $null = Invoke-Engine $PSCmdlet DELETE "/images/$(ConvertTo-Segment $one.Reference)" -Target $one
        }
      }
    }
  }
}

function Test-ContainerImage {
  <#
  .SYNOPSIS
  Reads an image from end to end and reports whether it is whole.
  .PARAMETER Name
  The image's name; wildcards are allowed.
  .PARAMETER Publisher
  Its publisher.
  .PARAMETER Version
  Its version.
  .PARAMETER Image
  Images that Get-ContainerImage returned.
  .PARAMETER AsJob
  Runs in the background and returns a job.
  .EXAMPLE
  Get-ContainerImage | Test-ContainerImage
  #>
  [CmdletBinding(DefaultParameterSetName = 'Name')]
  [OutputType('Microsoft.Containers.PowerShell.Objects.ContainerImageReport')]
  param(
    [Parameter(Mandatory, Position = 0, ParameterSetName = 'Name')][SupportsWildcards()][ValidateNotNullOrEmpty()]
    [string]$Name,
    [Parameter(Position = 1, ParameterSetName = 'Name')][string]$Publisher,
    [Parameter(Position = 2, ParameterSetName = 'Name')][string]$Version,
    [Parameter(Mandatory, Position = 0, ParameterSetName = 'Image', ValueFromPipeline)]
    [PSTypeName('Microsoft.Containers.PowerShell.Objects.ContainerImage')]
    [psobject[]]$Image,
    [switch]$AsJob
  )
  process {
    foreach ($one in Resolve-ContainerImage $PSCmdlet $Name $Publisher $Version $Image) {
      if ($AsJob) { Start-ContainerJob Test-ContainerImage @{ Name = $one.Reference }; continue }
      $problem = ''
      try { Invoke-Engine $PSCmdlet GET "/images/$(ConvertTo-Segment $one.Reference)/get" -Target $one -OutFile '' }
      catch {
        if ($null -eq $_.Exception.Data['Containers']) { throw }
        $problem = $_.Exception.Message
      }
      [pscustomobject]@{
        PSTypeName = 'Microsoft.Containers.PowerShell.Objects.ContainerImageReport'
        Name = $one.Name; Publisher = $one.Publisher; Version = $one.Version
        IsValid = !$problem; Problem = $problem; Image = $one
      }
    }
  }
}
