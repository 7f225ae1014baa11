// Owns the one line on which a progress is shown, in the manner of PowerShell's minimal view. Callers hold the terminal's lock.

using System.Management.Automation;

namespace Twofold.PowerShell;

sealed class ProgressLine
{
    const int BarWidth = 30;
    (long Source, int Activity)? _shown;

    public void Show(long source, ProgressRecord record, int width)
    {
        if (record.RecordType == ProgressRecordType.Completed)
        {
            if (_shown == (source, record.ActivityId)) Clear();
            return;
        }
        _shown = (source, record.ActivityId);
        Console.Error.Write("\r" + PSStyle.Instance.Progress.Style + Text(record, width - 1) + PSStyle.Instance.Reset + "\e[K");
    }

    public void Clear()
    {
        if (_shown is null) return;
        _shown = null;
        Console.Error.Write("\r\e[K");
    }

    static string Text(ProgressRecord record, int width)
    {
        string text = record.StatusDescription is { Length: > 0 } status ? $"{record.Activity}: {status}" : record.Activity;
        if (record.PercentComplete >= 0)
        {
            int filled = Math.Min(100, record.PercentComplete) * BarWidth / 100;
            text += $" [{new string('=', filled)}{new string(' ', BarWidth - filled)}] {Math.Min(100, record.PercentComplete)}%";
        }
        if (record.SecondsRemaining >= 0) text += $" {TimeSpan.FromSeconds(record.SecondsRemaining):hh\\:mm\\:ss}";
        return text.Length > width ? text[..Math.Max(0, width)] : text;
    }
}
