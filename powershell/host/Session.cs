// Owns the runspace and how a piece of text runs in it: output through the formatter, errors in their place, Ctrl+C, exit codes.
// Does not own where output goes (terminal/) or where text comes from (Program.cs, Prompt.cs).

using System.Management.Automation;
using System.Management.Automation.Language;
using System.Management.Automation.Runspaces;
using System.Reflection;

namespace Twofold.PowerShell;

sealed class Session : IDisposable
{
    readonly Runspace _runspace;
    readonly ConsoleHost _host;
    int _exitCode;

    public Session()
    {
        _host = new ConsoleHost(this);
        // Colours are for terminals, and for those who have not refused them.
        if (Console.IsOutputRedirected || Environment.GetEnvironmentVariable("NO_COLOR") is { Length: > 0 }) PSStyle.Instance.OutputRendering = OutputRendering.PlainText;
        var state = InitialSessionState.CreateDefault2();
        state.ThreadOptions = PSThreadOptions.UseCurrentThread;
        _runspace = RunspaceFactory.CreateRunspace(_host, state);
        _runspace.Open();
        Runspace.DefaultRunspace = _runspace;
        RethrowExits();
    }

    public ConsoleHost Host => _host;
    public Runspace Local => _runspace;
    /// <summary>Somebody said `exit`.</summary>
    public bool Ended { get; private set; }
    public int ExitCode => Ended ? _exitCode : _failed ? 1 : 0;
    bool _failed;

    public void End(int code) => (Ended, _exitCode) = (true, code);

    /// <summary>Loads a module before anything else is done; what is wrong with it is shown.</summary>
    public void Import(string module) => Run(new Command("Import-Module") { Parameters = { { "Name", Path.Exists(module) ? Path.GetFullPath(module) : module } } });

    /// <summary>Runs all that there is to run: its last command's failure is the host's.</summary>
    public void RunWhole(string text)
    {
        var parsed = Parser.ParseInput(text, out _, out var errors);
        if (errors.Length > 0)
        {
            Report(new ParseException(errors).ErrorRecord);
            _failed = true;
            return;
        }
        // After the last command is the only place where its status can be asked for: the formatter's own comes over it.
        bool asks = parsed is { ParamBlock: null, BeginBlock: null, ProcessBlock: null } && parsed.EndBlock is { Unnamed: true };
        RunText(asks ? $"{text}\nif (!$?) {{ exit 1 }}" : text);
    }

    /// <summary>Runs text in the session's scope.</summary>
    public void RunText(string text, bool remember = false) => _failed = !Run(new Command(text, isScript: true, useLocalScope: false), remember ? text : "");

    /// <summary>Runs a script file with its arguments, as `pwsh -File` does.</summary>
    public void RunFile(string path, IReadOnlyList<string> arguments)
    {
        if (!System.IO.File.Exists(path))
        {
            Console.Error.WriteLine($"The argument '{path}' is not recognized as the name of a script file. Check the spelling of the name, or if a path was included, verify that the path is correct and try again.");
            End(64);
            return;
        }
        var script = new Command(Path.GetFullPath(path), isScript: false, useLocalScope: false);
        foreach (string word in arguments)
        {
            if (word.Length < 2 || word[0] != '-' || !char.IsLetter(word[1])) { script.Parameters.Add(null, word); continue; }
            int colon = word.IndexOf(':');
            if (colon > 0) script.Parameters.Add(word[1..colon], Truth(word[(colon + 1)..]));
            // With its dash the engine takes it for the word it is, and finds out itself whether a value follows.
            else script.Parameters.Add(word);
        }
        _failed = !Run(script);
    }

    static object Truth(string value) => value.ToLowerInvariant() switch { "$true" => true, "$false" => false, _ => value };

    bool Run(Command what, string history = "")
    {
        using var pipeline = history.Length > 0 ? _host.Runspace.CreatePipeline(history, addToHistory: true) : _host.Runspace.CreatePipeline();
        pipeline.Commands.Clear();
        // Errors go the way of the output, so that both are shown in the order in which they came.
        what.MergeMyResults(PipelineResultTypes.Error, PipelineResultTypes.Output);
        pipeline.Commands.Add(what);
        pipeline.Commands.Add("Out-Default");
        bool interrupted = false;
        using var interrupt = new Interrupt(() =>
        {
            interrupted = true;
            pipeline.StopAsync();
        });
        try
        {
            pipeline.Invoke();
            return pipeline.PipelineStateInfo.State == PipelineState.Completed;
        }
        catch (PipelineStoppedException)
        {
            return false;
        }
        // The other end tells of a stop by an error; here nobody needs to be told. And what the end of a session broke off, the prompt tells (Prompt.cs).
        catch (RuntimeException) when (interrupted || _host.IsLost)
        {
            return false;
        }
        catch (RuntimeException error)
        {
            Report(error.ErrorRecord ?? new ErrorRecord(error, "Unhandled", ErrorCategory.NotSpecified, null));
            return false;
        }
        finally
        {
            _host.Terminal.EndOfCommand();
        }
    }

    /// <summary>Shows an error that ended a command. Always by the local formatter: the remote one may be what broke.</summary>
    public void Report(ErrorRecord error)
    {
        using var shell = System.Management.Automation.PowerShell.Create();
        shell.Runspace = _runspace;
        var shown = PSObject.AsPSObject(error);
        // What tells the formatter that this is an error and no data. Not public.
        var stream = typeof(PSObject).GetProperty("WriteStream", BindingFlags.Instance | BindingFlags.NonPublic) ?? throw new MissingMemberException(nameof(PSObject), "WriteStream");
        stream.SetValue(shown, Enum.Parse(stream.PropertyType, "Error"));
        shell.AddCommand("Out-Default").AddParameter("InputObject", shown);
        shell.Invoke(null, new PSInvocationSettings { Host = _host });
    }

    /// <summary>`exit 3` in a script file ends the host, as in pwsh; by itself the engine would only end the script. Not public.</summary>
    void RethrowExits()
    {
        const BindingFlags any = BindingFlags.Instance | BindingFlags.NonPublic | BindingFlags.Public;
        var context = _runspace.GetType().GetProperty("ExecutionContext", any)?.GetValue(_runspace) ?? throw new MissingMemberException("ExecutionContext");
        var rethrow = context.GetType().GetProperty("ScriptCommandProcessorShouldRethrowExit", any) ?? throw new MissingMemberException("ScriptCommandProcessorShouldRethrowExit");
        rethrow.SetValue(context, true);
    }

    public void Dispose()
    {
        _host.Dispose();
        _runspace.Dispose();
    }
}

/// <summary>While it lives, Ctrl+C does this instead of ending the process.</summary>
sealed class Interrupt : IDisposable
{
    readonly ConsoleCancelEventHandler _handler;

    public Interrupt(Action then)
    {
        _handler = (_, happening) =>
        {
            happening.Cancel = true;
            then();
        };
        Console.CancelKeyPress += _handler;
    }

    public void Dispose() => Console.CancelKeyPress -= _handler;
}
