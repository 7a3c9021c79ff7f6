using System.Diagnostics;
using System.Runtime.InteropServices;

namespace LlmPipeline;

/// <summary>Signals to processes.</summary>
internal static partial class Signals
{
    private const int Sigterm = 15;
    private const int Sigcont = 18;
    private const int Sigstop = 19;

    /// <summary>Stops it in the middle of whatever it does; when this returns, each of its threads stands still. On a busy machine that takes some milliseconds.</summary>
    public static void Freeze(this Process process)
    {
        Send(process, Sigstop);
        Assert.True(SpinWait.SpinUntil(() => Directory.GetDirectories($"/proc/{process.Id}/task").All(IsStopped), TimeSpan.FromSeconds(20)));
    }

    /// <summary>Lets it go on.</summary>
    public static void Thaw(this Process process) => Send(process, Sigcont);

    /// <summary>Asks it to end.</summary>
    public static void Terminate(this Process process) => Send(process, Sigterm);

    private static bool IsStopped(string thread)
    {
        try
        {
            // After the name, which is in brackets and may have blanks, comes the state.
            var stat = File.ReadAllText(thread + "/stat");
            return stat[stat.LastIndexOf(')') + 2] == 'T';
        }
        catch (IOException)
        {
            // It has just ended: they are listed again.
            return false;
        }
    }

    private static void Send(Process process, int signal) => Assert.Equal(0, Signal(process.Id, signal));

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Signal(int process, int signal);
}
