using System.ComponentModel;
using System.Diagnostics;

namespace LlmPipeline.Bench;

/// <summary>A process that ran to its end.</summary>
/// <param name="Output">Its standard output.</param>
/// <param name="Error">Its standard error.</param>
/// <param name="Took">From before its start to its end.</param>
internal sealed record FinishedProcess(string Output, string Error, TimeSpan Took)
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(10);

    /// <summary>Runs a program to its end.</summary>
    /// <param name="program">A path, or found on the PATH.</param>
    /// <param name="arguments">Each a word.</param>
    /// <param name="folder">Where it runs; null for here.</param>
    /// <param name="environment">More variables.</param>
    /// <param name="started">Told its process id.</param>
    /// <exception cref="MeasurementException">There is no such program, it fails, or it takes more than ten minutes.</exception>
    public static async Task<FinishedProcess> RunAsync(
        string program, IEnumerable<string> arguments, string? folder = null, IReadOnlyDictionary<string, string>? environment = null, Action<int>? started = null)
    {
        var start = new ProcessStartInfo(program) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true, WorkingDirectory = folder ?? "" };
        foreach (var argument in arguments)
            start.ArgumentList.Add(argument);
        ChildProcess.Shield(start, environment ?? new Dictionary<string, string>());
        var began = Stopwatch.GetTimestamp();
        using var process = Start(start);
        started?.Invoke(process.Id);
        process.StandardInput.Close();
        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEndAsync();
        using var patience = new CancellationTokenSource(Patience);
        try
        {
            await process.WaitForExitAsync(patience.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw new MeasurementException($"{Path.GetFileName(program)} was not done after {Patience.TotalMinutes:0} minutes: {Reason(await error)}");
        }

        var finished = new FinishedProcess(await output, await error, Stopwatch.GetElapsedTime(began));
        return process.ExitCode == 0
            ? finished
            : throw new MeasurementException($"{Path.GetFileName(program)} ended with {process.ExitCode}: {Reason(finished.Error.Trim().Length > 0 ? finished.Error : finished.Output)}");
    }

    private static Process Start(ProcessStartInfo start)
    {
        try
        {
            return Process.Start(start)!;
        }
        catch (Win32Exception e)
        {
            throw new MeasurementException($"{start.FileName} is needed and cannot be started", e);
        }
    }

    private static string Reason(string text)
    {
        var lines = text.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        return lines.FirstOrDefault(line => line.Contains("xception: ", StringComparison.Ordinal) || line.Contains("Error: ", StringComparison.Ordinal)) ?? lines.LastOrDefault() ?? "it said nothing";
    }
}
