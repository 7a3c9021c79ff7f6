using System.Diagnostics;
using System.Text;

namespace LlmPipeline;

/// <summary>The built program as a process of its own, in a folder of its own.</summary>
internal sealed class Llmpipe : IDisposable
{
    private static readonly TimeSpan SafetyLimit = TimeSpan.FromMinutes(4);
    private static readonly string Program = Path.Join(AppContext.BaseDirectory, "llmpipe.dll");

    public Llmpipe()
    {
        Folder = Directory.CreateTempSubdirectory("llmpipe-test-").FullName;
    }

    /// <summary>The working directory.</summary>
    public string Folder { get; }

    /// <summary>More environment variables, such as the endpoint.</summary>
    public Dictionary<string, string> Environment { get; } = [];

    public string PathOf(string name) => Path.Join(Folder, name);

    public void Write(string name, string text) => File.WriteAllText(PathOf(name), text, new UTF8Encoding(false));

    public void Write(string name, IEnumerable<string> lines) => Write(name, string.Concat(lines.Select(line => line + "\n")));

    public string[] Lines(string name) => File.ReadAllLines(PathOf(name));

    public bool Exists(string name) => File.Exists(PathOf(name));

    /// <summary>Makes a script of it in <see cref="Folder"/>, for shells that call it by its name.</summary>
    /// <returns>The PATH on which it is.</returns>
    public string AsCommand()
    {
        Write("llmpipe", $"#!/bin/sh\nexec dotnet {Program} \"$@\"\n");
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(PathOf("llmpipe"), UnixFileMode.UserRead | UnixFileMode.UserExecute);
        return $"{Folder}:{System.Environment.GetEnvironmentVariable("PATH")}";
    }

    /// <summary>Runs it to its end.</summary>
    public async Task<(int ExitCode, string Out, string Error)> RunAsync(params string[] arguments)
    {
        using var process = Start(arguments);
        var read = (Out: process.StandardOutput.ReadToEndAsync(), Error: process.StandardError.ReadToEndAsync());
        using var limit = new CancellationTokenSource(SafetyLimit);
        try
        {
            await process.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"llmpipe {string.Join(' ', arguments)} did not end: {await read.Error}");
        }

        return (process.ExitCode, await read.Out, await read.Error);
    }

    /// <summary>Starts it.</summary>
    public Process Start(params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet")
        {
            WorkingDirectory = Folder,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.ArgumentList.Add(Program);
        foreach (var argument in arguments)
            start.ArgumentList.Add(argument);
        foreach (var name in start.Environment.Keys.Where(k => k.StartsWith("OPENAI_") || k.StartsWith("AZURE_OPENAI_") || k.StartsWith("LLMPIPE_")).ToList())
            start.Environment.Remove(name);
        foreach (var (name, value) in Environment)
            start.Environment[name] = value;
        return Process.Start(start)!;
    }

    public void Dispose() => Directory.Delete(Folder, recursive: true);
}
