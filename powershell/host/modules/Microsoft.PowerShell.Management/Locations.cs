// Owns locations and paths: Get-, Set-, Push-, Pop-Location, Join-, Split-, Resolve-, Convert-, Test-Path.

using System.Management.Automation;

namespace Twofold.PowerShell.Management;

[Cmdlet(VerbsCommon.Get, "Location")]
public sealed class GetLocation : PSCmdlet
{
    protected override void EndProcessing() => WriteObject(SessionState.Path.CurrentLocation);
}

[Cmdlet(VerbsCommon.Set, "Location")]
public sealed class SetLocation : PSCmdlet
{
    [Parameter(Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true), Alias("LiteralPath", "PSPath")] public string Path { get; set; } = "~";
    [Parameter] public SwitchParameter PassThru { get; set; }
    protected override void ProcessRecord()
    {
        var location = SessionState.Path.SetLocation(Path);
        if (PassThru) WriteObject(location);
    }
}

[Cmdlet(VerbsCommon.Push, "Location")]
public sealed class PushLocation : PSCmdlet
{
    [Parameter(Position = 0)] public string? Path { get; set; }
    protected override void EndProcessing()
    {
        SessionState.Path.PushCurrentLocation("default");
        if (Path is not null) SessionState.Path.SetLocation(Path);
    }
}

[Cmdlet(VerbsCommon.Pop, "Location")]
public sealed class PopLocation : PSCmdlet
{
    protected override void EndProcessing() => SessionState.Path.PopLocation("default");
}

[Cmdlet(VerbsCommon.Join, "Path")]
public sealed class JoinPath : PSCmdlet
{
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true)] public string[] Path { get; set; } = [];
    [Parameter(Mandatory = true, Position = 1), AllowEmptyString] public string ChildPath { get; set; } = "";
    [Parameter(Position = 2, ValueFromRemainingArguments = true)] public string[] AdditionalChildPath { get; set; } = [];
    protected override void ProcessRecord()
    {
        foreach (string path in Path) WriteObject(AdditionalChildPath.Prepend(ChildPath).Aggregate(path, SessionState.Path.Combine));
    }
}

[Cmdlet(VerbsCommon.Split, "Path", DefaultParameterSetName = "Parent")]
public sealed class SplitPath : PSCmdlet
{
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true), Alias("LiteralPath")] public string[] Path { get; set; } = [];
    [Parameter(ParameterSetName = "Parent")] public SwitchParameter Parent { get; set; }
    [Parameter(Mandatory = true, ParameterSetName = "Leaf")] public SwitchParameter Leaf { get; set; }
    [Parameter(Mandatory = true, ParameterSetName = "LeafBase")] public SwitchParameter LeafBase { get; set; }
    [Parameter(Mandatory = true, ParameterSetName = "Extension")] public SwitchParameter Extension { get; set; }
    protected override void ProcessRecord()
    {
        foreach (string path in Path)
        {
            WriteObject(ParameterSetName switch
            {
                "Leaf" => SessionState.Path.ParseChildName(path),
                "LeafBase" => System.IO.Path.GetFileNameWithoutExtension(path),
                "Extension" => System.IO.Path.GetExtension(path),
                _ => SessionState.Path.ParseParent(path, ""),
            });
        }
    }
}

[Cmdlet(VerbsDiagnostic.Resolve, "Path")]
public sealed class ResolvePath : PSCmdlet
{
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true), Alias("LiteralPath")] public string[] Path { get; set; } = [];
    protected override void ProcessRecord()
    {
        foreach (string path in Path) WriteObject(SessionState.Path.GetResolvedPSPathFromPSPath(path), enumerateCollection: true);
    }
}

[Cmdlet(VerbsData.Convert, "Path")]
public sealed class ConvertPath : PSCmdlet
{
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true), Alias("LiteralPath")] public string[] Path { get; set; } = [];
    protected override void ProcessRecord()
    {
        foreach (string path in Path) WriteObject(SessionState.Path.GetResolvedProviderPathFromPSPath(path, out _), enumerateCollection: true);
    }
}

[Cmdlet(VerbsDiagnostic.Test, "Path", DefaultParameterSetName = "Path")]
[OutputType(typeof(bool))]
public sealed class TestPath : PSCmdlet
{
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true, ParameterSetName = "Path")] public string[] Path { get; set; } = [];
    [Parameter(Mandatory = true, ValueFromPipelineByPropertyName = true, ParameterSetName = "LiteralPath"), Alias("PSPath")] public string[] LiteralPath { get => Path; set => Path = value; }
    [Parameter, Alias("Type"), ValidateSet("Any", "Container", "Leaf")] public string PathType { get; set; } = "Any";
    protected override void ProcessRecord()
    {
        foreach (string path in Path)
        {
            bool there = InvokeProvider.Item.Exists(path, force: true, literalPath: ParameterSetName == "LiteralPath");
            WriteObject(there && (PathType == "Any" || InvokeProvider.Item.IsContainer(path) == (PathType == "Container")));
        }
    }
}
