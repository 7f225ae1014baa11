# Owns Tab: names of containers, images and switches behind the parameters that take them. Where no engine answers there is nothing to offer, and no error.

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

$containerCommands = 'Get-Container', 'Set-Container', 'Start-Container', 'Stop-Container', 'Remove-Container'
$adapterCommands = 'Add-ContainerNetworkAdapter', 'Get-ContainerNetworkAdapter', 'Set-ContainerNetworkAdapter', 'Remove-ContainerNetworkAdapter', 'Connect-ContainerNetworkAdapter', 'Disconnect-ContainerNetworkAdapter'
$sessionCommands = 'Enter-PSSession', 'New-PSSession', 'Invoke-Command'
$imageCommands = 'Get-ContainerImage', 'Remove-ContainerImage', 'Test-ContainerImage', 'Export-ContainerImage'

Register-ArgumentCompleter -CommandName $containerCommands -ParameterName Name -ScriptBlock { Get-Offer Container $args[2] }
Register-ArgumentCompleter -CommandName ($adapterCommands + $sessionCommands + 'New-ContainerImage') -ParameterName ContainerName -ScriptBlock { Get-Offer Container $args[2] }
Register-ArgumentCompleter -CommandName (@($sessionCommands) + 'New-ContainerImage') -ParameterName ContainerId -ScriptBlock { Get-Offer Guid $args[2] }
Register-ArgumentCompleter -CommandName Get-Container -ParameterName Id -ScriptBlock { Get-Offer Guid $args[2] }
Register-ArgumentCompleter -CommandName Get-ComputeProcess, Stop-ComputeProcess -ParameterName Id -ScriptBlock { Get-Offer Compute $args[2] }
Register-ArgumentCompleter -CommandName $imageCommands -ParameterName Name -ScriptBlock { Get-Offer Image $args[2] }
Register-ArgumentCompleter -CommandName New-Container -ParameterName ContainerImageName -ScriptBlock { Get-Offer Image $args[2] }
Register-ArgumentCompleter -CommandName Uninstall-ContainerOSImage -ParameterName ImageName -ScriptBlock { Get-Offer Image $args[2] }
Register-ArgumentCompleter -CommandName (@($adapterCommands) + 'New-Container') -ParameterName SwitchName -ScriptBlock { Get-Offer Switch $args[2] }
Register-ArgumentCompleter -CommandName Get-VMSwitch, Set-VMSwitch, Remove-VMSwitch -ParameterName Name -ScriptBlock { Get-Offer Switch $args[2] }
