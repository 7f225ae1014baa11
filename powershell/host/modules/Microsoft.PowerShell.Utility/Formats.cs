// Owns Format-Table, Format-List, Out-String and Out-File.

using System.Management.Automation;
using System.Text;
using Microsoft.PowerShell.Commands.Internal.Format;

namespace Twofold.PowerShell.Utility;

[Cmdlet(VerbsCommon.Format, "Table")]
public sealed class FormatTable : OuterFormatTableBase
{
    public FormatTable() => Formatter.Shape(this, "Table");
}

[Cmdlet(VerbsCommon.Format, "List")]
public sealed class FormatList : OuterFormatTableAndListBase
{
    public FormatList() => Formatter.Shape(this, "List");
}

[Cmdlet(VerbsData.Out, "String")]
[OutputType(typeof(string))]
public sealed class OutString : FrontEndCommandBase
{
    [Parameter] public SwitchParameter Stream { get; set; }
    [Parameter] public SwitchParameter NoNewline { get; set; }
    [Parameter, ValidateRange(2, int.MaxValue)] public int Width { get; set; }

    readonly StringBuilder _text = new();
    TextWriter _lines = TextWriter.Null;

    protected override void BeginProcessing()
    {
        _lines = Formatter.Lines(this, Take, Width > 0 ? Width : int.MaxValue, Host.CurrentCulture);
        base.BeginProcessing();
    }

    void Take(string line)
    {
        if (Stream) WriteObject(line);
        else if (NoNewline) _text.Append(line);
        else _text.AppendLine(line);
    }

    protected override void ProcessRecord()
    {
        base.ProcessRecord();
        _lines.Flush();
    }

    protected override void EndProcessing()
    {
        base.EndProcessing();
        _lines.Flush();
        if (!Stream) WriteObject(_text.ToString());
    }
}

[Cmdlet(VerbsData.Out, "File", SupportsShouldProcess = true)]
public sealed class OutFile : FrontEndCommandBase
{
    [Parameter(Mandatory = true, Position = 0), Alias("Path", "LiteralPath")] public string FilePath { get; set; } = "";
    [Parameter] public SwitchParameter Append { get; set; }
    [Parameter] public SwitchParameter Force { get; set; }
    [Parameter, ValidateRange(2, int.MaxValue)] public int Width { get; set; }

    StreamWriter? _file;
    TextWriter _lines = TextWriter.Null;

    protected override void BeginProcessing()
    {
        string path = SessionState.Path.GetUnresolvedProviderPathFromPSPath(FilePath);
        var file = ShouldProcess(path) ? new StreamWriter(path, Append) : StreamWriter.Null;
        _file = file;
        _lines = Formatter.Lines(this, file.WriteLine, Width > 0 ? Width : 120, Host.CurrentCulture);
        base.BeginProcessing();
    }

    protected override void EndProcessing()
    {
        base.EndProcessing();
        _lines.Flush();
        _file?.Dispose();
    }

    protected override void StopProcessing() => _file?.Dispose();
}
