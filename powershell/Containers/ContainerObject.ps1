# Owns the container as an object: what of the engine's list it shows, how it stays true, and how names, ids and
# prefixes become containers.
#
# State, Uptime, RuntimeType and Isolation are read when they are asked for. One list of the engine answers for all
# objects: it is asked for anew when it is older than $freshMs, or when a command of this module has changed something,
# so that a table of 1,000 containers costs one request and `$con.State` is what is so. Questions that follow each other
# within $lookMs are one look, such as a table that is being printed: it is not disturbed for up to $longestLookMs.

$script:freshMs = 250
$script:lookMs = 30
$script:longestLookMs = 1000
$script:Rows = $null
$script:RowsTakenAtMs = 0
$script:RowsAskedAtMs = 0

# The engine's words for what the originals call states; `removed` is what it doesn't know any more.
$script:StateOf = @{
  created = 'Off'; exited = 'Off'; running = 'Running'; paused = 'Paused'; restarting = 'Restarting'
  removing = 'Removing'; dead = 'Failed'; removed = 'Removed'
}

# Every container of the engine, newest first; by id in $script:Rows. Takes from the answer what is shown: whole objects
# of it would cost four times as much.
function Read-ContainerRow($Caller) {
  $answer = [Text.Json.JsonDocument]::Parse((Invoke-Engine $Caller GET '/containers/json?all=1' -AsText))
  $rows = [Collections.Generic.Dictionary[string, object]]::new()
  foreach ($item in $answer.RootElement.EnumerateArray()) {
    $ours = $item.GetProperty('Twofold')
    $id = $item.GetProperty('Id').GetString()
    $rows[$id] = [pscustomobject]@{
      Id          = $id
      Name        = $item.GetProperty('Names')[0].GetString().Substring(1)
      Image       = $item.GetProperty('Image').GetString()
      ImageId     = $item.GetProperty('ImageID').GetString()
      Created     = $item.GetProperty('Created').GetInt64()
      State       = $item.GetProperty('State').GetString()
      RuntimeType = $ours.GetProperty('RequestedIsolation').GetString()
      Isolation   = $ours.GetProperty('Isolation').GetString()
      StartedAt   = $ours.GetProperty('StartedAt').GetString()
    }
  }
  $answer.Dispose()
  $script:Rows = $rows
  $script:RowsTakenAtMs = $script:RowsAskedAtMs = [Environment]::TickCount64
  $rows.Values
}

# After every change: what was read before is no longer so.
function Clear-ContainerRow { $script:Rows = $null }

function Get-LiveRow([string]$Id) {
  $now = [Environment]::TickCount64
  $age = $now - $script:RowsTakenAtMs
  $sameLook = $now - $script:RowsAskedAtMs -le $script:lookMs
  if ($null -eq $script:Rows -or $age -gt $script:longestLookMs -or ($age -gt $script:freshMs -and !$sameLook)) {
    $null = Read-ContainerRow
  }
  $script:RowsAskedAtMs = [Environment]::TickCount64
  $row = $null
  if ($script:Rows.TryGetValue($Id, [ref]$row)) { $row }
}

function ConvertTo-Guid([string]$Id) { [guid]::ParseExact($Id.Substring(0, 32), 'N') }

# Script blocks that are made here run in this module, wherever an object is asked.
function New-ContainerTemplate {
  # The engine's words, as values: a table asks for thousands.
  $script:States = @{}
  foreach ($word in $script:StateOf.Keys) {
    $script:States[$word] = ConvertTo-Enumeration ContainerState $script:StateOf[$word]
  }
  $script:RuntimeTypes = @{}
  foreach ($word in 'default', 'hyperv', 'process') {
    $script:RuntimeTypes[$word] = ConvertTo-Enumeration ContainerRuntimeType $word
  }
  $object = [psobject]::new()
  $object.PSObject.TypeNames.Insert(0, 'Microsoft.Containers.PowerShell.Objects.Container')
  foreach ($name in 'Name', 'ContainerId', 'ParentImageName', 'ParentImageId', 'Created', 'DockerId') {
    $object.PSObject.Properties.Add([psnoteproperty]::new($name, $null))
  }
  $live = [ordered]@{
    State       = { $row = Get-LiveRow $this.DockerId; $script:States[$(if ($row) { $row.State } else { 'removed' })] }
    Uptime      = {
      $row = Get-LiveRow $this.DockerId
      if (!$row -or !$row.StartedAt) { return [timespan]::Zero }
      $passed = [datetime]::UtcNow - ([datetime]$row.StartedAt).ToUniversalTime()
      [timespan]::FromSeconds([math]::Max(0, [math]::Floor($passed.TotalSeconds)))
    }
    RuntimeType = { $row = Get-LiveRow $this.DockerId; if ($row) { $script:RuntimeTypes[$row.RuntimeType] } }
    Isolation   = { $row = Get-LiveRow $this.DockerId; if ($row) { $row.Isolation } }
  }
  foreach ($name in $live.Keys) { $object.PSObject.Properties.Add([psscriptproperty]::new($name, $live[$name])) }
  $object
}

# What images are called: a thousand containers have few of them.
$script:ImageNames = [Collections.Generic.Dictionary[string, string]]::new()
$script:ContainerTemplate = $null

# One loop for all of them: a call for each would cost more than its work.
function ConvertTo-Container($Rows) {
  if ($null -eq $script:ContainerTemplate) { $script:ContainerTemplate = New-ContainerTemplate }
  foreach ($row in $Rows) {
    $container = $script:ContainerTemplate.PSObject.Copy()
    $container.Name = $row.Name
    $container.ContainerId = [guid]::ParseExact($row.Id.Substring(0, 32), 'N')
    $image = $null
    if (!$script:ImageNames.TryGetValue($row.Image, [ref]$image)) {
      $script:ImageNames[$row.Image] = $image = ConvertTo-ImageName $row.Image
    }
    $container.ParentImageName = $image
    $container.ParentImageId = $row.ImageId
    $container.Created = [datetimeoffset]::FromUnixTimeSeconds($row.Created).LocalDateTime
    $container.DockerId = $row.Id
    # What is made of a list and shown is one look at it.
    $script:RowsAskedAtMs = [Environment]::TickCount64
    $container
  }
}

# What $Reference means, as elements of $Rows: names first, without regard to case (the exact one before others) and
# with wildcards, of which none may fit; then an id, a GUID in any form or a unique prefix, which the engine knows best.
# Throws what it says.
function Find-ContainerRow($Caller, [string]$Reference, $Rows) {
  if ($Reference -eq '*') { return $Rows }
  if ([wildcardpattern]::ContainsWildcardCharacters($Reference)) {
    $pattern = [wildcardpattern]::new($Reference, 'IgnoreCase')
    foreach ($row in $Rows) { if ($pattern.IsMatch($row.Name)) { $row } }
    return
  }
  $named = @(foreach ($row in $Rows) { if ($row.Name -eq $Reference) { $row } })
  $exact = @(foreach ($row in $named) { if ($row.Name -ceq $Reference) { $row } })
  if ($exact) { return $exact }
  if ($named) { return $named }
  $guid = [guid]::Empty
  if ([guid]::TryParse($Reference, [ref]$guid)) { $Reference = $guid.ToString('N') }
  if ($Reference -notmatch '^[0-9a-fA-F-]+$') {
    $message = "There is no container with the name '$Reference'."
    throw New-ContainerError $message ContainerNotFound ObjectNotFound $Reference
  }
  $id = (Invoke-Engine $Caller GET "/containers/$(ConvertTo-Segment $Reference)/json" -Target $Reference).Id
  foreach ($row in $Rows) { if ($row.Id -eq $id) { return $row } }
}

# The containers that a command is to work on: its objects as they are, or what its names mean. An error about one name
# leaves the others.
function Resolve-Container($Caller, [string[]]$Name, [psobject[]]$Container) {
  if ($Container) { return $Container }
  $rows = Invoke-Guarded $Caller { , @(Read-ContainerRow $Caller) }
  foreach ($one in $Name) {
    Invoke-Guarded $Caller { ConvertTo-Container (Find-ContainerRow $Caller $one $rows) }
  }
}

# One container for commands that take exactly one. Throws.
function Resolve-OneContainer($Caller, [string]$Name, [psobject]$Container) {
  if ($Container) { return $Container }
  $found = @(Find-ContainerRow $Caller $Name @(Read-ContainerRow $Caller))
  if ($found.Count -eq 1) { return ConvertTo-Container $found[0] }
  if ($found.Count -eq 0) {
    throw New-ContainerError "There is no container with a name like '$Name'." ContainerNotFound ObjectNotFound $Name
  }
  $message = "'$Name' matches $($found.Count) containers: name one."
  throw New-ContainerError $message AmbiguousContainerName InvalidArgument $Name
}

# A container as it is now, for good: what a job gives, whose runspace has ended when somebody looks at it.
function ConvertTo-StillContainer($Object) {
  if ($Object.PSObject.TypeNames[0] -ne 'Microsoft.Containers.PowerShell.Objects.Container') { return $Object }
  $still = [psobject]::new()
  $still.PSObject.TypeNames.Insert(0, $Object.PSObject.TypeNames[0])
  foreach ($property in $Object.PSObject.Properties) {
    if ($property.MemberType -ne 'AliasProperty') {
      $still.PSObject.Properties.Add([psnoteproperty]::new($property.Name, $property.Value))
    }
  }
  $still
}
