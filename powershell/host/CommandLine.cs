// Owns what pwsh's command line means here: the options that scripts and remoting use, by pwsh's names and abbreviations.

namespace Twofold.PowerShell;

enum Mode { Prompt, File, Command, Input, Server, Help, Refused }

sealed record CommandLine(Mode Mode, string Text = "", IReadOnlyList<string>? Rest = null, bool NoExit = false, string? Module = null)
{
    public const string Usage = """
        Usage: twofold-powershell [-NoExit] [-Module PATH] [-File FILE [ARGUMENT...] | -Command TEXT | -Command -]

        PowerShell's engine with the commands that Twofold's module needs. Without a file or text it reads
        standard input: as a prompt if that is a terminal or -Interactive is given, otherwise as one script.
        -ServerMode speaks PowerShell remoting on standard input and output.
        """;

    public IReadOnlyList<string> Arguments => Rest ?? [];

    public static CommandLine Parse(string[] words)
    {
        bool noExit = false, interactive = false;
        string? module = null;
        CommandLine As(Mode mode, string text = "", IReadOnlyList<string>? rest = null) => new(mode, text, rest, noExit, module);
        for (int i = 0; i < words.Length; i++)
        {
            string word = words[i];
            if (!IsOption(word)) return As(Mode.File, word, words[(i + 1)..]);
            switch (word[1..].TrimStart('-').ToLowerInvariant())
            {
                case "": return As(Mode.Input);
                case "noprofile" or "nop" or "nologo" or "nol" or "noninteractive" or "noni" or "mta" or "sta": break;
                case "executionpolicy" or "ex" or "ep" or "outputformat" or "o" or "of" or "inputformat" or "inp" or "if": i++; break;
                case "noexit" or "noe": noExit = true; break;
                case "interactive" or "i": interactive = true; break;
                case "servermode" or "s": return As(Mode.Server);
                case "help" or "h" or "?": return As(Mode.Help);
                case "module":
                    if (i + 1 == words.Length) return As(Mode.Refused, "-Module needs the path of a module.");
                    module = words[++i];
                    break;
                case "file" or "f":
                    if (i + 1 == words.Length) return As(Mode.Refused, "-File needs the path of a script.");
                    return words[i + 1] == "-" ? As(Mode.Input) : As(Mode.File, words[i + 1], words[(i + 2)..]);
                case "command" or "c":
                    if (i + 1 == words.Length) return As(Mode.Refused, "-Command needs the text of a command.");
                    return words[i + 1] == "-" ? As(Mode.Input) : As(Mode.Command, string.Join(' ', words[(i + 1)..]));
                default: return As(Mode.Refused, $"There is no option {word}.\n{Usage}");
            }
        }
        return As(Console.IsInputRedirected && !interactive ? Mode.Input : Mode.Prompt);
    }

    // PowerShell takes the dashes of typesetters for a dash, and so do we.
    static bool IsOption(string word) => word.Length > 0 && "-\u2013\u2014\u2015".Contains(word[0]);
}
