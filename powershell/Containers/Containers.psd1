@{
  RootModule           = 'Containers.psm1'
  ModuleVersion        = '0.1.0'
  GUID                 = '2d1c1c8e-6d0b-4a55-9b0e-6f3a4b3d7c51'
  Author               = 'The Twofold authors'
  CompanyName          = 'Twofold'
  Copyright            = '(c) The Twofold authors. Licensed under the Apache License 2.0.'
  Description          = 'Containers of a Twofold engine, in the words of the container preview of Windows Server 2016.'
  PowerShellVersion    = '7.4'
  CompatiblePSEditions = @('Core')
  TypesToProcess       = @('Containers.types.ps1xml', 'Processes.types.ps1xml')
  FormatsToProcess     = @('Containers.format.ps1xml')
  FunctionsToExport    = @(
    'Get-Container', 'New-Container', 'Set-Container', 'Start-Container', 'Stop-Container', 'Remove-Container',
    'Get-ContainerImage', 'New-ContainerImage', 'Remove-ContainerImage', 'Test-ContainerImage',
    'Export-ContainerImage', 'Import-ContainerImage', 'Install-ContainerOSImage', 'Uninstall-ContainerOSImage',
    'Move-ContainerImageRepository', 'Get-ContainerHost',
    'Add-ContainerNetworkAdapter', 'Get-ContainerNetworkAdapter', 'Set-ContainerNetworkAdapter',
    'Remove-ContainerNetworkAdapter', 'Connect-ContainerNetworkAdapter', 'Disconnect-ContainerNetworkAdapter',
    'Get-VMSwitch', 'New-VMSwitch', 'Set-VMSwitch', 'Remove-VMSwitch',
    'Get-NetNat', 'New-NetNat', 'Add-NetNatStaticMapping',
    'Get-ComputeProcess', 'Stop-ComputeProcess',
    'Enter-PSSession', 'New-PSSession', 'Invoke-Command'
  )
  CmdletsToExport      = @()
  VariablesToExport    = @()
  AliasesToExport      = @()
  # No URI of a project or an icon: none is known that is true.
  PrivateData          = @{
    PSData = @{
      Tags                       = @(
        'Containers', 'Docker', 'HyperV', 'Isolation', 'Virtualization', 'MicroVM', 'Remoting', 'Linux'
        'PSEdition_Core'
      )
      LicenseUri                 = 'https://www.apache.org/licenses/LICENSE-2.0'
      RequireLicenseAcceptance   = $false
      ExternalModuleDependencies = @()
      ReleaseNotes               = @'
0.1.0: the first version. Containers, images, network adapters, switches and worker processes of a Twofold engine;
conversion between the two isolations; sessions in containers of both. about_Containers tells how to begin.
'@
    }
  }
}
