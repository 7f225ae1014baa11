// Owns Select-Object.

using System.Management.Automation;
using System.Reflection;

namespace Twofold.PowerShell.Utility;

[Cmdlet(VerbsCommon.Select, "Object", DefaultParameterSetName = "Default")]
public sealed class SelectObject : ObjectCommand
{
    [Parameter(Position = 0)] public object[]? Property { get; set; }
    [Parameter] public string[] ExcludeProperty { get; set; } = [];
    [Parameter] public string? ExpandProperty { get; set; }
    [Parameter] public SwitchParameter Unique { get; set; }
    [Parameter, ValidateRange(0, int.MaxValue)] public int? First { get; set; }
    [Parameter, ValidateRange(0, int.MaxValue)] public int? Last { get; set; }
    [Parameter, ValidateRange(0, int.MaxValue)] public int Skip { get; set; }
    [Parameter, ValidateRange(0, int.MaxValue)] public int SkipLast { get; set; }
    [Parameter] public int[]? Index { get; set; }
    [Parameter] public SwitchParameter Wait { get; set; }

    readonly Queue<PSObject> _held = new();
    readonly List<PSObject> _unique = [];
    List<PropertySpecification> _properties = [];
    WildcardPattern[] _excluded = [];
    int _seen, _taken;

    protected override void BeginProcessing()
    {
        _properties = PropertySpecification.Parse(Property ?? (ExcludeProperty.Length > 0 ? ["*"] : null));
        _excluded = [.. ExcludeProperty.Select(name => WildcardPattern.Get(name, WildcardOptions.IgnoreCase))];
    }

    protected override void Take(PSObject input)
    {
        int index = _seen++;
        if (Index is not null)
        {
            if (Index.Contains(index)) Emit(input);
        }
        else if (Last is not null)
        {
            _held.Enqueue(input);
            if (_held.Count > Last + Skip) _held.Dequeue();
        }
        else if (index >= Skip)
        {
            if (SkipLast > 0)
            {
                _held.Enqueue(input);
                if (_held.Count <= SkipLast) return;
                input = _held.Dequeue();
            }
            if (First is null || _taken < First) Emit(input);
            if (++_taken >= First && !Wait) StopUpstream();
        }
    }

    protected override void EndProcessing()
    {
        if (Last is null) return;
        // The skipped ones are the last ones then.
        while (_held.Count > Skip) Emit(_held.Dequeue());
    }

    /// <summary>Ends the commands before this one, as the original does. The exception that says so is not public.</summary>
    void StopUpstream()
    {
        var type = typeof(PSObject).Assembly.GetType("System.Management.Automation.StopUpstreamCommandsException", throwOnError: true)!;
        throw (Exception)Activator.CreateInstance(type, BindingFlags.Instance | BindingFlags.NonPublic | BindingFlags.Public, null, [this], null)!;
    }

    void Emit(PSObject input)
    {
        if (ExpandProperty is not null) Expand(input);
        else if (_properties.Count == 0) Write(input);
        else Write(Selected(input));
    }

    void Expand(PSObject input)
    {
        var found = new Microsoft.PowerShell.Commands.PSPropertyExpression(ExpandProperty!).GetValues(input);
        if (found.Count == 0)
        {
            WriteError(new ErrorRecord(new PSArgumentException($"Property \"{ExpandProperty}\" cannot be found."), "ExpandPropertyNotFound", ErrorCategory.InvalidArgument, input));
            return;
        }
        foreach (var result in found)
        {
            if (LanguagePrimitives.GetEnumerable(result.Result) is { } many) foreach (object one in many) Write(one);
            else if (result.Result is not null) Write(result.Result);
        }
    }

    PSObject Selected(PSObject input)
    {
        var selected = new PSObject();
        selected.TypeNames.Insert(0, $"Selected.{input.BaseObject.GetType()}");
        foreach (var property in _properties.SelectMany(one => one.Resolve(input)))
        {
            if (selected.Properties[property.Name] is not null || _excluded.Any(pattern => pattern.IsMatch(property.Name))) continue;
            selected.Properties.Add(new PSNoteProperty(property.Name, property.Value(input)));
        }
        return selected;
    }

    void Write(object value)
    {
        var shown = PSObject.AsPSObject(value);
        if (Unique)
        {
            if (_unique.Any(known => Same(known, shown))) return;
            _unique.Add(shown);
        }
        WriteObject(value);
    }

    static bool Same(PSObject left, PSObject right)
    {
        var order = new ValueOrder(caseSensitive: true);
        if (left.BaseObject is not PSCustomObject) return order.Equals(left.BaseObject, right.BaseObject);
        return left.Properties.Count() == right.Properties.Count() && left.Properties.All(property => order.Equals(property.Value, right.Properties[property.Name]?.Value));
    }
}
