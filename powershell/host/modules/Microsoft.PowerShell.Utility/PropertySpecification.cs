// Owns how Select-, Sort- and Group-Object name properties: a name, a wildcard, a script block, or @{Name=…; Expression=…; Descending=…}.

using System.Collections;
using System.Management.Automation;
using Microsoft.PowerShell.Commands;

namespace Twofold.PowerShell.Utility;

sealed record PropertySpecification(string Name, PSPropertyExpression Expression, bool? Descending = null)
{
    public static List<PropertySpecification> Parse(IEnumerable<object>? given) => [.. (given ?? []).Select(one => One(Plain(one)!))];

    static object? Plain(object? value) => value is PSObject wrapped ? wrapped.BaseObject : value;

    static PropertySpecification One(object given)
    {
        if (given is not IDictionary table) return new(given.ToString()!, Expressed(given));
        string? name = null;
        PSPropertyExpression? expression = null;
        bool? descending = null;
        foreach (DictionaryEntry entry in table)
        {
            string key = entry.Key.ToString()!.ToLowerInvariant();
            object? value = Plain(entry.Value);
            if (key.Length == 0 || value is null) continue;
            if ("name".StartsWith(key) || "label".StartsWith(key)) name = value.ToString();
            else if ("expression".StartsWith(key)) expression = Expressed(value);
            else if ("descending".StartsWith(key)) descending = LanguagePrimitives.IsTrue(value);
            else if ("ascending".StartsWith(key)) descending = !LanguagePrimitives.IsTrue(value);
            else throw new PSArgumentException($"The {entry.Key} key is not valid.");
        }
        expression ??= new PSPropertyExpression(name ?? throw new PSArgumentException("A calculated property needs an Expression."));
        return new(name ?? expression.ToString(), expression, descending);
    }

    static PSPropertyExpression Expressed(object value) => value is ScriptBlock script ? new(script) : new(value.ToString()!);

    public object? Value(PSObject of) => Expression.GetValues(of) is { Count: > 0 } results ? results[0].Result : null;

    /// <summary>The properties that a name means in this object, by their own names; one that is not there, or is calculated, as it was given.</summary>
    public IEnumerable<PropertySpecification> Resolve(PSObject of)
    {
        if (Expression.Script is not null || Name != Expression.ToString()) return [this];
        var found = Expression.ResolveNames(of);
        if (found.Count > 0) return found.Select(one => new PropertySpecification(one.ToString(), one));
        return WildcardPattern.ContainsWildcardCharacters(Name) ? [] : [this];
    }
}

/// <summary>As PowerShell compares in Sort-Object: by value where the types allow it, as text otherwise; nothing comes first.</summary>
sealed class ValueOrder(bool caseSensitive) : IComparer<object?>, IEqualityComparer<object?>
{
    public int Compare(object? left, object? right)
    {
        if (left is null || right is null) return (left is null ? 0 : 1) - (right is null ? 0 : 1);
        try
        {
            return LanguagePrimitives.Compare(left, right, !caseSensitive);
        }
        catch (ArgumentException)
        {
            return string.Compare(PSObject.AsPSObject(left).ToString(), PSObject.AsPSObject(right).ToString(), caseSensitive ? StringComparison.CurrentCulture : StringComparison.CurrentCultureIgnoreCase);
        }
    }

    public new bool Equals(object? left, object? right) => Compare(left, right) == 0;
    public int GetHashCode(object? value) => 0;
}

public abstract class ObjectCommand : PSCmdlet
{
    [Parameter(ValueFromPipeline = true)] public PSObject? InputObject { get; set; } = System.Management.Automation.Internal.AutomationNull.Value;

    protected abstract void Take(PSObject input);

    protected override void ProcessRecord()
    {
        if (InputObject is not null && InputObject != System.Management.Automation.Internal.AutomationNull.Value) Take(InputObject);
    }
}
