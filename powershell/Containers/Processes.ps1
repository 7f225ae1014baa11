# Owns which container a process of this machine is in, and its number there: members that Processes.types.ps1xml gives
# to every process object. Both come from the kernel: a control group is named for its container, and a process has a
# number in every namespace of processes that it is in. The engine only knows the container's name.

function Get-ProcessContainerId([int]$Id) {
  try { $groups = [IO.File]::ReadAllText("/proc/$Id/cgroup") }
  catch [IO.IOException], [UnauthorizedAccessException] { return }
  if ($groups -match '/([0-9a-f]{64})/\1(?:[/\n]|$)') { $Matches[1] }
}

function Get-ProcessContainerName([int]$Id) {
  $container = Get-ProcessContainerId $Id
  $row = if ($container) { Get-LiveRow $container }
  if ($row) { $row.Name }
}

function Get-ProcessNumberInContainer([int]$Id) {
  if (!(Get-ProcessContainerId $Id)) { return }
  try { $status = [IO.File]::ReadAllText("/proc/$Id/status") }
  catch [IO.IOException], [UnauthorizedAccessException] { return }
  if ($status -match '(?m)^NSpid:.*?(\d+)$') { [int]$Matches[1] }
}
