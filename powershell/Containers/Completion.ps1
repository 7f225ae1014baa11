# Owns Tab: names of containers, images and switches behind the parameters that take them. Where no engine answers there
# is nothing to offer, and no error.

$script:Offers = @{
  Container = { foreach ($row in Read-ContainerRow) { $row.Name } }
  Guid      = { foreach ($row in Read-ContainerRow) { [string](ConvertTo-Guid $row.Id) } }
  Image     = { foreach ($image in Read-ContainerImage) { $image.Name } }
  Switch    = { foreach ($switch in Read-VMSwitch) { $switch.Name } }
  Compute   = { foreach ($process in Read-ComputeProcess) { $process.Id } }
}

# Completions of $Word, each once, quoted where a word of PowerShell needs it.
function Get-Offer([string]$What, [string]$Word) {
  $start = [wildcardpattern]::Escape($Word.Trim('''"'))
  $names = try { & $script:Offers[$What] } catch { return }
  $seen = [Collections.Generic.HashSet[string]]::new([StringComparer]::OrdinalIgnoreCase)
  foreach ($name in $names) {
    if ($name -notlike "$start*" -or !$seen.Add($name)) { continue }
    $text = if ($name -match '^[\w.-]+$') { $name } else { "'$($name.Replace('''', ''''''))'" }
    [Management.Automation.CompletionResult]::new($text, $name, 'ParameterValue', $name)
  }
}

# What is offered, for which parameter, of which commands.
$container = 'Get-Container', 'Set-Container', 'Start-Container', 'Stop-Container', 'Remove-Container'
$adapter = 'Add', 'Get', 'Set', 'Remove', 'Connect', 'Disconnect' | ForEach-Object { "$_-ContainerNetworkAdapter" }
$session = 'Enter-PSSession', 'New-PSSession', 'Invoke-Command'
$image = 'Get-ContainerImage', 'Remove-ContainerImage', 'Test-ContainerImage', 'Export-ContainerImage'
$offered = @(
  , ('Container', 'Name', $container)
  , ('Container', 'ContainerName', ($adapter + $session + 'New-ContainerImage'))
  , ('Guid', 'ContainerId', ($session + 'New-ContainerImage'))
  , ('Guid', 'Id', 'Get-Container')
  , ('Compute', 'Id', ('Get-ComputeProcess', 'Stop-ComputeProcess'))
  , ('Image', 'Name', $image)
  , ('Image', 'ContainerImageName', 'New-Container')
  , ('Image', 'ImageName', 'Uninstall-ContainerOSImage')
  , ('Switch', 'SwitchName', ($adapter + 'New-Container'))
  , ('Switch', 'Name', ('Get-VMSwitch', 'Set-VMSwitch', 'Remove-VMSwitch'))
)
foreach ($entry in $offered) {
  $what, $parameter, $commands = $entry
  $offer = $executionContext.SessionState.Module.NewBoundScriptBlock([scriptblock]::Create("Get-Offer $what `$args[2]"))
  Register-ArgumentCompleter -CommandName $commands -ParameterName $parameter -ScriptBlock $offer
}
