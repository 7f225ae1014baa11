# Stand-ins for the standard commands that the engine lacks. A real pwsh has its own and never sees this file.
@{
    ModuleVersion = '7.0.0.0'
    GUID = 'b6f7c8d2-2b0a-4b43-8c0d-3f1d9e5a7c42'
    Author = 'Twofold'
    RootModule = '../../Twofold.PowerShell.Management.dll'
    CmdletsToExport = @(
        'Add-Content', 'Convert-Path', 'Get-ChildItem', 'Get-Content', 'Get-Item', 'Get-Location', 'Get-Process', 'Join-Path', 'New-Item', 'Pop-Location', 'Push-Location',
        'Remove-Item', 'Resolve-Path', 'Set-Content', 'Set-Location', 'Split-Path', 'Stop-Process', 'Test-Path', 'Wait-Process'
    )
    FunctionsToExport = @()
    AliasesToExport = @()
}
