using System.ComponentModel;
using System.Diagnostics;

namespace LlmPipeline.Bench;

/// <summary>A process that is killed at the end at the latest. What it says is kept, and told when it ends too early.</summary>
internal sealed class ChildProcess : IAsyncDisposable
{
    private readonly Process _process;
    private readonly List<string> _said = [];
    private readonly TaskCompletionSource<string> _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Task _read;

    private ChildProcess(Process process, string readyWhen)
    {
        _process = process;
        _read = Task.WhenAll(ReadAsync(process.StandardOutput, readyWhen), ReadAsync(process.StandardError, readyWhen));
    }

    /// <summary>Starts it and waits for a line that holds <paramref name="readyWhen"/>; the answer is that line.</summary>
    /// <param name="program">Found on the PATH.</param>
    /// <param name="arguments">Each a word.</param>
    /// <param name="environment">More variables.</param>
    /// <param name="readyWhen">Part of the line that says it is ready.</param>
    /// <exception cref="FileNotFoundException">There is no such program.</exception>
    /// <exception cref="InvalidOperationException">It ended before that.</exception>
    public static async Task<(ChildProcess Process, string Line)> StartAsync(
        string program, IEnumerable<string> arguments, IReadOnlyDictionary<string, string> environment, string readyWhen)
    {
        var start = new ProcessStartInfo(program) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var argument in arguments)
            start.ArgumentList.Add(argument);
        Shield(start, environment);
        ChildProcess child;
        try
        {
            child = new ChildProcess(Process.Start(start)!, readyWhen);
        }
        catch (Win32Exception e)
        {
            throw new FileNotFoundException($"{program} is needed and is not on the PATH", program, e);
        }
        return (child, await child._ready.Task.WaitAsync(TimeSpan.FromSeconds(60)));
    }

    /// <summary>Starts the program as its users do.</summary>
    public static Task<(ChildProcess Process, string Line)> LlmpipeAsync(IEnumerable<string> arguments, IReadOnlyDictionary<string, string> environment, string readyWhen) =>
        StartAsync(Path.Join(Words.Repository(), "llmpipe"), arguments, environment, readyWhen);

    /// <summary>Gives a process these variables, and none that could lead it to an endpoint of whoever measures.</summary>
    public static void Shield(ProcessStartInfo start, IReadOnlyDictionary<string, string> environment)
    {
        foreach (var name in start.Environment.Keys.Where(k => k.StartsWith("OPENAI_") || k.StartsWith("AZURE_OPENAI_") || k.StartsWith("LLMPIPE_")).ToList())
            start.Environment.Remove(name);
        foreach (var (name, value) in environment)
            start.Environment[name] = value;
    }

    /// <summary>Its process id.</summary>
    public int Id => _process.Id;

    /// <summary>What it has said, for whoever looks for the reason of something.</summary>
    public string Said
    {
        get
        {
            lock (_said)
                return string.Join('\n', _said);
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
            _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync();
        await _read;
        _process.Dispose();
    }

    private async Task ReadAsync(StreamReader reader, string readyWhen)
    {
        while (await reader.ReadLineAsync() is { } line)
        {
            lock (_said)
                _said.Add(line);
            if (line.Contains(readyWhen, StringComparison.Ordinal))
                _ready.TrySetResult(line);
        }
        _ready.TrySetException(new InvalidOperationException($"a process ended before it was ready: {Said}"));
    }
}
