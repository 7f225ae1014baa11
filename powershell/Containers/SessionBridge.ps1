# Owns the way from a runspace's transport to a process in a container: an exec whose standard streams carry PowerShell
# remoting. PowerShell speaks remoting over a unix socket of the file system; the engine gives an exec over a connection
# of its own; bytes are passed between the two by tasks that need no runspace. Knows nothing of commands.

$script:handshakeTimeoutMs = 60000

# Takes over a connection of the engine for the exec: what is written goes to its standard input, what is read is its
# standard output. Throws.
function Connect-Exec($Caller, [string]$ExecId, $Target) {
  $socket = [Net.Sockets.Socket]::new('Unix', 'Stream', 'Unspecified')
  try {
    $socket.ReceiveTimeout = $script:handshakeTimeoutMs
    try { $socket.Connect([Net.Sockets.UnixDomainSocketEndPoint]::new((Get-EngineSocketPath))) }
    catch [Net.Sockets.SocketException] { throw ConvertTo-ConnectionError $_.Exception }
    $Caller.WriteVerbose("POST /exec/$ExecId/start {}")
    $lines = @(
      "POST /v1.47/exec/$ExecId/start HTTP/1.1", 'Host: twofold', 'Accept: application/vnd.docker.raw-stream'
      'Connection: Upgrade', 'Upgrade: tcp', 'Content-Type: application/json', 'Content-Length: 2', '', '{}'
    )
    $null = $socket.Send([Text.Encoding]::ASCII.GetBytes($lines -join "`r`n"))
    $answer = Read-AnswerHead $socket
    if ($answer -notmatch '^HTTP/1\.1 101 ') {
      $message = "The engine did not open the session: $(($answer -split "`r`n")[0])."
      throw New-ContainerError $message SessionOpenFailed ConnectionError $Target
    }
    $socket.ReceiveTimeout = 0
    [Net.Sockets.NetworkStream]::new($socket, $true)
  }
  catch {
    $socket.Dispose()
    throw
  }
}

# Byte by byte: what follows the empty line is the process's.
function Read-AnswerHead($Socket) {
  $byte = [byte[]]::new(1)
  $text = [Text.StringBuilder]::new()
  while ($text.Length -lt 16384 -and $Socket.Receive($byte) -eq 1) {
    $null = $text.Append([char]$byte[0])
    if ($byte[0] -eq 10 -and $text.ToString().EndsWith("`r`n`r`n")) { break }
  }
  $text.ToString()
}

# A path in the file system at which the stream can be reached once, and by nobody else: its directory is the user's
# own.
function New-Bridge([IO.Stream]$Stream) {
  $directory = [IO.Directory]::CreateTempSubdirectory('twofold-').FullName
  $listener = [Net.Sockets.Socket]::new('Unix', 'Stream', 'Unspecified')
  $path = [IO.Path]::Combine($directory, 'session')
  $listener.Bind([Net.Sockets.UnixDomainSocketEndPoint]::new($path))
  $listener.Listen(1)
  @{
    Path = $path; Directory = $directory; Listener = $listener; Accepted = $listener.AcceptAsync()
    Stream = $Stream; Joined = $false
  }
}

# Passes bytes once the transport has come. Either side's end is the other's. True when joined.
function Join-Bridge($Bridge) {
  if ($Bridge.Joined) { return $true }
  if (!$Bridge.Accepted.IsCompletedSuccessfully) { return $false }
  $client = [Net.Sockets.NetworkStream]::new($Bridge.Accepted.Result, $true)
  Close-BridgeDoor $Bridge
  # A script block can't run on the threads of these tasks, which have no runspace: an expression can.
  $dispose = [IO.Stream].GetMethod('Dispose', [type[]]@())
  $factory = [Linq.Expressions.Expression]
  $both = foreach ($one in $client, $Bridge.Stream) { $factory::Call($factory::Constant($one, [IO.Stream]), $dispose) }
  $parameters = [Linq.Expressions.ParameterExpression[]]@($factory::Parameter([Threading.Tasks.Task]))
  $body = $factory::Block([Linq.Expressions.Expression[]]$both)
  $end = $factory::Lambda([Action[Threading.Tasks.Task]], $body, $parameters).Compile($true)
  foreach ($task in $client.CopyToAsync($Bridge.Stream), $Bridge.Stream.CopyToAsync($client)) {
    $null = $task.ContinueWith($end)
  }
  $Bridge.Joined = $true
  $true
}

function Close-BridgeDoor($Bridge) {
  $Bridge.Listener.Dispose()
  if ([IO.Directory]::Exists($Bridge.Directory)) { [IO.Directory]::Delete($Bridge.Directory, $true) }
}

# Cuts the way, also for a transport that has come and was not joined yet: it would wait.
function Remove-Bridge($Bridge) {
  if (!$Bridge.Joined -and $Bridge.Accepted.IsCompletedSuccessfully) { $Bridge.Accepted.Result.Dispose() }
  Close-BridgeDoor $Bridge
  $Bridge.Stream.Dispose()
}

# What a runspace is told of its way: PowerShell's own transport to the socket at $Path, under the container's name,
# which then is PSComputerName of all that comes back. PowerShell's own says localhost for every socket, and is sealed;
# a type of ours is emitted, since its members are asked on threads without a runspace, where a class of PowerShell's
# can't answer.
$script:ConnectionType = $null

function New-ContainerConnection([string]$Name, [string]$Path) {
  if (!$script:ConnectionType) { $script:ConnectionType = New-ConnectionType }
  $connection = $script:ConnectionType::new()
  $connection.Name = $Name
  $connection.Way = [Management.Automation.Runspaces.NamedPipeConnectionInfo]::new($Path)
  $connection
}

function New-ConnectionType {
  $base = [Management.Automation.Runspaces.RunspaceConnectionInfo]
  $name = [Reflection.AssemblyName]::new('Containers.Sessions')
  $assembly = [Reflection.Emit.AssemblyBuilder]::DefineDynamicAssembly($name, 'Run')
  $module = $assembly.DefineDynamicModule('Containers')
  $type = $module.DefineType('ContainerConnection', 'Public, Class', $base)
  $name = $type.DefineField('Name', [string], 'Public')
  $way = $type.DefineField('Way', $base, 'Public')
  $null = $type.DefineDefaultConstructor('Public')
  foreach ($method in $base.GetMethods()) {
    if (!$method.IsAbstract -and $method.Name -notin 'Clone', 'CreateClientSessionTransportManager') { continue }
    $types = [type[]]@(foreach ($parameter in $method.GetParameters()) { $parameter.ParameterType })
    $attributes = $method.Attributes -band -bnot [Reflection.MethodAttributes]'Abstract, NewSlot'
    $code = $type.DefineMethod($method.Name, $attributes, $method.ReturnType, $types).GetILGenerator()
    $code.Emit([Reflection.Emit.OpCodes]::Ldarg_0)
    if ($method.Name -eq 'get_ComputerName') { $code.Emit([Reflection.Emit.OpCodes]::Ldfld, $name) }
    # It does not change: it may be its own copy.
    elseif ($method.Name -ne 'Clone') {
      $code.Emit([Reflection.Emit.OpCodes]::Ldfld, $way)
      for ($i = 1; $i -le $types.Count; $i++) { $code.Emit([Reflection.Emit.OpCodes]::Ldarg_S, [byte]$i) }
      $code.Emit([Reflection.Emit.OpCodes]::Callvirt, $method)
    }
    $code.Emit([Reflection.Emit.OpCodes]::Ret)
  }
  $type.CreateType()
}
