// Owns Sort-Object, Group-Object and Measure-Object.

using System.Management.Automation;

namespace Twofold.PowerShell.Utility;

[Cmdlet("Sort", "Object")]
public sealed class SortObject : ObjectCommand
{
    [Parameter(Position = 0)] public object[]? Property { get; set; }
    [Parameter] public SwitchParameter Descending { get; set; }
    [Parameter] public SwitchParameter Unique { get; set; }
    [Parameter] public SwitchParameter CaseSensitive { get; set; }
    [Parameter, ValidateRange(1, int.MaxValue)] public int? Top { get; set; }

    readonly List<PSObject> _all = [];

    protected override void Take(PSObject input) => _all.Add(input);

    protected override void EndProcessing()
    {
        var order = new ValueOrder(CaseSensitive);
        var keys = PropertySpecification.Parse(Property).ConvertAll(one => (Value: (Func<PSObject, object?>)one.Value, Falling: one.Descending ?? Descending));
        if (keys.Count == 0) keys.Add((input => input.BaseObject, Descending));
        var sorted = keys.Aggregate(_all.Order(Comparer<PSObject>.Create((_, _) => 0)), (so, key) => key.Falling ? so.ThenByDescending(key.Value, order) : so.ThenBy(key.Value, order));
        IEnumerable<PSObject> result = sorted;
        if (Unique) result = Distinct(sorted, (left, right) => keys.TrueForAll(key => order.Equals(key.Value(left), key.Value(right))));
        WriteObject(Top is null ? result : result.Take(Top.Value), enumerateCollection: true);
    }

    static IEnumerable<PSObject> Distinct(IEnumerable<PSObject> sorted, Func<PSObject, PSObject, bool> same)
    {
        PSObject? before = null;
        foreach (var one in sorted)
        {
            if (before is null || !same(before, one)) yield return one;
            before = one;
        }
    }
}

[Cmdlet("Group", "Object")]
public sealed class GroupObject : ObjectCommand
{
    [Parameter(Position = 0)] public object[]? Property { get; set; }
    [Parameter] public SwitchParameter NoElement { get; set; }

    readonly List<PSObject> _all = [];

    protected override void Take(PSObject input) => _all.Add(input);

    protected override void EndProcessing()
    {
        var keys = PropertySpecification.Parse(Property);
        string Name(PSObject input) => keys.Count == 0 ? input.ToString() : string.Join(", ", keys.Select(key => LanguagePrimitives.ConvertTo<string>(key.Value(input))));
        foreach (var group in _all.GroupBy(Name, StringComparer.CurrentCultureIgnoreCase).OrderBy(group => group.Key, StringComparer.CurrentCultureIgnoreCase))
        {
            var shown = new PSObject();
            shown.TypeNames.Insert(0, NoElement ? "Microsoft.PowerShell.Commands.GroupInfoNoElement" : "Microsoft.PowerShell.Commands.GroupInfo");
            shown.Properties.Add(new PSNoteProperty("Count", group.Count()));
            shown.Properties.Add(new PSNoteProperty("Name", group.Key));
            if (!NoElement) shown.Properties.Add(new PSNoteProperty("Group", group.ToArray()));
            WriteObject(shown);
        }
    }
}

[Cmdlet("Measure", "Object")]
public sealed class MeasureObject : ObjectCommand
{
    [Parameter(Position = 0)] public string? Property { get; set; }
    [Parameter] public SwitchParameter Sum { get; set; }
    [Parameter] public SwitchParameter Average { get; set; }
    [Parameter] public SwitchParameter Maximum { get; set; }
    [Parameter] public SwitchParameter Minimum { get; set; }

    readonly List<double> _values = [];
    int _count;

    protected override void Take(PSObject input)
    {
        object? value = Property is null ? input : input.Properties[Property]?.Value;
        if (value is null) return;
        _count++;
        if (Sum || Average || Maximum || Minimum) _values.Add(LanguagePrimitives.ConvertTo<double>(value));
    }

    protected override void EndProcessing()
    {
        var result = new PSObject();
        result.TypeNames.Insert(0, "Microsoft.PowerShell.Commands.GenericMeasureInfo");
        bool any = _values.Count > 0;
        void Add(string name, object? value) => result.Properties.Add(new PSNoteProperty(name, value));
        Add("Count", _count);
        Add("Average", Average && any ? _values.Average() : null);
        Add("Sum", Sum && any ? _values.Sum() : null);
        Add("Maximum", Maximum && any ? _values.Max() : null);
        Add("Minimum", Minimum && any ? _values.Min() : null);
        Add("StandardDeviation", null);
        Add("Property", Property);
        WriteObject(result);
    }
}
