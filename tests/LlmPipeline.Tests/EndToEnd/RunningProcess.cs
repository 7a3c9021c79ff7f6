using System.Diagnostics;

namespace LlmPipeline;

/// <summary>A process of the program that ends with the test; what it says is read and forgotten.</summary>
internal sealed class RunningProcess : IDisposable
{
    private readonly Process _process;

    public RunningProcess(Llmpipe llmpipe, params string[] arguments)
    {
        _process = llmpipe.Start(arguments);
        _ = _process.StandardError.ReadToEndAsync();
        _ = _process.StandardOutput.ReadToEndAsync();
    }

    public void Dispose()
    {
        _process.Kill(entireProcessTree: true);
        _process.Dispose();
    }
}
