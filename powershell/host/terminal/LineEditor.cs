// Owns the editing of one line on a terminal: cursor keys, history, Tab completion, Ctrl+C. Draws the whole line anew at every key, which
// is right for lines that wrap. Does not own what becomes of the line.

using System.Management.Automation;

namespace Twofold.PowerShell;

sealed class LineEditor(Func<string, int, CommandCompletion?> complete)
{
    readonly List<string> _history = [];
    string _prompt = "";
    string _text = "";
    int _cursor;
    int _row;

    const int LookMs = 50;

    /// <summary>The line; null at the end of input (Ctrl+D on an empty line), or when there is no sense in it any more; empty after Ctrl+C.</summary>
    public string? Read(string prompt, Func<bool>? senseless)
    {
        (_prompt, _text, _cursor, _row) = (prompt, "", 0, 0);
        int recalled = _history.Count;
        string draft = "";
        Console.TreatControlCAsInput = true;
        try
        {
            Draw();
            while (true)
            {
                while (senseless is not null && !Console.KeyAvailable)
                {
                    if (senseless()) { End(); return null; }
                    Thread.Sleep(LookMs);
                }
                var key = Console.ReadKey(intercept: true);
                bool control = (key.Modifiers & ConsoleModifiers.Control) != 0;
                switch (key.Key)
                {
                    case ConsoleKey.Enter: End(); Remember(); return _text;
                    case ConsoleKey.C when control: _cursor = _text.Length; Draw(); Console.Out.Write("^C\n"); return "";
                    case ConsoleKey.D when control && _text.Length == 0: End(); return null;
                    case ConsoleKey.D when control: Replace(_cursor, 1, ""); break;
                    case ConsoleKey.L when control: Console.Out.Write("\e[H\e[2J"); _row = 0; break;
                    case ConsoleKey.A when control: _cursor = 0; break;
                    case ConsoleKey.E when control: _cursor = _text.Length; break;
                    case ConsoleKey.U when control: Replace(0, _cursor, ""); break;
                    case ConsoleKey.K when control: Replace(_cursor, _text.Length, ""); break;
                    case ConsoleKey.W when control: EraseWord(); break;
                    case ConsoleKey.LeftArrow: _cursor = control ? WordStart() : Math.Max(0, _cursor - 1); break;
                    case ConsoleKey.RightArrow: _cursor = Math.Min(_text.Length, _cursor + 1); break;
                    case ConsoleKey.Home: _cursor = 0; break;
                    case ConsoleKey.End: _cursor = _text.Length; break;
                    case ConsoleKey.Backspace: if (_cursor > 0) Replace(_cursor - 1, 1, ""); break;
                    case ConsoleKey.Delete: Replace(_cursor, 1, ""); break;
                    case ConsoleKey.Escape: Replace(0, _text.Length, ""); break;
                    case ConsoleKey.UpArrow when recalled > 0:
                        if (recalled == _history.Count) draft = _text;
                        Set(_history[--recalled]);
                        break;
                    case ConsoleKey.DownArrow when recalled < _history.Count:
                        Set(++recalled == _history.Count ? draft : _history[recalled]);
                        break;
                    case ConsoleKey.Tab: Complete(); continue;
                    default:
                        if (char.IsControl(key.KeyChar)) continue;
                        Replace(_cursor, 0, key.KeyChar.ToString());
                        // Typing at the end needs no new drawing, and a pasted text would flicker.
                        if (_cursor == _text.Length && Console.KeyAvailable) { Console.Out.Write(key.KeyChar); _row = Position(_text.Length).Row; continue; }
                        break;
                }
                Draw();
            }
        }
        finally
        {
            Console.TreatControlCAsInput = false;
        }
    }

    void Remember()
    {
        if (_text.Trim().Length > 0 && (_history.Count == 0 || _history[^1] != _text)) _history.Add(_text);
    }

    void Set(string text) => (_text, _cursor) = (text, text.Length);

    void Replace(int at, int length, string with)
    {
        _text = _text[..at] + with + _text[Math.Min(_text.Length, at + length)..];
        _cursor = at + with.Length;
    }

    int WordStart()
    {
        int at = _cursor;
        while (at > 0 && _text[at - 1] == ' ') at--;
        while (at > 0 && _text[at - 1] != ' ') at--;
        return at;
    }

    void EraseWord()
    {
        int start = WordStart();
        Replace(start, _cursor - start, "");
    }

    sealed record Round(string Before, string After, string[] Matches)
    {
        public int At { get; set; }
        public string Text => Before + Matches[At] + After;
    }
    Round? _round;

    /// <summary>Further Tabs go round the matches, as long as nothing else was typed.</summary>
    void Complete()
    {
        if (_round is not null && _text == _round.Text) _round.At = (_round.At + 1) % _round.Matches.Length;
        else if (complete(_text, _cursor) is { CompletionMatches.Count: > 0 } found)
        {
            string after = _text[Math.Min(_text.Length, found.ReplacementIndex + found.ReplacementLength)..];
            _round = new Round(_text[..found.ReplacementIndex], after, [.. found.CompletionMatches.Select(match => match.CompletionText)]);
        }
        else return;
        (_text, _cursor) = (_round.Text, _round.Text.Length - _round.After.Length);
        Draw();
    }

    void End()
    {
        _cursor = _text.Length;
        Draw();
        Console.Out.Write('\n');
    }

    /// <summary>Row and column of a place in the text, from the row on which the prompt begins.</summary>
    (int Row, int Column) Position(int index)
    {
        int width = Math.Max(1, Console.WindowWidth);
        int cells = new System.Management.Automation.Internal.StringDecorated(_prompt).ContentLength + index;
        return (cells / width, cells % width);
    }

    void Draw()
    {
        var (endRow, endColumn) = Position(_text.Length);
        var (row, column) = Position(_cursor);
        string up = _row > 0 ? $"\e[{_row}A" : "";
        // A line that fills its row leaves the cursor on it: the new row has to be asked for.
        string wrap = endColumn == 0 && _text.Length > 0 ? "\n" : "";
        string back = endRow > row ? $"\e[{endRow - row}A" : "";
        string right = column > 0 ? $"\e[{column}C" : "";
        Console.Out.Write($"{up}\r\e[J{_prompt}{_text}{wrap}{back}\r{right}");
        _row = row;
    }
}
