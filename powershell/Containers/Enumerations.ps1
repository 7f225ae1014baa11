# Owns the module's enumerations. They are emitted when the first value is wanted, not written as `enum`: PowerShell's
# own compiler of types would cost the import 50 ms more.

$script:Words = @{
  ContainerState       = 'Off', 'Running', 'Paused', 'Restarting', 'Removing', 'Failed', 'Removed'
  # Default and HyperV are the originals'. Process is ours: an engine's default may be either isolation.
  ContainerRuntimeType = 'Default', 'HyperV', 'Process'
  ComputeProcessType   = 'Container', 'VirtualMachine'
}
$script:Enumerations = $null

function New-Enumerations {
  $name = [Reflection.AssemblyName]::new('Containers.Enumerations')
  $assembly = [Reflection.Emit.AssemblyBuilder]::DefineDynamicAssembly($name, 'Run')
  $module = $assembly.DefineDynamicModule('Containers')
  $types = @{}
  foreach ($name in $script:Words.Keys) {
    $builder = $module.DefineEnum($name, 'Public', [int])
    $value = 0
    foreach ($word in $script:Words[$name]) { $null = $builder.DefineLiteral($word, $value++) }
    $types[$name] = $builder.CreateType()
  }
  $types
}

# The value of the enumeration $Name that $Word names, in any case.
function ConvertTo-Enumeration([string]$Name, [string]$Word) {
  if ($null -eq $script:Enumerations) { $script:Enumerations = New-Enumerations }
  [enum]::Parse($script:Enumerations[$Name], $Word, $true)
}
