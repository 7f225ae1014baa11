// Owns the Write-… commands and Read-Host.

using System.Collections;
using System.Management.Automation;
using System.Reflection;

namespace Twofold.PowerShell.Utility;

[Cmdlet("Write", "Output")]
public sealed class WriteOutput : PSCmdlet
{
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true, ValueFromRemainingArguments = true), AllowNull, AllowEmptyCollection]
    public PSObject? InputObject { get; set; }
    [Parameter] public SwitchParameter NoEnumerate { get; set; }
    protected override void ProcessRecord() => WriteObject(InputObject, !NoEnumerate);
}

public abstract class MessageCommand : PSCmdlet
{
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true), AllowEmptyString, Alias("Msg")] public string Message { get; set; } = "";
}

[Cmdlet("Write", "Warning")]
public sealed class WriteWarningMessage : MessageCommand { protected override void ProcessRecord() => WriteWarning(Message); }

[Cmdlet("Write", "Verbose")]
public sealed class WriteVerboseMessage : MessageCommand { protected override void ProcessRecord() => WriteVerbose(Message); }

[Cmdlet("Write", "Debug")]
public sealed class WriteDebugMessage : MessageCommand { protected override void ProcessRecord() => WriteDebug(Message); }

[Cmdlet("Write", "Information")]
public sealed class WriteInformationMessage : PSCmdlet
{
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true), Alias("Msg", "Message"), AllowNull] public object? MessageData { get; set; }
    [Parameter(Position = 1)] public string[] Tags { get; set; } = [];
    protected override void ProcessRecord() => WriteInformation(MessageData, Tags);
}

[Cmdlet("Write", "Host")]
public sealed class WriteHost : PSCmdlet
{
    [Parameter(Position = 0, ValueFromPipeline = true, ValueFromRemainingArguments = true), Alias("Msg", "Message")] public object? Object { get; set; }
    [Parameter] public SwitchParameter NoNewline { get; set; }
    [Parameter] public object Separator { get; set; } = " ";
    [Parameter] public ConsoleColor? ForegroundColor { get; set; }
    [Parameter] public ConsoleColor? BackgroundColor { get; set; }

    protected override void ProcessRecord() => WriteInformation(
        new HostInformationMessage { Message = Text(Object), NoNewLine = NoNewline, ForegroundColor = ForegroundColor, BackgroundColor = BackgroundColor }, ["PSHOST"]);

    string Text(object? value) => value switch
    {
        null => "",
        string text => text,
        _ when LanguagePrimitives.GetEnumerable(value) is { } many => string.Join(Separator.ToString(), many.Cast<object?>().Select(Text)),
        _ => PSObject.AsPSObject(value).ToString(),
    };
}

[Cmdlet("Write", "Progress")]
public sealed class WriteProgressMessage : PSCmdlet
{
    [Parameter(Position = 0)] public string Activity { get; set; } = "Processing";
    [Parameter(Position = 1)] public string Status { get; set; } = "";
    [Parameter(Position = 2)] public int Id { get; set; }
    [Parameter] public int PercentComplete { get; set; } = -1;
    [Parameter] public int SecondsRemaining { get; set; } = -1;
    [Parameter] public string CurrentOperation { get; set; } = "";
    [Parameter] public int ParentId { get; set; } = -1;
    [Parameter] public SwitchParameter Completed { get; set; }

    protected override void ProcessRecord() => WriteProgress(new ProgressRecord(Id, Activity, Status.Length > 0 ? Status : " ")
    {
        PercentComplete = PercentComplete,
        SecondsRemaining = SecondsRemaining,
        CurrentOperation = CurrentOperation,
        ParentActivityId = ParentId,
        RecordType = Completed ? ProgressRecordType.Completed : ProgressRecordType.Processing,
    });
}

[Cmdlet("Write", "Error", DefaultParameterSetName = "NoException")]
public sealed class WriteErrorMessage : PSCmdlet
{
    [Parameter(Position = 0, Mandatory = true, ValueFromPipeline = true, ParameterSetName = "NoException"), Parameter(ParameterSetName = "WithException"), AllowEmptyString, Alias("Msg")]
    public string? Message { get; set; }
    [Parameter(Mandatory = true, ParameterSetName = "WithException")] public Exception? Exception { get; set; }
    [Parameter(Mandatory = true, ParameterSetName = "ErrorRecord")] public ErrorRecord? ErrorRecord { get; set; }
    [Parameter] public ErrorCategory Category { get; set; }
    [Parameter] public string ErrorId { get; set; } = "";
    [Parameter] public object? TargetObject { get; set; }
    [Parameter] public string RecommendedAction { get; set; } = "";
    [Parameter] public string CategoryReason { get; set; } = "";

    protected override void ProcessRecord()
    {
        var error = ErrorRecord is not null ? new ErrorRecord(ErrorRecord, null) : Made();
        if (RecommendedAction.Length > 0) error.ErrorDetails = new ErrorDetails(error.Exception.Message) { RecommendedAction = RecommendedAction };
        if (CategoryReason.Length > 0) error.CategoryInfo.Reason = CategoryReason;
        // The error is the caller's, and shows the caller's line. Not public.
        if (GetVariableValue("MyInvocation") is InvocationInfo caller)
            typeof(ErrorRecord).GetMethod("SetInvocationInfo", BindingFlags.Instance | BindingFlags.NonPublic)?.Invoke(error, [caller]);
        WriteError(error);
    }

    ErrorRecord Made()
    {
        var exception = Exception ?? new Microsoft.PowerShell.Commands.WriteErrorException(Message ?? "");
        var error = new ErrorRecord(exception, ErrorId.Length > 0 ? ErrorId : exception.GetType().FullName, Category, TargetObject);
        if (Exception is not null && Message is not null) error.ErrorDetails = new ErrorDetails(Message);
        return error;
    }
}

[Cmdlet(VerbsCommunications.Read, "Host")]
public sealed class ReadHost : PSCmdlet
{
    [Parameter(Position = 0, ValueFromRemainingArguments = true)] public string[]? Prompt { get; set; }
    [Parameter] public SwitchParameter AsSecureString { get; set; }
    protected override void BeginProcessing()
    {
        if (Prompt is not null) Host.UI.Write(string.Join(' ', Prompt) + ": ");
        WriteObject(AsSecureString ? Host.UI.ReadLineAsSecureString() : Host.UI.ReadLine());
    }
}
