using System.Diagnostics;
using System.Text;

namespace LlmPipeline;

/// <summary>A worker as a process of its own: <c>llmpipe work</c>. Killed at the end at the latest.</summary>
internal sealed class WorkProcess : IAsyncDisposable
{
    private readonly Process _process;
    private readonly StringBuilder _said = new();
    private readonly Task _read;

    public WorkProcess(Process process)
    {
        _process = process;
        _read = Task.WhenAll(ReadAsync(process.StandardOutput), ReadAsync(process.StandardError));
    }

    public int Id => _process.Id;

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

    /// <summary>The memory that it has in RAM.</summary>
    public long ResidentBytes
    {
        get
        {
            _process.Refresh();
            return _process.WorkingSet64;
        }
    }

    /// <summary>The most memory that it has had in RAM.</summary>
    public long PeakResidentBytes
    {
        get
        {
            _process.Refresh();
            return _process.PeakWorkingSet64;
        }
    }

    /// <summary>Ends it at once, as <c>kill -9</c> does.</summary>
    public void Kill()
    {
        if (!_process.HasExited)
            _process.Kill();
    }

    /// <summary>Stops it in the middle of whatever it does.</summary>
    public void Freeze() => _process.Freeze();

    /// <summary>Lets it go on.</summary>
    public void Thaw() => _process.Thaw();

    /// <summary>Asks it to stop.</summary>
    public void Terminate() => _process.Terminate();

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

    private async Task ReadAsync(StreamReader reader)
    {
        while (await reader.ReadLineAsync() is { } line)
        {
            lock (_said)
                _said.AppendLine(line);
        }
    }
}
