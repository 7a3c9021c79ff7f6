using System.Diagnostics;

namespace LlmPipeline;

/// <summary>Runs a script or program to its end.</summary>
internal static class Shell
{
    /// <summary>What a process left behind.</summary>
    public sealed record Ended(int ExitCode, string Output, string Error)
    {
        public string LastLine => Output.TrimEnd('\n').Split('\n')[^1];
    }

    public static async Task<Ended> RunAsync(string file, IEnumerable<string> arguments, string folder, IReadOnlyDictionary<string, string?> environment, TimeSpan? within = null)
    {
        var start = new ProcessStartInfo(file, arguments)
        {
            WorkingDirectory = folder,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var (name, value) in environment)
            start.Environment[name] = value;
        using var process = Process.Start(start)!;
        process.StandardInput.Close();
        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEndAsync();
        using var patience = new CancellationTokenSource(within ?? TimeSpan.FromMinutes(1));
        try
        {
            await process.WaitForExitAsync(patience.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"{file} did not end within {within ?? TimeSpan.FromMinutes(1)}");
        }
        return new Ended(process.ExitCode, await output, await error);
    }
}
