# Owns the image as an object: name, publisher and version out of Docker's references and labels, and how names become
# images.
#
# Docker's names have no capitals, no publisher and no version. So: an image `demo/iis:1.0.0.0` is IIS of CN=Demo,
# version 1.0.0.0, where its labels spell them so (New-ContainerImage sets them), and iis of CN=demo otherwise. A tag
# that is no version (latest) is told as it is.

$script:TitleLabel = 'org.opencontainers.image.title'
$script:VendorLabel = 'org.opencontainers.image.vendor'
# An image that was exported and brought in again has lost its parent in the engine's books: New-ContainerImage notes
# it.
$script:ParentLabel = 'io.twofold.image.parent'
# As the walkthrough spells the base images.
$script:BaseNames = @{ nanoserver = 'NanoServer'; windowsservercore = 'WindowsServerCore' }

# `library/demo/iis:1.0` as a list: publisher, name, tag.
function Split-Reference([string]$Reference) {
  $colon = $Reference.LastIndexOf(':')
  $repository, $tag = if ($colon -gt $Reference.LastIndexOf('/')) {
    $Reference.Substring(0, $colon), $Reference.Substring($colon + 1)
  }
  else { $Reference, 'latest' }
  $slash = $repository.LastIndexOf('/')
  if ($slash -lt 0) { '', $repository, $tag }
  else { $repository.Substring(0, $slash), $repository.Substring($slash + 1), $tag }
}

# What a container calls its image, as Get-ContainerImage would: without tag `latest`, the base images as they are
# spelt.
function ConvertTo-ImageName([string]$Reference) {
  if ($Reference.StartsWith('sha256:', [StringComparison]::Ordinal)) { return $Reference.Substring(7, 12) }
  $null, $name, $null = Split-Reference $Reference
  if ($script:BaseNames.ContainsKey($name)) { $script:BaseNames[$name] } else { $name }
}

function ConvertTo-ImageVersion([string]$Tag) {
  $version = $null
  if ([version]::TryParse($Tag, [ref]$version)) { $version } else { $Tag }
}

function Get-Label($Row, [string]$Name) {
  $label = if ($Row.Labels) { $Row.Labels.PSObject.Properties[$Name] }
  if ($label) { [string]$label.Value } else { '' }
}

# Every image under each of its names; those that have none under their id.
function Read-ContainerImage($Caller) {
  $rows = Invoke-Engine $Caller GET '/images/json'
  $byId = @{}
  foreach ($row in $rows) { $byId[$row.Id] = $row }
  foreach ($row in $rows) {
    if ($row.RepoTags) { foreach ($reference in $row.RepoTags) { ConvertTo-ContainerImage $row $reference $byId } }
    else { ConvertTo-ContainerImage $row '' $byId }
  }
}

function ConvertTo-ContainerImage($Row, [string]$Reference, [hashtable]$ById) {
  $publisher, $name, $tag = if ($Reference) { Split-Reference $Reference } else { '', $Row.Id.Substring(7, 12), '' }
  $parentId = if ($Row.ParentId) { $Row.ParentId } else { Get-Label $Row $script:ParentLabel }
  $base = !$parentId
  $title = Get-Label $Row $script:TitleLabel
  $vendor = Get-Label $Row $script:VendorLabel
  $isBuiltIn = $base -and $script:BaseNames.ContainsKey($name)
  $shown = if ($isBuiltIn) { $script:BaseNames[$name] } elseif ($title -eq $name) { $title } else { $name }
  $by = if ($vendor -and ($vendor -eq $publisher -or !$publisher)) { $vendor }
  elseif ($publisher) { $publisher }
  elseif ($isBuiltIn) { 'Twofold' }
  else { '' }
  $parent = if (!$base -and $ById.ContainsKey($parentId)) {
    $above = $ById[$parentId]
    ConvertTo-ContainerImage $above $(if ($above.RepoTags) { $above.RepoTags[0] } else { '' }) $ById
  }
  [pscustomobject]@{
    PSTypeName  = 'Microsoft.Containers.PowerShell.Objects.ContainerImage'
    Name        = $shown
    Publisher   = if ($by) { "CN=$by" } else { '' }
    Version     = ConvertTo-ImageVersion $tag
    IsOSImage   = $base
    ParentImage = $parent
    Reference   = if ($Reference) { $Reference } else { $Row.Id }
    ImageId     = $Row.Id
    Size        = $Row.Size
    Created     = [datetimeoffset]::FromUnixTimeSeconds($Row.Created).LocalDateTime
  }
}

# `Demo`, `CN=Demo` and `cn=demo` are the same publisher.
function Test-Publisher([string]$Publisher, [string]$Wanted) {
  $Publisher -like $Wanted -or $Publisher -like "CN=$Wanted"
}

# 1.0 is 1.0.0.0, as the originals list it.
function Test-ImageVersion($Version, [string]$Wanted) {
  $asked = ConvertTo-ImageVersion $Wanted
  if ($Version -is [version] -and $asked -is [version]) { (Expand-Version $Version) -eq (Expand-Version $asked) }
  else { [string]$Version -like $Wanted }
}

function Expand-Version([version]$Version) {
  [version]::new($Version.Major, $Version.Minor, [math]::Max(0, $Version.Build), [math]::Max(0, $Version.Revision))
}

function Select-ContainerImage($Images, [string]$Name, [string]$Publisher, [string]$Version) {
  foreach ($image in $Images) {
    if ($Name -and $image.Name -notlike $Name) { continue }
    if ($Publisher -and !(Test-Publisher $image.Publisher $Publisher)) { continue }
    if ($Version -and !(Test-ImageVersion $image.Version $Version)) { continue }
    $image
  }
}

# The one image that name, publisher and version mean; a reference or an id of Docker's will do as a name. Throws.
function Resolve-OneContainerImage($Caller, [string]$Name, [string]$Publisher, [string]$Version) {
  $images = @(Read-ContainerImage $Caller)
  $found = @(Select-ContainerImage $images $Name $Publisher $Version)
  if (!$found -and !$Publisher -and !$Version) {
    $found = @(foreach ($image in $images) { if ($image.Reference -eq $Name) { $image } })
  }
  if (!$found -and !$Publisher -and !$Version -and $Name -match '^(sha256:)?[0-9a-fA-F]+$') {
    $id = (Invoke-Engine $Caller GET "/images/$(ConvertTo-Segment $Name)/json" -Target $Name).Id
    $found = @(foreach ($image in $images) { if ($image.ImageId -eq $id) { $image; break } })
  }
  if (!$found) {
    $message = "There is no container image '$(("$Publisher $Name $Version").Trim())'. Get-ContainerImage lists " +
      "those that are here."
    throw New-ContainerError $message ContainerImageNotFound ObjectNotFound $Name
  }
  $names = [ordered]@{}
  foreach ($image in $found) { $names["$($image.Publisher)/$($image.Name)"] = $true }
  if ($names.Count -gt 1) {
    $message = "'$Name' matches $($names.Count) images ($(@($names.Keys) -join ', ')): name one, or its publisher."
    throw New-ContainerError $message AmbiguousContainerImage InvalidArgument $Name
  }
  $best = $found[0]
  foreach ($image in $found) {
    if ($image.Version -is [string]) { if ($image.Version -eq 'latest') { return $image } }
    elseif ($best.Version -is [string] -or $image.Version -gt $best.Version) { $best = $image }
  }
  $best
}
