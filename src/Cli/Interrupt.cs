using System.Globalization;
using System.Runtime.InteropServices;

namespace LlmPipeline;

/// <summary>
/// Ctrl+C, SIGTERM and SIGHUP: the first asks to stop, the second ends the process at once. SIGHUP, which comes when the terminal is
/// closed, and often twice, only ever asks; a process that ignores it (<c>nohup</c>) goes on ignoring it.
/// </summary>
internal sealed class Interrupt : IDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly List<PosixSignalRegistration> _signals;
    private int _asked;

    public Interrupt(int exitCode)
    {
        _signals = [.. new[] { PosixSignal.SIGINT, PosixSignal.SIGTERM }.Select(signal => PosixSignalRegistration.Create(signal, context =>
        {
            context.Cancel = true;
            if (Interlocked.Increment(ref _asked) > 1)
                Environment.Exit(exitCode);
            _stop.Cancel();
        }))];
        if (!IgnoresHangup())
        {
            _signals.Add(PosixSignalRegistration.Create(PosixSignal.SIGHUP, context =>
            {
                context.Cancel = true;
                Interlocked.CompareExchange(ref _asked, 1, 0);
                _stop.Cancel();
            }));
        }
    }

    public CancellationToken Token => _stop.Token;

    public void Dispose()
    {
        foreach (var signal in _signals)
            signal.Dispose();
        _stop.Dispose();
    }

    // The mask of ignored signals in hex; SIGHUP is the first. Where there is no such file, the runtime leaves an ignored signal alone.
    private static bool IgnoresHangup() =>
        ulong.TryParse(ProcessFile.Find("status", "SigIgn:"), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out var mask)
        && (mask & 1) != 0;
}
