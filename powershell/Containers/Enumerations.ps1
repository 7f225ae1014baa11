# Owns the module's enumerations. They are emitted, not written as `enum`: PowerShell's own compiler of types would cost the import 40 ms more.

$script:Assembly = [Reflection.Emit.AssemblyBuilder]::DefineDynamicAssembly([Reflection.AssemblyName]::new('Containers.Enumerations'), 'Run').DefineDynamicModule('Containers')

# An enumeration of these words, from 0 on.
function New-Enumeration([string]$Name, [string[]]$Words) {
  $builder = $script:Assembly.DefineEnum($Name, 'Public', [int])
  $value = 0
  foreach ($word in $Words) { $null = $builder.DefineLiteral($word, $value++) }
  $builder.CreateType()
}

$script:ContainerState = New-Enumeration ContainerState Off, Running, Paused, Restarting, Removing, Failed, Removed
# Default and HyperV are the originals'. Process is ours: an engine's default may be either isolation.
$script:ContainerRuntimeType = New-Enumeration ContainerRuntimeType Default, HyperV, Process
$script:ComputeProcessType = New-Enumeration ComputeProcessType Container, VirtualMachine
