// Owns the small ones: variables, aliases, time.

using System.Collections.ObjectModel;
using System.Diagnostics;
using System.Management.Automation;
using System.Management.Automation.Runspaces;

namespace Twofold.PowerShell.Utility;

[Cmdlet(VerbsCommon.Get, "Variable")]
public sealed class GetVariable : PSCmdlet
{
    [Parameter(Position = 0)] public string[] Name { get; set; } = ["*"];
    [Parameter] public SwitchParameter ValueOnly { get; set; }
    protected override void ProcessRecord()
    {
        foreach (string name in Name)
        {
            bool wild = WildcardPattern.ContainsWildcardCharacters(name);
            var found = InvokeProvider.Item.Get([$"variable:{name}"], true, !wild).Select(one => (PSVariable)one.BaseObject).ToList();
            if (found.Count == 0 && !wild) WriteError(new ErrorRecord(new ItemNotFoundException($"Cannot find a variable with the name '{name}'."), "VariableNotFound", ErrorCategory.ObjectNotFound, name));
            foreach (var variable in found) WriteObject(ValueOnly ? variable.Value : variable);
        }
    }
}

[Cmdlet(VerbsCommon.Set, "Variable")]
public sealed class SetVariable : PSCmdlet
{
    [Parameter(Mandatory = true, Position = 0)] public string Name { get; set; } = "";
    [Parameter(Position = 1), AllowNull] public object? Value { get; set; }
    [Parameter] public string Scope { get; set; } = "";
    protected override void EndProcessing() => SessionState.PSVariable.Set(Scope.Length > 0 ? $"{Scope}:{Name}" : Name, Value);
}

[Cmdlet(VerbsCommon.Get, "Alias", DefaultParameterSetName = "Default")]
public sealed class GetAlias : PSCmdlet
{
    [Parameter(Position = 0, ParameterSetName = "Default")] public string[] Name { get; set; } = ["*"];
    [Parameter(ParameterSetName = "Definition")] public string? Definition { get; set; }
    protected override void ProcessRecord()
    {
        var definition = WildcardPattern.Get(Definition ?? "*", WildcardOptions.IgnoreCase);
        foreach (string name in Name)
            WriteObject(InvokeCommand.GetCommands(name, CommandTypes.Alias, nameIsPattern: true).Where(one => definition.IsMatch(one.Definition)).OrderBy(one => one.Name), enumerateCollection: true);
    }
}

[Cmdlet(VerbsCommon.Set, "Alias")]
public sealed class SetAlias : PSCmdlet
{
    [Parameter(Mandatory = true, Position = 0)] public string Name { get; set; } = "";
    [Parameter(Mandatory = true, Position = 1)] public string Value { get; set; } = "";
    [Parameter] public SwitchParameter Force { get; set; }
    protected override void EndProcessing() => InvokeProvider.Item.Set([$"alias:{Name}"], Value, Force, true);
}

[Cmdlet(VerbsLifecycle.Start, "Sleep", DefaultParameterSetName = "Seconds")]
public sealed class StartSleep : PSCmdlet, IDisposable
{
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true, ParameterSetName = "Seconds"), ValidateRange(0.0, 2147483.0)] public double Seconds { get; set; }
    [Parameter(Mandatory = true, ParameterSetName = "Milliseconds"), Alias("ms"), ValidateRange(0, int.MaxValue)] public int Milliseconds { get; set; }
    readonly ManualResetEventSlim _stopped = new();
    protected override void ProcessRecord() => _stopped.Wait(ParameterSetName == "Seconds" ? (int)(Seconds * 1000) : Milliseconds);
    protected override void StopProcessing() => _stopped.Set();
    public void Dispose() => _stopped.Dispose();
}

[Cmdlet(VerbsCommon.Get, "Date")]
public sealed class GetDate : PSCmdlet
{
    [Parameter(Position = 0, ValueFromPipeline = true)] public DateTime Date { get; set; } = DateTime.Now;
    [Parameter] public string? Format { get; set; }
    [Parameter] public SwitchParameter AsUTC { get; set; }
    protected override void ProcessRecord()
    {
        var date = AsUTC ? Date.ToUniversalTime() : Date;
        WriteObject(Format is null ? date : date.ToString(Format));
    }
}

[Cmdlet("Measure", "Command")]
public sealed class MeasureCommand : PSCmdlet
{
    [Parameter(Mandatory = true, Position = 0)] public ScriptBlock Expression { get; set; } = ScriptBlock.Create("");
    protected override void EndProcessing()
    {
        var watch = Stopwatch.StartNew();
        InvokeCommand.InvokeScript(false, Expression, null);
        WriteObject(watch.Elapsed);
    }
}

[Cmdlet(VerbsCommon.New, "Guid")]
public sealed class NewGuid : PSCmdlet
{
    protected override void EndProcessing() => WriteObject(Guid.NewGuid());
}

[Cmdlet("Tee", "Object")]
public sealed class TeeObject : ObjectCommand
{
    [Parameter(Mandatory = true, Position = 0)] public string Variable { get; set; } = "";
    readonly Collection<PSObject> _seen = [];
    protected override void Take(PSObject input)
    {
        _seen.Add(input);
        WriteObject(input);
    }
    protected override void EndProcessing() => SessionState.PSVariable.Set(Variable, _seen.Count == 1 ? _seen[0] : _seen);
}
