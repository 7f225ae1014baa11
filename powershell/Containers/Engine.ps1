# Owns speaking HTTP with the engine over its unix socket: where that is, requests that Ctrl+C ends, what refusals are.
# Knows no path of the API.

# TWOFOLD_HOST or TWOFOLD_INSTANCE, as for the twofold command; never DOCKER_HOST, which may be another engine's.
function Get-EngineSocketPath {
  $place = [Environment]::GetEnvironmentVariable('TWOFOLD_HOST')
  if (!$place) {
    $instance = [Environment]::GetEnvironmentVariable('TWOFOLD_INSTANCE')
    if (!$instance -or $instance -ceq 'default') { return '/run/twofold/twofold.sock' }
    if ($instance -cmatch '\A[a-z][a-z0-9-]{0,15}\z') { return "/run/twofold-$instance/twofold.sock" }
    $message = "TWOFOLD_INSTANCE is '$instance', which is not a valid instance name."
    throw New-ContainerError $message InvalidEngineAddress InvalidArgument $instance -Ends
  }
  $path = if ($place.StartsWith('unix://', [StringComparison]::Ordinal)) { $place.Substring(7) } else { $place }
  if ($path.StartsWith('/')) { return $path }
  $message = "TWOFOLD_HOST is '$place', which is not a unix socket: use an address like " +
    'unix:///run/twofold/twofold.sock.'
  throw New-ContainerError $message InvalidEngineAddress InvalidArgument $place -Ends
}

# What the callback below looks like. Made when a request is first sent: the libraries behind these names would cost the
# import 9 ms.
$script:Callback = $null

function New-CallbackShape {
  @{
    Type       = [Func[
      Net.Http.SocketsHttpConnectionContext, Threading.CancellationToken, Threading.Tasks.ValueTask[IO.Stream]]]
    Parameters = [Linq.Expressions.ParameterExpression[]]@(
      [Linq.Expressions.Expression]::Parameter([Net.Http.SocketsHttpConnectionContext])
      [Linq.Expressions.Expression]::Parameter([Threading.CancellationToken])
    )
  }
}

# A client for one request, over a connection that is there already. HttpClient calls its ConnectCallback on a thread
# that has no runspace, where a script block can't run: so the callback is compiled of an expression, one that knows
# nothing but the stream. Throws SocketException.
function Open-EngineClient {
  $socket = [Net.Sockets.Socket]::new('Unix', 'Stream', 'Unspecified')
  try { $socket.Connect([Net.Sockets.UnixDomainSocketEndPoint]::new((Get-EngineSocketPath))) }
  catch {
    $socket.Dispose()
    throw
  }
  $handler = [Net.Http.SocketsHttpHandler]::new()
  $handler.UseProxy = $false
  $handler.UseCookies = $false
  $handler.AllowAutoRedirect = $false
  $stream = [Threading.Tasks.ValueTask[IO.Stream]]::new([Net.Sockets.NetworkStream]::new($socket, $true))
  if (!$script:Callback) { $script:Callback = New-CallbackShape }
  $body = [Linq.Expressions.Expression]::Constant($stream)
  $callback = [Linq.Expressions.Expression]::Lambda($script:Callback.Type, $body, $script:Callback.Parameters)
  $handler.ConnectCallback = $callback.Compile($true)
  $client = [Net.Http.HttpClient]::new($handler, $true)
  $client.Timeout = [Threading.Timeout]::InfiniteTimeSpan # a stop may take its time; Ctrl+C ends the waiting
  $client
}

# Waits in slices: between them PowerShell sees Ctrl+C, and the caller's finally calls the request off.
function Wait-Task([Threading.Tasks.Task]$Task) {
  while ([Threading.Tasks.Task]::WaitAny($Task, 100) -lt 0) { }
  $Task.GetAwaiter().GetResult()
}

# One request. Gives the answer's JSON as objects, an array's elements one by one. Throws what New-ContainerError makes;
# $Target is what the error is about.
#   -Body    sent as JSON                 -InFile   a file that is sent as it is
#   -OutFile a file that the answer's body goes to ('' lets it fall)
#   -AsText  gives the answer's text as it is
function Invoke-Engine {
  param($Caller, [string]$Method, [string]$Path, $Body, $Target, [string]$InFile, [string]$OutFile, [switch]$AsText)
  $cancel = [Threading.CancellationTokenSource]::new()
  $request = [Net.Http.HttpRequestMessage]::new($Method, "http://twofold/v1.47$Path")
  $client = $null
  $response = $null
  try {
    $said = ''
    if ($null -ne $Body) {
      $json = ConvertTo-Json $Body -Depth 10 -Compress
      $said = " $json"
      $request.Content = [Net.Http.StringContent]::new($json, [Text.Encoding]::UTF8, 'application/json')
    }
    elseif ($InFile) {
      $said = " < $InFile"
      $request.Content = [Net.Http.StreamContent]::new([IO.File]::OpenRead($InFile), 1MB)
      $request.Content.Headers.ContentType = 'application/x-tar'
    }
    if ($Caller) { $Caller.WriteVerbose("$Method $Path$said") }
    try {
      $client = Open-EngineClient
      $until = [Net.Http.HttpCompletionOption]::ResponseHeadersRead
      $response = Wait-Task $client.SendAsync($request, $until, $cancel.Token)
    }
    catch [Net.Sockets.SocketException], [Net.Http.HttpRequestException] {
      throw ConvertTo-ConnectionError $_.Exception
    }
    if ([int]$response.StatusCode -eq 304) { return $Caller.WriteWarning("$Target is in the specified state already.") }
    if ([int]$response.StatusCode -ge 300) { throw Read-Refusal $response $Target }
    if ($PSBoundParameters.ContainsKey('OutFile')) { return Save-Answer $response $OutFile $cancel.Token }
    $text = Wait-Task $response.Content.ReadAsStringAsync($cancel.Token)
    if (!$text) { return }
    if ($AsText) { return $text }
    # Lines of JSON are what progress is told in; anything else is one document.
    if ($InFile) {
      foreach ($line in $text.Split("`n", [StringSplitOptions]'RemoveEmptyEntries, TrimEntries')) {
        ConvertFrom-Json $line
      }
    }
    else { ConvertFrom-Json $text }
  }
  finally {
    $cancel.Cancel()
    if ($response) { $response.Dispose() }
    if ($client) { $client.Dispose() }
    $request.Dispose()
    $cancel.Dispose()
  }
}

function Save-Answer($Response, [string]$File, $Token) {
  $target = if ($File) { [IO.File]::Create($File) } else { [IO.Stream]::Null }
  try { $null = Wait-Task $Response.Content.CopyToAsync($target, $null, $Token) }
  catch [Net.Http.HttpRequestException] {
    $message = 'The engine ended the answer before it was whole; its log has the reason.'
    throw New-ContainerError $message AnswerCut ReadError $File -Cause $_.Exception
  }
  finally { $target.Dispose() }
}

function Read-Refusal($Response, $Target) {
  $status = [int]$Response.StatusCode
  $text = Wait-Task $Response.Content.ReadAsStringAsync()
  $code = ''
  $values = $null
  if ($Response.Headers.TryGetValues('Twofold-Error', [ref]$values)) { $code = @($values)[0] }
  # An answer that is not the engine's own has only its text.
  $message = if ($text.StartsWith('{')) { (ConvertFrom-Json $text).message } else { $text }
  if (!$message) { $message = "The engine answered with status $status." }
  ConvertTo-ContainerError $code $message $Target
}

function ConvertTo-ConnectionError([Exception]$Cause) {
  $inner = $Cause
  while ($inner -and $inner -isnot [Net.Sockets.SocketException]) { $inner = $inner.InnerException }
  $path = Get-EngineSocketPath
  $code = if ($inner) { $inner.SocketErrorCode }
  if ($code -eq 'AccessDenied') {
    $message = "You have no permission to use the engine's socket '$path': use sudo, or join the group twofold."
    return New-ContainerError $message AccessDenied PermissionDenied $path -Cause $Cause -Ends
  }
  # .NET's word for a socket file that is not there is AddressNotAvailable.
  $nobodyListens = $code -in 'AddressNotAvailable', 'ConnectionRefused'
  $why = if ($nobodyListens) { 'no daemon listens there. Start it: sudo twofold up' }
  else { $Cause.GetBaseException().Message }
  $message = "Cannot reach the Twofold engine at '$path': $why"
  New-ContainerError $message DaemonUnavailable ConnectionError $path -Cause $Cause -Ends
}

# Query parameters, and segments of a path.
function Join-Query([Collections.IDictionary]$Parameters) {
  $pairs = foreach ($name in $Parameters.Keys) {
    if ($null -eq $Parameters[$name]) { continue }
    foreach ($value in $Parameters[$name]) { "$name=$([uri]::EscapeDataString([string]$value))" }
  }
  if ($pairs) { '?' + ($pairs -join '&') } else { '' }
}

function ConvertTo-Segment([string]$Text) { [uri]::EscapeDataString($Text) }
