// Owns what the engine asks of its host: identity, nested prompts, and the runspace in use, which Enter-PSSession exchanges.

using System.Globalization;
using System.Management.Automation.Host;
using System.Management.Automation.Runspaces;
using System.Reflection;

namespace Twofold.PowerShell;

sealed class ConsoleHost(Session session) : PSHost, IHostSupportsInteractiveSession, IDisposable
{
    readonly Guid _id = Guid.NewGuid();
    readonly Stack<Runspace> _pushed = new();

    public Terminal Terminal { get; } = new();
    // Scripts ask for this name to learn whether a person is there.
    public override string Name => "ConsoleHost";
    public override Version Version => new(7, 6, 9);
    public override Guid InstanceId => _id;
    public override PSHostUserInterface UI => Terminal;
    public override CultureInfo CurrentCulture => CultureInfo.CurrentCulture;
    public override CultureInfo CurrentUICulture => CultureInfo.CurrentUICulture;
    public override void SetShouldExit(int exitCode)
    {
        // `exit` in a session of Enter-PSSession leaves that session.
        if (IsRunspacePushed) PopRunspace();
        else session.End(exitCode);
    }

    public bool LeaveNested { get; set; }
    public override void EnterNestedPrompt() => new Prompt(session).Run(nested: true);
    public override void ExitNestedPrompt() => LeaveNested = true;
    public override void NotifyBeginApplication() { }
    public override void NotifyEndApplication() { }

    /// <summary>There is a session, and its other end has gone.</summary>
    public bool IsLost => _pushed.TryPeek(out var pushed) && pushed.RunspaceStateInfo.State != RunspaceState.Opened;
    public bool IsRunspacePushed => _pushed.Count > 0;
    public Runspace Runspace => _pushed.TryPeek(out var pushed) ? pushed : session.Local;
    public void PushRunspace(Runspace runspace) => _pushed.Push(runspace);

    /// <summary>Leaves the innermost session. One that was made to be entered ends with that (the engine's own mark, not public); others can be entered again.</summary>
    public void PopRunspace()
    {
        if (!_pushed.TryPop(out var left)) return;
        var closes = left.GetType().GetProperty("ShouldCloseOnPop", BindingFlags.Instance | BindingFlags.NonPublic);
        if (closes?.GetValue(left) is true) left.Dispose();
    }

    public void Dispose() => Terminal.Dispose();
}
