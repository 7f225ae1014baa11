// Owns what a person sees: output, errors, warnings, choices. Does not own editing of a line (LineEditor.cs) or the bar of a progress (ProgressLine.cs).

using System.Collections.ObjectModel;
using System.Management.Automation;
using System.Management.Automation.Host;
using System.Management.Automation.Internal;
using System.Security;

namespace Twofold.PowerShell;

sealed class Terminal : PSHostUserInterface, IDisposable
{
    readonly RawTerminal _raw = new();
    readonly ProgressLine _progress = new();
    readonly Lock _lock = new();

    public override PSHostRawUserInterface RawUI => _raw;
    public override bool SupportsVirtualTerminal => !Console.IsOutputRedirected;

    /// <summary>What a command left on the screen that belongs to it alone is gone.</summary>
    public void EndOfCommand()
    {
        lock (_lock) _progress.Clear();
        Console.Out.Flush();
    }

    public override string ReadLine()
    {
        EndOfCommand();
        return Console.In.ReadLine() ?? "";
    }

    public override SecureString ReadLineAsSecureString()
    {
        EndOfCommand();
        var secret = new SecureString();
        if (Console.IsInputRedirected)
        {
            foreach (char c in Console.In.ReadLine() ?? "") secret.AppendChar(c);
            return secret;
        }
        while (Console.ReadKey(intercept: true) is var key && key.Key != ConsoleKey.Enter)
        {
            if (key.Key == ConsoleKey.Backspace) { if (secret.Length > 0) secret.RemoveAt(secret.Length - 1); }
            else if (!char.IsControl(key.KeyChar)) secret.AppendChar(key.KeyChar);
        }
        Console.Out.WriteLine();
        return secret;
    }

    public override void Write(string value) => Show(Console.Out, value, "");
    public override void WriteLine(string value) => Show(Console.Out, value, "\n");
    public override void WriteErrorLine(string value) => Show(Console.Error, Coloured(PSStyle.Instance.Formatting.Error, value), "\n");
    public override void WriteWarningLine(string message) => Show(Console.Error, Coloured(PSStyle.Instance.Formatting.Warning, $"WARNING: {message}"), "\n");
    public override void WriteVerboseLine(string message) => Show(Console.Error, Coloured(PSStyle.Instance.Formatting.Verbose, $"VERBOSE: {message}"), "\n");
    public override void WriteDebugLine(string message) => Show(Console.Error, Coloured(PSStyle.Instance.Formatting.Debug, $"DEBUG: {message}"), "\n");

    public override void Write(ConsoleColor foreground, ConsoleColor background, string value)
    {
        string colours = (foreground == _raw.ForegroundColor ? "" : PSStyle.MapForegroundColorToEscapeSequence(foreground))
            + (background == _raw.BackgroundColor ? "" : PSStyle.MapBackgroundColorToEscapeSequence(background));
        Write(colours.Length == 0 ? value : Coloured(colours, value));
    }

    public override void WriteProgress(long sourceId, ProgressRecord record)
    {
        if (Console.IsErrorRedirected || Console.IsOutputRedirected) return;
        lock (_lock) _progress.Show(sourceId, record, _raw.BufferSize.Width);
    }

    static string Coloured(string style, string text) => $"{style}{text}{PSStyle.Instance.Reset}";

    void Show(TextWriter where, string? value, string end)
    {
        // An engine's own host does this for itself; a host of others' has to.
        bool plain = PSStyle.Instance.OutputRendering == OutputRendering.PlainText || (where == Console.Error && Console.IsErrorRedirected);
        string text = plain ? new StringDecorated(value ?? "").ToString(OutputRendering.PlainText) : value ?? "";
        lock (_lock)
        {
            _progress.Clear();
            where.Write(text + end);
        }
    }

    public override Dictionary<string, PSObject> Prompt(string caption, string message, Collection<FieldDescription> descriptions)
    {
        if (!string.IsNullOrEmpty(caption)) WriteLine(caption);
        if (!string.IsNullOrEmpty(message)) WriteLine(message);
        return descriptions.ToDictionary(field => field.Name, field =>
        {
            if (field.ParameterTypeName != nameof(SecureString)) { Write($"{field.Name}: "); return PSObject.AsPSObject(ReadLine()); }
            Write($"{field.Name}: ");
            return PSObject.AsPSObject(ReadLineAsSecureString());
        });
    }

    public override int PromptForChoice(string caption, string message, Collection<ChoiceDescription> choices, int defaultChoice)
    {
        if (!string.IsNullOrEmpty(caption)) WriteLine(caption);
        if (!string.IsNullOrEmpty(message)) WriteLine(message);
        string question = string.Join("  ", choices.Select(choice => $"[{Key(choice)}] {choice.Label.Replace("&", "")}"));
        if (defaultChoice >= 0) question += $" (default is \"{Key(choices[defaultChoice])}\")";
        while (true)
        {
            Write($"{question}: ");
            string? answer = Console.In.ReadLine()?.Trim();
            if (string.IsNullOrEmpty(answer))
            {
                if (defaultChoice >= 0) return defaultChoice;
                if (answer is null) throw new PSInvalidOperationException("There was nobody to choose.");
                continue;
            }
            for (int i = 0; i < choices.Count; i++)
            {
                if (answer.Equals(Key(choices[i]), StringComparison.OrdinalIgnoreCase) || answer.Equals(choices[i].Label.Replace("&", ""), StringComparison.OrdinalIgnoreCase)) return i;
            }
        }
    }

    static string Key(ChoiceDescription choice)
    {
        int mark = choice.Label.IndexOf('&');
        return mark >= 0 && mark + 1 < choice.Label.Length ? choice.Label[mark + 1].ToString().ToUpperInvariant() : choice.Label;
    }

    public override PSCredential PromptForCredential(string caption, string message, string userName, string targetName)
    {
        if (!string.IsNullOrEmpty(caption)) WriteLine(caption);
        if (!string.IsNullOrEmpty(message)) WriteLine(message);
        if (string.IsNullOrEmpty(userName)) { Write("User: "); userName = ReadLine(); }
        Write($"Password for user {userName}: ");
        return new PSCredential(userName, ReadLineAsSecureString());
    }

    public override PSCredential PromptForCredential(string caption, string message, string userName, string targetName, PSCredentialTypes allowed, PSCredentialUIOptions options) =>
        PromptForCredential(caption, message, userName, targetName);

    public void Dispose() => EndOfCommand();
}
