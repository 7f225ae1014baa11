// Owns the environment: takes away the variables by which a container's session was started (docs/powershell.md), and keeps the engine from leaving
// anything behind in a home directory or in /tmp: nothing of a session belongs into a container's layer.

using System.Runtime.CompilerServices;

namespace Twofold.PowerShell;

static class Surroundings
{
    const string LibraryPath = "LD_LIBRARY_PATH";
    const string ImageLibraryPath = "TWOFOLD_IMAGE_LD_LIBRARY_PATH";

    /// <summary>To be done first. Programs that the session starts load the image's libraries, not ours.</summary>
    public static void Restore()
    {
        if (Environment.GetEnvironmentVariable(ImageLibraryPath) is { } image)
        {
            Environment.SetEnvironmentVariable(LibraryPath, image.Length == 0 ? null : image);
            Environment.SetEnvironmentVariable(ImageLibraryPath, null);
            KeepCacheInMemory();
        }
        Environment.SetEnvironmentVariable("DOTNET_EnableDiagnostics", null);
        Default("POWERSHELL_DIAGNOSTICS_OPTOUT", "1");
        Default("POWERSHELL_TELEMETRY_OPTOUT", "1");
        Default("PSModuleAnalysisCachePath", "/dev/null");
        // Said aloud, the places that hold anyway are not made by the engine when it looks for them.
        string home = Environment.GetEnvironmentVariable("HOME") is { Length: > 0 } given ? given : "/";
        Default("XDG_DATA_HOME", Path.Combine(home, ".local/share"));
        Default("XDG_CACHE_HOME", Path.Combine(home, ".cache"));
        Default("XDG_CONFIG_HOME", Path.Combine(home, ".config"));
    }

    /// <summary>The engine makes its cache's directory when its platform class is first used, and remembers the place: what children inherit stays as it was.</summary>
    static void KeepCacheInMemory()
    {
        string? before = Environment.GetEnvironmentVariable("XDG_CACHE_HOME");
        Environment.SetEnvironmentVariable("XDG_CACHE_HOME", "/dev/shm");
        RuntimeHelpers.RunClassConstructor(typeof(System.Management.Automation.Platform).TypeHandle);
        Environment.SetEnvironmentVariable("XDG_CACHE_HOME", before);
    }

    static void Default(string name, string value)
    {
        if (string.IsNullOrEmpty(Environment.GetEnvironmentVariable(name))) Environment.SetEnvironmentVariable(name, value);
    }
}
