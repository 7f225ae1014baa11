# Owns -AsJob: a command of this module, run in the background of this process.

$script:ModuleFile = [IO.Path]::Combine($PSScriptRoot, 'Containers.psd1')

# $Parameters are the command's own, without AsJob; objects of the module go by their ids.
function Start-ContainerJob([string]$Command, [hashtable]$Parameters) {
  $module = $script:ModuleFile
  $job = $Parameters | ForEach-Object -AsJob -Parallel {
    Import-Module $using:module
    $parameters = $_
    & $using:Command @parameters | ForEach-Object { & (Get-Module Containers) { ConvertTo-StillContainer $args[0] } $_ }
  }
  $job.Name = $Command
  $job
}
