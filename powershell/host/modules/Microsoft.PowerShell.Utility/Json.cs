// Owns ConvertTo-Json and ConvertFrom-Json.

using System.Collections;
using System.Collections.Specialized;
using System.Management.Automation;
using System.Text;
using Newtonsoft.Json;
using Newtonsoft.Json.Linq;

namespace Twofold.PowerShell.Utility;

[Cmdlet(VerbsData.ConvertFrom, "Json")]
public sealed class ConvertFromJson : PSCmdlet
{
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true), AllowEmptyString] public string InputObject { get; set; } = "";
    [Parameter] public SwitchParameter AsHashtable { get; set; }
    [Parameter, ValidateRange(1, int.MaxValue)] public int Depth { get; set; } = 1024;
    [Parameter] public SwitchParameter NoEnumerate { get; set; }

    readonly StringBuilder _text = new();

    protected override void ProcessRecord() => _text.AppendLine(InputObject);

    protected override void EndProcessing()
    {
        if (string.IsNullOrWhiteSpace(_text.ToString())) return;
        try
        {
            using var reader = new JsonTextReader(new StringReader(_text.ToString())) { MaxDepth = Depth };
            WriteObject(Value(JToken.ReadFrom(reader)), !NoEnumerate);
        }
        catch (JsonReaderException error)
        {
            ThrowTerminatingError(new ErrorRecord(new ArgumentException($"Conversion from JSON failed with error: {error.Message}", error), "System.ArgumentException", ErrorCategory.NotSpecified, null));
        }
    }

    object? Value(JToken token)
    {
        switch (token)
        {
            case JObject members when AsHashtable:
                var table = new OrderedDictionary(StringComparer.Ordinal);
                foreach (var member in members.Properties()) table[member.Name] = Value(member.Value);
                return table;
            case JObject members:
                var made = new PSObject();
                foreach (var member in members.Properties()) made.Properties.Add(new PSNoteProperty(member.Name, Value(member.Value)), preValidated: true);
                return made;
            case JArray items: return items.Select(Value).ToArray();
            case JValue plain: return plain.Value;
            default: throw new NotSupportedException(token.Type.ToString());
        }
    }
}

[Cmdlet(VerbsData.ConvertTo, "Json")]
[OutputType(typeof(string))]
public sealed class ConvertToJson : PSCmdlet
{
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true), AllowNull] public object? InputObject { get; set; }
    [Parameter, ValidateRange(0, 100)] public int Depth { get; set; } = 2;
    [Parameter] public SwitchParameter Compress { get; set; }
    [Parameter] public SwitchParameter AsArray { get; set; }
    [Parameter] public SwitchParameter EnumsAsStrings { get; set; }

    readonly List<object?> _all = [];

    protected override void ProcessRecord() => _all.Add(InputObject);

    protected override void EndProcessing()
    {
        if (_all.Count == 0) return;
        object? value = _all.Count == 1 && !AsArray ? Plain(_all[0], 0) : _all.Select(one => Plain(one, 1)).ToArray();
        WriteObject(JsonConvert.SerializeObject(value, Compress ? Formatting.None : Formatting.Indented));
    }

    object? Plain(object? given, int level)
    {
        if (given is null) return null;
        var shown = PSObject.AsPSObject(given);
        switch (shown.BaseObject)
        {
            case DBNull: return null;
            case Enum value: return EnumsAsStrings ? value.ToString() : Convert.ToInt64(value);
            case string or bool or char or decimal or DateTime or DateTimeOffset or Uri or System.Numerics.BigInteger: return shown.BaseObject;
            case Guid or Version: return shown.BaseObject.ToString();
            case { } value when value.GetType().IsPrimitive: return value;
        }
        if (level > Depth) return shown.ToString();
        var members = new OrderedDictionary();
        if (shown.BaseObject is IDictionary table)
        {
            foreach (DictionaryEntry entry in table) members[entry.Key.ToString()!] = Plain(entry.Value, level + 1);
            return members;
        }
        if (shown.BaseObject is IEnumerable items) return items.Cast<object?>().Select(one => Plain(one, level + 1)).ToArray();
        foreach (var property in shown.Properties) members[property.Name] = Plain(Read(property), level + 1);
        return members;
    }

    /// <summary>A property that cannot be read (of a process that has gone, say) is nothing, as in the original.</summary>
    static object? Read(PSPropertyInfo property)
    {
        try
        {
            return property.Value;
        }
        catch (GetValueException)
        {
            return null;
        }
    }
}
