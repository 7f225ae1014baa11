// Owns the loop of a prompt: asks for a line until a statement is complete, runs it, again. Nested for the debugger and -Confirm's "suspend".

using System.Management.Automation;
using System.Management.Automation.Language;

namespace Twofold.PowerShell;

sealed class Prompt(Session session)
{
    readonly LineEditor? _editor = Console.IsInputRedirected || Console.IsOutputRedirected ? null : new LineEditor((text, at) => Completions(session, text, at));

    public void Run(bool nested = false)
    {
        session.Host.LeaveNested = false;
        while (!session.Ended && !session.Host.LeaveNested)
        {
            string? text = session.Host.IsLost ? null : ReadStatement();
            if (session.Host.IsLost) { Lost(); continue; }
            if (text is null)
            {
                if (session.Host.IsRunspacePushed) { session.Host.PopRunspace(); continue; }
                if (!nested) session.End(0);
                break;
            }
            if (text.Trim().Length > 0) Execute(text);
        }
        session.Host.LeaveNested = false;
    }

    void Execute(string text)
    {
        // In a session these two speak of the session, whatever the other end has under these names.
        bool leaves = text.Trim().ToLowerInvariant() is "exit" or "exit-pssession" or "exsn";
        if (leaves && session.Host.IsRunspacePushed) session.Host.PopRunspace();
        else session.RunText(text, remember: true);
    }

    /// <summary>The other end has gone: said once, and the prompt is the local one again.</summary>
    void Lost()
    {
        var (name, reason) = (session.Host.Runspace.Name, session.Host.Runspace.RunspaceStateInfo.Reason);
        session.Host.PopRunspace();
        var error = new PSInvalidOperationException($"The session in '{name}' has ended: the container has stopped, or the session's process in it has.", reason);
        session.Report(new ErrorRecord(error, "SessionEnded", ErrorCategory.ConnectionError, name));
    }

    string? ReadStatement()
    {
        string text = "";
        string prompt = Text();
        while (true)
        {
            string? line = ReadLine(prompt);
            if (line is null) return text.Length > 0 ? text : null;
            text = text.Length == 0 ? line : $"{text}\n{line}";
            // An empty line ends what the parser would go on with, as in pwsh.
            if (line.Length == 0) return text;
            Parser.ParseInput(text, out _, out var errors);
            if (!errors.Any(error => error.IncompleteInput)) return text;
            prompt = ">> ";
        }
    }

    string? ReadLine(string prompt)
    {
        if (_editor is not null) return _editor.Read(prompt, session.Host.IsRunspacePushed ? () => session.Host.IsLost : null);
        Console.Out.Write(prompt);
        return Console.In.ReadLine();
    }

    string Text()
    {
        using var shell = System.Management.Automation.PowerShell.Create();
        shell.Runspace = session.Host.Runspace;
        try
        {
            return string.Concat(shell.AddCommand("prompt").Invoke().Select(part => part?.ToString()));
        }
        catch (RuntimeException)
        {
            // A prompt function that fails must not keep anybody from mending it.
            return "PS> ";
        }
    }

    static CommandCompletion? Completions(Session session, string text, int cursor)
    {
        using var shell = System.Management.Automation.PowerShell.Create();
        shell.Runspace = session.Host.Runspace;
        try
        {
            return CommandCompletion.CompleteInput(text, cursor, null, shell);
        }
        catch (RuntimeException)
        {
            // Whoever presses Tab wants a word or nothing.
            return null;
        }
    }
}
