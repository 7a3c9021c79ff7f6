using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;

namespace LlmPipeline;

/// <summary>A worker as a process of its own: <c>llmpipe work</c>. Killed at the end at the latest.</summary>
internal sealed partial class WorkProcess : IAsyncDisposable
{
    private const int Sigterm = 15;
    private const int Sigcont = 18;
    private const int Sigstop = 19;
    private readonly Process _process;
    private readonly StringBuilder _said = new();
    private readonly Task _read;

    public WorkProcess(Process process)
    {
        _process = process;
        _read = Task.WhenAll(ReadAsync(process.StandardOutput), ReadAsync(process.StandardError));
    }

    public bool HasExited => _process.HasExited;

    /// <summary>What it has said so far.</summary>
    public string Said
    {
        get
        {
            lock (_said)
                return _said.ToString();
        }
    }

    /// <summary>Ends it at once, as <c>kill -9</c> does.</summary>
    public void Kill()
    {
        if (!_process.HasExited)
            _process.Kill();
    }

    /// <summary>Stops it in the middle of whatever it does.</summary>
    public void Freeze() => Send(Sigstop);

    /// <summary>Lets it go on.</summary>
    public void Thaw() => Send(Sigcont);

    /// <summary>Asks it to stop.</summary>
    public void Terminate() => Send(Sigterm);

    /// <summary>Waits for its end; the answer is its exit code.</summary>
    public async Task<int> ExitedAsync(TimeSpan patience)
    {
        await _process.WaitForExitAsync().WaitAsync(patience);
        await _read;
        return _process.ExitCode;
    }

    public async ValueTask DisposeAsync()
    {
        Kill();
        await _process.WaitForExitAsync();
        await _read;
        _process.Dispose();
    }

    private void Send(int signal) => Assert.Equal(0, Signal(_process.Id, signal));

    private async Task ReadAsync(StreamReader reader)
    {
        while (await reader.ReadLineAsync() is { } line)
        {
            lock (_said)
                _said.AppendLine(line);
        }
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Signal(int process, int signal);
}
