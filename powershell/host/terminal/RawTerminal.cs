// Owns the terminal's size and single keys. What a terminal of today has no call for (buffer cells, cursor shapes) is answered, not done.

using System.Management.Automation.Host;

namespace Twofold.PowerShell;

sealed class RawTerminal : PSHostRawUserInterface
{
    /// <summary>Where there is no terminal, tables are as wide as pwsh makes them.</summary>
    const int WidthWithoutTerminal = 120;

    public override Size BufferSize { get => new(Columns(), Rows()); set { } }
    public override Size WindowSize { get => new(Columns(), Rows()); set { } }
    public override Size MaxWindowSize => WindowSize;
    public override Size MaxPhysicalWindowSize => WindowSize;
    public override Coordinates CursorPosition { get; set; }
    public override Coordinates WindowPosition { get; set; }
    public override int CursorSize { get; set; } = 25;
    public override ConsoleColor ForegroundColor { get; set; } = ConsoleColor.Gray;
    public override ConsoleColor BackgroundColor { get; set; } = ConsoleColor.Black;
    public override string WindowTitle { get; set; } = "";
    public override bool KeyAvailable => !Console.IsInputRedirected && Console.KeyAvailable;

    public override void FlushInputBuffer()
    {
        while (KeyAvailable) Console.ReadKey(intercept: true);
    }

    public override KeyInfo ReadKey(ReadKeyOptions options)
    {
        var key = Console.ReadKey((options & ReadKeyOptions.NoEcho) != 0);
        return new KeyInfo((int)key.Key, key.KeyChar, 0, (options & ReadKeyOptions.IncludeKeyDown) != 0);
    }

    public override BufferCell[,] GetBufferContents(Rectangle rectangle) => new BufferCell[0, 0];
    public override void ScrollBufferContents(Rectangle source, Coordinates destination, Rectangle clip, BufferCell fill) { }
    public override void SetBufferContents(Coordinates origin, BufferCell[,] contents) { }

    public override void SetBufferContents(Rectangle rectangle, BufferCell fill)
    {
        // How Clear-Host asks for an empty screen.
        if (rectangle.Left == -1 && !Console.IsOutputRedirected) Console.Out.Write("\e[H\e[2J\e[3J");
    }

    static int Columns()
    {
        if (!Console.IsOutputRedirected && Console.WindowWidth > 0) return Console.WindowWidth;
        return int.TryParse(Environment.GetEnvironmentVariable("COLUMNS"), out int columns) && columns > 0 ? columns : WidthWithoutTerminal;
    }

    static int Rows() => !Console.IsOutputRedirected && Console.WindowHeight > 0 ? Console.WindowHeight : 50;
}
