# The examples in the help of every command, run as they are written there, in a world that has what they name. In
# their order in the help, one after the other; what an example needs is made before it.

param([string]$Module, [string]$Directory)

BeforeDiscovery {
  Import-Module $Module
  $examples = foreach ($command in Get-Command -Module Containers) {
    $number = 0
    foreach ($example in (Get-Help "Containers\$($command.Name)" -Full).examples.example) {
      @{ Name = $command.Name; Number = ++$number; Text = $example.code }
    }
  }
  $commands = (Get-Command -Module Containers).Name | ForEach-Object { @{ Name = $_ } }
}

BeforeAll {
  Import-Module $Module
  Set-Location $Directory
  # What is refused until it is there says so.
  $script:refused = 'Add-NetNatStaticMapping', 'Move-ContainerImageRepository'
  # A prompt is needed; prompt.test.ts and sessions.test.ts have one.
  $script:typed = 'Enter-PSSession'

  function New-World {
    docker ps --all --quiet | ForEach-Object { $null = docker rm --force $_ }
    Get-ContainerImage | Where-Object { !$_.IsOSImage } | Remove-ContainerImage -Force
    Get-ContainerImage debian* | Remove-ContainerImage -Force
    Get-VMSwitch Lab* | Remove-VMSwitch -Force
    Remove-Item *.tar
    $null = New-Container WEB1 -ContainerImageName nanoserver -SwitchName NAT
    $null = New-Container WEB2 -ContainerImageName nanoserver -SwitchName NAT
    New-Container DEMO -ContainerImageName nanoserver -SwitchName NAT
  }
  function New-DemoImage { New-ContainerImage DEMO -Name DemoImage -Publisher Demo -Version 1.0 }
  # What an example names, beyond DEMO (off), WEB1, WEB2 and $con.
  $script:needed = @{
    'New-Container 2'            = { docker rm DEMO }
    'Get-Container 2'            = { Start-Container WEB1, WEB2 }
    'Stop-Container 1'           = { Start-Container WEB1 }
    'Stop-Container 2'           = { Start-Container DEMO }
    'Stop-ComputeProcess 1'      = { Set-Container DEMO -RuntimeType HyperV; Start-Container DEMO }
    'Stop-ComputeProcess 2'      = { Set-Container DEMO -RuntimeType HyperV; Start-Container DEMO }
    'Remove-ContainerImage 1'    = { New-DemoImage }
    'Remove-ContainerImage 2'    = { New-DemoImage }
    'Export-ContainerImage 1'    = { New-DemoImage }
    'Import-ContainerImage 1'    = {
      New-DemoImage | Export-ContainerImage -Path .
      Remove-ContainerImage DemoImage -Force
    }
    'Install-ContainerOSImage 1' = { docker export --output debian.tar DEMO }
    'Uninstall-ContainerOSImage 1' = {
      docker export --output debian.tar DEMO
      Install-ContainerOSImage ./debian.tar
    }
    'Remove-VMSwitch 1'          = { New-VMSwitch Lab }
    'New-PSSession 1'            = { Start-Container DEMO }
    'Invoke-Command 1'           = { Start-Container WEB1, WEB2 }
  }
}

Describe 'the help' {
  It '<Name> has a synopsis and examples that name it' -ForEach $commands {
    $help = Get-Help "Containers\$Name" -Full
    $help.Synopsis | Should -Match '\w'
    "$($help.examples.example.code)" | Should -Match $Name
  }
}

Describe 'the examples' {
  It '<Name> <Number>: <Text>' -ForEach $examples {
    if ($Name -in $typed) { return Set-ItResult -Skipped -Because 'it is typed at a prompt' }
    $con = New-World
    $need = $needed["$Name $Number"]
    if ($need) { $null = & $need }
    # A module's commands see the preferences of the whole session.
    $global:ConfirmPreference = 'None'
    $global:ErrorActionPreference = 'Stop'
    if ($Name -in $refused) { { Invoke-Expression $Text } | Should -Throw -ErrorId "NotImplemented,$Name" }
    else { $null = Invoke-Expression $Text }
  }
}
