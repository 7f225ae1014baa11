# Owns the order in which the module's parts are read. Parts, by noun; what they share is in Engine.ps1 (HTTP) and
# Errors.ps1.

Set-StrictMode -Version 3

$parts = @(
  'Errors', 'Enumerations', 'Engine', 'Job'
  'ContainerObject', 'Container', 'ContainerLife'
  'ContainerImageObject', 'ContainerImage', 'ContainerImageArchive', 'ContainerOSImage', 'ContainerHost'
  'VMSwitch', 'NetNat', 'ContainerNetworkAdapter', 'ComputeProcess'
  'SessionBridge', 'SessionOpening', 'Sessions', 'Processes', 'Completion'
)
foreach ($part in $parts) { . ([IO.Path]::Combine($PSScriptRoot, "$part.ps1")) }
