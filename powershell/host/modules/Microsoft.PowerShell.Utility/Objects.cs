// Owns New-Object, Add-Member and Get-Member.

using System.Collections;
using System.Management.Automation;
using Microsoft.PowerShell.Commands;

namespace Microsoft.PowerShell.Commands
{
    /// <summary>A member as Get-Member tells of it; the engine's formats know it by this name.</summary>
    public sealed record MemberDefinition(string TypeName, string Name, PSMemberTypes MemberType, string Definition)
    {
        public override string ToString() => Definition;
    }
}

namespace Twofold.PowerShell.Utility
{
    [Cmdlet(VerbsCommon.New, "Object")]
    public sealed class NewObject : PSCmdlet
    {
        [Parameter(Mandatory = true, Position = 0)] public string TypeName { get; set; } = "";
        [Parameter(Position = 1), Alias("Args")] public object[] ArgumentList { get; set; } = [];
        [Parameter] public IDictionary Property { get; set; } = new Hashtable();

        protected override void EndProcessing()
        {
            if (!LanguagePrimitives.TryConvertTo(TypeName, out Type type))
                ThrowTerminatingError(new ErrorRecord(new PSArgumentException($"Cannot find type [{TypeName}]: verify that the assembly containing this type is loaded."), "TypeNotFound", ErrorCategory.InvalidType, TypeName));
            var arguments = ArgumentList.Select(one => one is PSObject wrapped ? wrapped.BaseObject : one).ToArray();
            var made = type == typeof(PSObject) ? new PSObject() : PSObject.AsPSObject(Activator.CreateInstance(type, arguments)!);
            foreach (DictionaryEntry entry in Property)
            {
                string name = entry.Key.ToString()!;
                if (made.Properties[name] is { } property) property.Value = entry.Value;
                else made.Properties.Add(new PSNoteProperty(name, entry.Value));
            }
            WriteObject(made);
        }
    }

    [Cmdlet(VerbsCommon.Add, "Member", DefaultParameterSetName = "TypeNameSet")]
    public sealed class AddMember : PSCmdlet
    {
        [Parameter(Mandatory = true, ValueFromPipeline = true)] public PSObject InputObject { get; set; } = new();
        [Parameter(Mandatory = true, Position = 0, ParameterSetName = "MemberSet"), Alias("Type")] public PSMemberTypes MemberType { get; set; }
        [Parameter(Mandatory = true, Position = 1, ParameterSetName = "MemberSet")] public string Name { get; set; } = "";
        [Parameter(Position = 2, ParameterSetName = "MemberSet")] public object? Value { get; set; }
        [Parameter(Position = 3, ParameterSetName = "MemberSet")] public object? SecondValue { get; set; }
        [Parameter(Mandatory = true, Position = 0, ParameterSetName = "NotePropertySingleMemberSet")] public string NotePropertyName { get; set; } = "";
        [Parameter(Mandatory = true, Position = 1, ParameterSetName = "NotePropertySingleMemberSet"), AllowNull] public object? NotePropertyValue { get; set; }
        [Parameter(Mandatory = true, Position = 0, ParameterSetName = "NotePropertyMultiMemberSet")] public IDictionary NotePropertyMembers { get; set; } = new Hashtable();
        [Parameter] public string? TypeName { get; set; }
        [Parameter] public SwitchParameter Force { get; set; }
        [Parameter] public SwitchParameter PassThru { get; set; }

        protected override void ProcessRecord()
        {
            foreach (var member in Members())
            {
                if (Force && InputObject.Members[member.Name] is { IsInstance: true }) InputObject.Members.Remove(member.Name);
                InputObject.Members.Add(member);
            }
            if (TypeName is not null) InputObject.TypeNames.Insert(0, TypeName);
            if (PassThru || ParameterSetName == "TypeNameSet") WriteObject(InputObject);
        }

        IEnumerable<PSMemberInfo> Members() => ParameterSetName switch
        {
            "MemberSet" => [One()],
            "NotePropertySingleMemberSet" => [new PSNoteProperty(NotePropertyName, NotePropertyValue)],
            "NotePropertyMultiMemberSet" => NotePropertyMembers.Cast<DictionaryEntry>().Select(entry => new PSNoteProperty(entry.Key.ToString(), entry.Value)),
            _ => [],
        };

        PSMemberInfo One()
        {
            ScriptBlock? Script(object? value) => LanguagePrimitives.ConvertTo<ScriptBlock?>(value);
            return MemberType switch
            {
                PSMemberTypes.NoteProperty => new PSNoteProperty(Name, Value),
                PSMemberTypes.AliasProperty => new PSAliasProperty(Name, LanguagePrimitives.ConvertTo<string>(Value)),
                PSMemberTypes.ScriptMethod => new PSScriptMethod(Name, Script(Value)),
                PSMemberTypes.ScriptProperty => SecondValue is null ? new PSScriptProperty(Name, Script(Value)) : new PSScriptProperty(Name, Script(Value), Script(SecondValue)),
                _ => throw new PSArgumentException($"Members of type {MemberType} are not added here."),
            };
        }
    }

    [Cmdlet(VerbsCommon.Get, "Member")]
    public sealed class GetMember : ObjectCommand
    {
        [Parameter(Position = 0)] public string[] Name { get; set; } = ["*"];
        [Parameter, Alias("Type")] public PSMemberTypes MemberType { get; set; } = PSMemberTypes.All;
        [Parameter] public SwitchParameter Force { get; set; }

        readonly HashSet<string> _types = [];

        protected override void Take(PSObject input)
        {
            string type = input.TypeNames.Count > 0 ? input.TypeNames[0] : input.BaseObject.GetType().FullName!;
            if (!_types.Add(type)) return;
            var patterns = Name.Select(name => WildcardPattern.Get(name, WildcardOptions.IgnoreCase)).ToArray();
            WriteObject(input.Members
                .Where(member => (member.MemberType & MemberType) != 0 && patterns.Any(pattern => pattern.IsMatch(member.Name)) && (Force || !IsHidden(member)))
                .OrderBy(member => member.MemberType.ToString()).ThenBy(member => member.Name, StringComparer.OrdinalIgnoreCase)
                .Select(member => new MemberDefinition(type, member.Name, member.MemberType, member.ToString()!)), enumerateCollection: true);
        }

        static bool IsHidden(PSMemberInfo member) =>
            member.MemberType is PSMemberTypes.MemberSet || member.Name.StartsWith("get_") || member.Name.StartsWith("set_") || member.Name.StartsWith("add_") || member.Name.StartsWith("remove_");
    }
}
