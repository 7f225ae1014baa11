// Owns the way to the engine's own formatter: its public bases lack one member, which only this sets. Does not own any formatting.

using System.Globalization;
using System.Management.Automation;
using System.Reflection;
using Microsoft.PowerShell.Commands.Internal.Format;

namespace Twofold.PowerShell.Utility;

static class Formatter
{
    const BindingFlags Any = BindingFlags.Instance | BindingFlags.NonPublic | BindingFlags.Public;

    public static void Shape(FrontEndCommandBase command, string shape) =>
        Implement(command, Make("InnerFormatShapeCommand", Enum.Parse(Type("FormatShape"), shape)));

    /// <summary>Formats what the command is given into lines of at most so many cells.</summary>
    public static TextWriter Lines(FrontEndCommandBase command, Action<string> take, int width, CultureInfo culture)
    {
        var callback = Delegate.CreateDelegate(Type("StreamingTextWriter+WriteLineCallback"), take.Target, take.Method);
        var writer = (TextWriter)Make("StreamingTextWriter", callback, culture);
        var manager = Make("OutputManagerInner");
        Set(manager, "LineOutput", Make("TextWriterLineOutput", writer, width));
        Implement(command, manager);
        return writer;
    }

    static void Implement(FrontEndCommandBase command, object implementation) => Set(command, "implementation", implementation);
    static Type Type(string name) => typeof(PSObject).Assembly.GetType($"Microsoft.PowerShell.Commands.Internal.Format.{name}", throwOnError: true)!;
    static object Make(string name, params object[] arguments) => Activator.CreateInstance(Type(name), Any, null, arguments, null)!;

    static void Set(object target, string member, object value)
    {
        for (var type = target.GetType(); type is not null; type = type.BaseType)
        {
            if (type.GetField(member, Any | BindingFlags.DeclaredOnly) is { } field) { field.SetValue(target, value); return; }
            if (type.GetProperty(member, Any | BindingFlags.DeclaredOnly) is { } property) { property.SetValue(target, value); return; }
        }
        throw new MissingMemberException(target.GetType().FullName, member);
    }
}
