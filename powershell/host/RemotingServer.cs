// Owns the server end of PowerShell remoting on standard input and output: `-s`, as pwsh has it.

using System.Management.Automation;
using System.Reflection;

namespace Twofold.PowerShell;

static class RemotingServer
{
    /// <summary>Runs until the client has gone. The engine has the server, but not for others to call: hence the one pinned version of it.</summary>
    public static int Run()
    {
        var mediator = typeof(PSObject).Assembly.GetType("System.Management.Automation.Remoting.Server.StdIOProcessMediator", throwOnError: true)!;
        var run = mediator.GetMethod("Run", BindingFlags.Static | BindingFlags.NonPublic) ?? throw new MissingMethodException(mediator.FullName, "Run");
        run.Invoke(null, [null, null, null, null, false]);
        return 0;
    }
}
