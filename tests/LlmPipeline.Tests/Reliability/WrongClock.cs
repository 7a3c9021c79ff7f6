using System.ComponentModel;
using System.Diagnostics;

namespace LlmPipeline;

/// <summary>A clock that is off by some minutes, for a process of its own: Debian's faketime, which answers for the C library. Timers run as ever.</summary>
internal sealed class WrongClock
{
    private const string Preload = "LD_PRELOAD";
    private readonly string _library;
    private readonly int _minutes;

    private WrongClock(string library, int minutes)
    {
        _library = library;
        _minutes = minutes;
    }

    /// <param name="minutes">Ahead; behind when negative.</param>
    public static async Task<WrongClock> OfAsync(int minutes)
    {
        // The program itself says where its library is. It would stay between a test and its worker, and take the signals.
        var start = new ProcessStartInfo("faketime") { RedirectStandardOutput = true };
        foreach (var word in (string[])["-f", "+0", "printenv", Preload])
            start.ArgumentList.Add(word);
        try
        {
            using var process = Process.Start(start)!;
            var library = (await process.StandardOutput.ReadToEndAsync()).Trim();
            await process.WaitForExitAsync();
            return new WrongClock(library, minutes);
        }
        catch (Win32Exception e)
        {
            throw new FileNotFoundException("these tests need the program faketime, and it is not installed (Debian: apt-get install faketime)", "faketime", e);
        }
    }

    public void Set(Dictionary<string, string> environment)
    {
        environment[Preload] = _library;
        environment["FAKETIME"] = $"{(_minutes < 0 ? "" : "+")}{_minutes}m";
        environment["FAKETIME_DONT_FAKE_MONOTONIC"] = "1";
        // Else it moves the ends of waits as if they were times of day, and the timers of .NET spin or sleep for minutes.
        environment["FAKETIME_FORCE_MONOTONIC_FIX"] = "0";
    }

    public static void Unset(Dictionary<string, string> environment)
    {
        foreach (var name in (string[])[Preload, "FAKETIME", "FAKETIME_DONT_FAKE_MONOTONIC", "FAKETIME_FORCE_MONOTONIC_FIX"])
            environment.Remove(name);
    }
}
