# Owns images as files: Export- and Import-ContainerImage. The originals' .appx is a package of Windows; ours is the tar
# that docker save writes and docker load reads.

function Export-ContainerImage {
  <#
  .SYNOPSIS
  Writes images to files that Import-ContainerImage and docker load read: one tar for each, such as
  CN=Demo_DemoImage_1.0.0.0.tar.
  .PARAMETER Name
  The image's name; wildcards are allowed.
  .PARAMETER Publisher
  Its publisher.
  .PARAMETER Version
  Its version.
  .PARAMETER Image
  Images that Get-ContainerImage returned.
  .PARAMETER Path
  The directory for the files.
  .PARAMETER Passthru
  Returns the files.
  .PARAMETER AsJob
  Runs in the background and returns a job.
  .EXAMPLE
  Export-ContainerImage DemoImage -Path .
  #>
  [CmdletBinding(SupportsShouldProcess, DefaultParameterSetName = 'Name')]
  [OutputType([IO.FileInfo])]
  param(
    [Parameter(Mandatory, Position = 0, ParameterSetName = 'Name')][SupportsWildcards()][ValidateNotNullOrEmpty()]
    [string]$Name,
    [Parameter(ParameterSetName = 'Name')][string]$Publisher,
    [Parameter(ParameterSetName = 'Name')][string]$Version,
    [Parameter(Mandatory, Position = 0, ParameterSetName = 'Image', ValueFromPipeline)]
    [PSTypeName('Microsoft.Containers.PowerShell.Objects.ContainerImage')]
    [psobject[]]$Image,
    [Parameter(Mandatory, Position = 1)][ValidateNotNullOrEmpty()][string]$Path,
    [switch]$Passthru,
    [switch]$AsJob
  )
  process {
    foreach ($one in Resolve-ContainerImage $PSCmdlet $Name $Publisher $Version $Image) {
      Invoke-Guarded $PSCmdlet {
        $directory = $PSCmdlet.GetUnresolvedProviderPathFromPSPath($Path)
        if (![IO.Directory]::Exists($directory)) {
          throw New-ContainerError "The directory '$directory' does not exist." PathNotFound ObjectNotFound $Path
        }
        $parts = foreach ($part in $one.Publisher, $one.Name, [string]$one.Version) {
          if ($part) { $part.Replace('/', '-') }
        }
        $file = [IO.Path]::Combine($directory, "$($parts -join '_').tar")
        if ([IO.File]::Exists($file)) {
          throw New-ContainerError "The file '$file' already exists." FileExists ResourceExists $file
        }
        if (!$PSCmdlet.ShouldProcess("$one", "Export-ContainerImage to $file")) { return }
        if ($AsJob) {
          $words = @{ Name = $one.Reference; Path = $directory; Passthru = $Passthru }
          return Start-ContainerJob Export-ContainerImage $words
        }
        # The name appears when the file is whole.
        $partial = "$file.$PID.part"
        try {
          Invoke-Engine $PSCmdlet GET "/images/$(ConvertTo-Segment $one.Reference)/get" -Target $one -OutFile $partial
          [IO.File]::Move($partial, $file)
        }
        catch [IO.IOException], [UnauthorizedAccessException] {
          $message = "Could not write '$file': $($_.Exception.GetBaseException().Message)"
          throw New-ContainerError $message FileNotWritten WriteError $file -Cause $_.Exception
        }
        finally { [IO.File]::Delete($partial) }
        if ($Passthru) { [IO.FileInfo]::new($file) }
      }
    }
  }
}

# The file that is meant, opened by nobody yet. Throws.
function Resolve-ArchiveFile($Caller, [string]$Path) {
  $file = $Caller.GetUnresolvedProviderPathFromPSPath($Path)
  if (![IO.File]::Exists($file)) {
    throw New-ContainerError "The file '$file' does not exist." PathNotFound ObjectNotFound $Path
  }
  if ($file -match '\.(appx|wim|vhdx?)$') {
    $message = "'$file' is an image of Windows. Twofold takes tar archives: of docker save, of an OCI layout, or " +
      "of a root file system."
    throw New-ContainerError $message ArchiveNotSupported InvalidArgument $Path
  }
  $file
}

function Import-ContainerImage {
  <#
  .SYNOPSIS
  Brings in the images of archives that Export-ContainerImage or docker save wrote, or of an OCI layout.
  .PARAMETER Path
  The archives.
  .PARAMETER AsJob
  Runs in the background and returns a job.
  .EXAMPLE
  Import-ContainerImage ./CN=Demo_DemoImage_1.0.0.0.tar
  #>
  [CmdletBinding(SupportsShouldProcess)]
  [OutputType('Microsoft.Containers.PowerShell.Objects.ContainerImage')]
  param(
    [Parameter(Mandatory, Position = 0, ValueFromPipeline, ValueFromPipelineByPropertyName)][Alias('FullName')]
    [ValidateNotNullOrEmpty()]
    [string[]]$Path,
    [switch]$AsJob
  )
  process {
    foreach ($one in $Path) {
      Invoke-Guarded $PSCmdlet {
        $file = Resolve-ArchiveFile $PSCmdlet $one
        if (!$PSCmdlet.ShouldProcess($file, 'Import-ContainerImage')) { return }
        if ($AsJob) { return Start-ContainerJob Import-ContainerImage @{ Path = $file } }
        $loaded = foreach ($line in Invoke-Engine $PSCmdlet POST '/images/load' -InFile $file -Target $file) {
          if ($line.PSObject.Properties['error']) {
            throw New-ContainerError $line.error ImportFailed InvalidData $file
          }
          if ($line.stream -match '^Loaded image(?: ID)?: (\S+)') { $Matches[1] }
        }
        if (!$loaded) { throw New-ContainerError "'$file' contains no image." NoImageInArchive InvalidData $file }
        foreach ($image in Read-ContainerImage $PSCmdlet) { if ($image.Reference -in $loaded) { $image } }
      }
    }
  }
}
