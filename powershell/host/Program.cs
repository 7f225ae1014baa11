// Owns the way from the command line to an exit code. Does not own what a session shows (terminal/) or how commands run (Session.cs).

using Twofold.PowerShell;

// The loader has read it: what a container's session starts must not load our libraries.
Surroundings.Restore();

var line = CommandLine.Parse(args);
switch (line.Mode)
{
    case Mode.Refused:
        Console.Error.WriteLine(line.Text);
        return 64;
    case Mode.Help:
        Console.Out.WriteLine(CommandLine.Usage);
        return 0;
    case Mode.Server:
        return RemotingServer.Run();
}

using var session = new Session();
if (line.Module is not null) session.Import(line.Module);
switch (line.Mode)
{
    case Mode.File:
        session.RunFile(line.Text, line.Arguments);
        break;
    case Mode.Command:
        Run(line.Text);
        break;
    case Mode.Input:
        Run(Console.In.ReadToEnd());
        break;
}
if (line.Mode == Mode.Prompt || (line.NoExit && !session.Ended)) new Prompt(session).Run();
return session.ExitCode;

void Run(string text)
{
    if (line.NoExit) session.RunText(text);
    else session.RunWhole(text);
}
