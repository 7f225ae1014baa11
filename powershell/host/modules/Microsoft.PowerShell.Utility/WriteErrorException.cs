// Owns the exception behind Write-Error: its name is the error's id, and scripts know that id.

namespace Microsoft.PowerShell.Commands;

public sealed class WriteErrorException(string message) : System.Management.Automation.RuntimeException(message);
