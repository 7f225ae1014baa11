# Stand-ins for the standard commands that the engine lacks. A real pwsh has its own and never sees this file.
@{
    ModuleVersion = '7.0.0.0'
    GUID = '5d2f0b0a-5a6b-4f49-9d3e-0a2f6c1b7e11'
    Author = 'Twofold'
    RootModule = '../../Twofold.PowerShell.Utility.dll'
    CmdletsToExport = @(
        'Add-Member', 'ConvertFrom-Json', 'ConvertTo-Json', 'Format-List', 'Format-Table', 'Get-Alias', 'Get-Date', 'Get-Member', 'Get-Variable', 'Group-Object',
        'Measure-Command', 'Measure-Object', 'New-Guid', 'New-Object', 'Out-File', 'Out-String', 'Read-Host', 'Select-Object', 'Set-Alias', 'Set-Variable', 'Sort-Object',
        'Start-Sleep', 'Tee-Object', 'Write-Debug', 'Write-Error', 'Write-Host', 'Write-Information', 'Write-Output', 'Write-Progress', 'Write-Verbose', 'Write-Warning'
    )
    FunctionsToExport = @()
    AliasesToExport = @()
}
