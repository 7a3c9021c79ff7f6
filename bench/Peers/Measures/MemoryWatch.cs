using System.Globalization;

namespace LlmPipeline.Bench;

/// <summary>Looks at a process while it runs: its peak of memory, and how many of its calls the endpoint is answering.</summary>
internal sealed class MemoryWatch(Endpoint endpoint, int processId)
{
    private static readonly TimeSpan Between = TimeSpan.FromSeconds(0.1);

    /// <summary>The most calls that were seen at once.</summary>
    public long InFlight { get; private set; }

    /// <summary>The last peak that was seen (VmHWM).</summary>
    public double PeakMebibytes { get; private set; }

    /// <summary>Looks until <paramref name="work"/> has ended.</summary>
    public async Task UntilAsync(Task work)
    {
        using var clock = new PeriodicTimer(Between);
        while (!work.IsCompleted)
        {
            InFlight = Math.Max(InFlight, await endpoint.InFlightAsync());
            PeakMebibytes = Peak() ?? PeakMebibytes;
            await clock.WaitForNextTickAsync();
        }
    }

    // Null when it has just ended.
    private double? Peak()
    {
        var status = $"/proc/{processId}/status";
        if (!File.Exists(status))
            return OperatingSystem.IsLinux() ? null : throw new MeasurementException("the peak of a process is read from /proc, which is not there");
        try
        {
            return File.ReadLines(status).FirstOrDefault(line => line.StartsWith("VmHWM:", StringComparison.Ordinal)) is { } line
                ? double.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) / 1024
                : null;
        }
        catch (IOException)
        {
            return null;
        }
    }
}
