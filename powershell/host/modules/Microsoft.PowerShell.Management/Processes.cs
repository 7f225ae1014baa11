// Owns Get-, Stop- and Wait-Process: what the kernel under this session has, nothing else.

using System.ComponentModel;
using System.Diagnostics;
using System.Management.Automation;
using Microsoft.PowerShell.Commands;

namespace Microsoft.PowerShell.Commands
{
    /// <summary>Named as scripts that catch it know it.</summary>
    public sealed class ProcessCommandException(string message) : RuntimeException(message);
}

namespace Twofold.PowerShell.Management
{
    public abstract class ProcessCommand : PSCmdlet
    {
        [Parameter(Position = 0, ValueFromPipelineByPropertyName = true, ParameterSetName = "Name"), Alias("ProcessName")] public string[] Name { get; set; } = ["*"];
        [Parameter(Mandatory = true, ValueFromPipelineByPropertyName = true, ParameterSetName = "Id"), Alias("PID")] public int[] Id { get; set; } = [];
        [Parameter(Mandatory = true, ValueFromPipeline = true, ParameterSetName = "InputObject")] public Process[] InputObject { get; set; } = [];

        protected IEnumerable<Process> Found() => ParameterSetName switch
        {
            "Id" => Id.SelectMany(ById),
            "InputObject" => InputObject,
            _ => Name.SelectMany(ByName),
        };

        IEnumerable<Process> ById(int id)
        {
            try
            {
                return [Process.GetProcessById(id)];
            }
            catch (ArgumentException)
            {
                return Missing($"Cannot find a process with the process identifier {id}.", "NoProcessFoundForGivenId", id);
            }
        }

        IEnumerable<Process> ByName(string name)
        {
            var pattern = WildcardPattern.Get(name, WildcardOptions.IgnoreCase);
            var found = Process.GetProcesses().Where(process => pattern.IsMatch(NameOf(process))).OrderBy(NameOf, StringComparer.OrdinalIgnoreCase).ThenBy(process => process.Id).ToArray();
            if (found.Length > 0 || WildcardPattern.ContainsWildcardCharacters(name)) return found;
            return Missing($"Cannot find a process with the name \"{name}\". Verify the process name and call the cmdlet again.", "NoProcessFoundForGivenName", name);
        }

        /// <summary>A process that ends while it is looked at has no name any more.</summary>
        static string NameOf(Process process)
        {
            try
            {
                return process.ProcessName;
            }
            catch (InvalidOperationException)
            {
                return "";
            }
        }

        Process[] Missing(string message, string id, object target)
        {
            WriteError(new ErrorRecord(new ProcessCommandException(message), id, ErrorCategory.ObjectNotFound, target));
            return [];
        }
    }

    [Cmdlet(VerbsCommon.Get, "Process", DefaultParameterSetName = "Name")]
    [OutputType(typeof(Process))]
    public sealed class GetProcess : ProcessCommand
    {
        protected override void ProcessRecord() => WriteObject(Found(), enumerateCollection: true);
    }

    [Cmdlet(VerbsLifecycle.Stop, "Process", SupportsShouldProcess = true, DefaultParameterSetName = "Id")]
    public sealed class StopProcess : ProcessCommand
    {
        [Parameter] public SwitchParameter Force { get; set; }
        [Parameter] public SwitchParameter PassThru { get; set; }

        protected override void ProcessRecord()
        {
            foreach (var process in Found())
            {
                if (!ShouldProcess($"{process.ProcessName} ({process.Id})", "Stop-Process")) continue;
                try
                {
                    process.Kill();
                }
                catch (Exception error) when (error is Win32Exception or InvalidOperationException)
                {
                    WriteError(new ErrorRecord(new ProcessCommandException($"Cannot stop process \"{process.ProcessName} ({process.Id})\" because of the following error: {error.Message}"), "CouldNotStopProcess", ErrorCategory.CloseError, process));
                    continue;
                }
                if (PassThru) WriteObject(process);
            }
        }
    }

    [Cmdlet(VerbsLifecycle.Wait, "Process", DefaultParameterSetName = "Name")]
    public sealed class WaitProcess : ProcessCommand
    {
        [Parameter, ValidateRange(0, 2147483)] public int? Timeout { get; set; }
        readonly CancellationTokenSource _stopped = new();

        protected override void ProcessRecord()
        {
            if (Timeout is { } seconds) _stopped.CancelAfter(TimeSpan.FromSeconds(seconds));
            foreach (var process in Found())
            {
                try
                {
                    process.WaitForExitAsync(_stopped.Token).GetAwaiter().GetResult();
                }
                catch (OperationCanceledException)
                {
                    WriteError(new ErrorRecord(new TimeoutException($"Process \"{process.ProcessName} ({process.Id})\" has not stopped in the time given."), "ProcessNotTerminated", ErrorCategory.OperationTimeout, process));
                }
            }
        }

        protected override void StopProcessing() => _stopped.Cancel();
    }
}
