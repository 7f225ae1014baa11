// Owns items and their content, straight from the engine's providers: Get-, New-, Remove-Item, Get-ChildItem, Get-, Set-, Add-Content.

using System.Management.Automation;

namespace Twofold.PowerShell.Management;

public abstract class PathCommand : PSCmdlet
{
    [Parameter(Position = 0, Mandatory = true, ValueFromPipeline = true, ParameterSetName = "Path")] public virtual string[] Path { get; set; } = [];
    [Parameter(Mandatory = true, ValueFromPipelineByPropertyName = true, ParameterSetName = "LiteralPath"), Alias("PSPath", "LP")]
    public string[] LiteralPath { get => Path; set => Path = value; }
    [Parameter] public SwitchParameter Force { get; set; }

    protected bool Literal => ParameterSetName == "LiteralPath";

    /// <summary>Does it for each path; one that is not there is an error of that path alone.</summary>
    protected void ForEach(Action<string> act)
    {
        foreach (string path in Path)
        {
            try
            {
                act(path);
            }
            catch (RuntimeException error) when (error is ItemNotFoundException or System.Management.Automation.DriveNotFoundException or ProviderInvocationException)
            {
                WriteError(new ErrorRecord(error.ErrorRecord, error));
            }
        }
    }
}

[Cmdlet(VerbsCommon.Get, "Item", DefaultParameterSetName = "Path")]
public sealed class GetItem : PathCommand
{
    protected override void ProcessRecord() => ForEach(path => WriteObject(InvokeProvider.Item.Get([path], Force, Literal), enumerateCollection: true));
}

[Cmdlet(VerbsCommon.Get, "ChildItem", DefaultParameterSetName = "Path")]
public sealed class GetChildItem : PathCommand
{
    [Parameter(Position = 0, ValueFromPipeline = true, ParameterSetName = "Path")] public override string[] Path { get; set; } = ["."];
    [Parameter(Position = 1)] public string Filter { get; set; } = "*";
    [Parameter, Alias("s")] public SwitchParameter Recurse { get; set; }
    [Parameter] public SwitchParameter Name { get; set; }
    [Parameter, Alias("ad")] public SwitchParameter Directory { get; set; }
    [Parameter, Alias("af")] public SwitchParameter File { get; set; }

    protected override void ProcessRecord()
    {
        var filter = WildcardPattern.Get(Filter, WildcardOptions.IgnoreCase);
        ForEach(path =>
        {
            foreach (var item in InvokeProvider.ChildItem.Get([path], Recurse, Force, Literal))
            {
                string name = item.Properties["PSChildName"]?.Value?.ToString() ?? item.ToString();
                bool container = item.Properties["PSIsContainer"]?.Value is true;
                if (!filter.IsMatch(name) || (Directory && !container) || (File && container)) continue;
                WriteObject(Name ? name : item);
            }
        });
    }
}

[Cmdlet(VerbsCommon.New, "Item", SupportsShouldProcess = true)]
public sealed class NewItem : PSCmdlet
{
    [Parameter(Mandatory = true, Position = 0)] public string[] Path { get; set; } = [];
    [Parameter] public string Name { get; set; } = "";
    [Parameter, Alias("Type")] public string ItemType { get; set; } = "File";
    [Parameter(ValueFromPipeline = true), Alias("Target")] public object? Value { get; set; }
    [Parameter] public SwitchParameter Force { get; set; }
    protected override void ProcessRecord()
    {
        foreach (string path in Path) if (ShouldProcess(path, "New-Item")) WriteObject(InvokeProvider.Item.New([path], Name, ItemType, Value, Force), enumerateCollection: true);
    }
}

[Cmdlet(VerbsCommon.Remove, "Item", SupportsShouldProcess = true, DefaultParameterSetName = "Path")]
public sealed class RemoveItem : PathCommand
{
    [Parameter] public SwitchParameter Recurse { get; set; }
    protected override void ProcessRecord() => ForEach(path =>
    {
        if (ShouldProcess(path, "Remove-Item")) InvokeProvider.Item.Remove([path], Recurse, Force, Literal);
    });
}

[Cmdlet(VerbsCommon.Get, "Content", DefaultParameterSetName = "Path")]
public sealed class GetContent : PathCommand
{
    [Parameter] public SwitchParameter Raw { get; set; }
    [Parameter, Alias("First", "Head")] public int TotalCount { get; set; } = int.MaxValue;
    [Parameter, Alias("Last")] public int Tail { get; set; } = int.MaxValue;
    protected override void ProcessRecord() => ForEach(path =>
    {
        foreach (string file in Literal ? [SessionState.Path.GetUnresolvedProviderPathFromPSPath(path)] : SessionState.Path.GetResolvedProviderPathFromPSPath(path, out _).ToArray())
        {
            if (Raw) WriteObject(System.IO.File.ReadAllText(file));
            else WriteObject(Tail == int.MaxValue ? System.IO.File.ReadLines(file).Take(TotalCount) : System.IO.File.ReadLines(file).TakeLast(Tail), enumerateCollection: true);
        }
    });
}

public abstract class WriteContent : PathCommand
{
    [Parameter(Mandatory = true, Position = 1, ValueFromPipeline = true), AllowNull, AllowEmptyCollection] public object?[]? Value { get; set; }
    [Parameter(Position = 0, Mandatory = true, ParameterSetName = "Path")] public override string[] Path { get; set; } = [];
    [Parameter] public SwitchParameter NoNewline { get; set; }

    readonly List<string> _lines = [];

    protected abstract bool Append { get; }

    protected override void ProcessRecord() => _lines.AddRange((Value ?? []).Select(one => LanguagePrimitives.ConvertTo<string>(one)));

    protected override void EndProcessing()
    {
        string text = string.Concat(_lines.Select(line => NoNewline ? line : $"{line}{Environment.NewLine}"));
        foreach (string path in Path)
        {
            string file = SessionState.Path.GetUnresolvedProviderPathFromPSPath(path);
            if (!ShouldProcess(file)) continue;
            if (Append) System.IO.File.AppendAllText(file, text);
            else System.IO.File.WriteAllText(file, text);
        }
    }
}

[Cmdlet(VerbsCommon.Set, "Content", SupportsShouldProcess = true, DefaultParameterSetName = "Path")]
public sealed class SetContent : WriteContent { protected override bool Append => false; }

[Cmdlet(VerbsCommon.Add, "Content", SupportsShouldProcess = true, DefaultParameterSetName = "Path")]
public sealed class AddContent : WriteContent { protected override bool Append => true; }
